// talkjsctl conversation ...
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <iostream>
#include <map>

#include "client/talkjsctl/data_commands.h"
#include "client/talkjsctl/text.h"

namespace talkjsd::talkjsctl {
namespace {

using client::Status;

constexpr int32_t kLargestPage = 30;

const std::map<std::string, v1::Access> kAccess = {{"read", v1::ACCESS_READ},
                                                   {"read-write", v1::ACCESS_READ_WRITE}};
const std::map<std::string, v1::Notify> kNotify = {
    {"off", v1::NOTIFY_OFF}, {"on", v1::NOTIFY_ON}, {"mentions-only", v1::NOTIFY_MENTIONS_ONLY}};

template <typename Map>
std::vector<std::string> KeysOf(const Map& map) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : map) keys.push_back(key);
  return keys;
}

std::string AccessName(v1::Access access) {
  return WithoutPrefix(v1::Access_Name(access), "ACCESS_");
}

std::string NotifyName(v1::Notify notify) {
  return WithoutPrefix(v1::Notify_Name(notify), "NOTIFY_");
}

std::string Details(const v1::Conversation& conversation) {
  std::vector<std::vector<std::string>> rows = {{"conversation", conversation.id()}};
  if (conversation.has_subject()) rows.push_back({"subject", conversation.subject()});
  if (conversation.has_photo_url()) rows.push_back({"photo", conversation.photo_url()});
  for (const std::string& text : conversation.welcome_messages().values()) {
    rows.push_back({"welcome message", text});
  }
  for (const auto& [key, value] : conversation.custom()) rows.push_back({"custom." + key, value});
  rows.push_back({"created", FormatTime(true, conversation.create_time())});
  rows.push_back({"joined", FormatTime(true, conversation.join_time())});
  rows.push_back({"last activity", FormatTime(true, conversation.last_message_time())});
  rows.push_back({"unread", std::to_string(conversation.unread_message_count()) +
                                (conversation.is_unread() ? ", marked so" : "")});
  rows.push_back({"access", AccessName(conversation.access())});
  rows.push_back({"notify", NotifyName(conversation.notify())});
  return Table(rows);
}

int Call(const GlobalOptions& global, const std::string& session,
         v1::GetConversationRequest request) {
  client::Client client = MakeClient(global);
  Status status = ResolveSession(client, session, request.mutable_session_id());
  if (!status.ok()) return Fail("cannot find the session", status);
  v1::GetConversationResponse response;
  status = client.GetConversation(request, &response);
  if (!status.ok()) return Fail("cannot get the conversation", status);
  PrintWarnings(response.warnings());
  if (global.json) {
    std::cout << ToJsonLine(response);
  } else {
    std::cout << Details(response.conversation());
  }
  return FinishOutput();
}

int Get(const GlobalOptions& global, const ConversationOptions& options) {
  v1::GetConversationRequest request;
  request.set_conversation_id(options.conversation);
  request.set_join(options.join);
  return Call(global, options.session, std::move(request));
}

int Create(const GlobalOptions& global, const ConversationOptions& options, const CLI::App& app) {
  v1::GetConversationRequest request;
  request.set_conversation_id(options.conversation);
  v1::ConversationAttributes* attributes = request.mutable_attributes();
  // Empty is something to write.
  if (app.count("--subject") > 0) attributes->set_subject(options.subject);
  if (app.count("--photo-url") > 0) attributes->set_photo_url(options.photo_url);
  for (const std::string& text : options.welcome_messages) {
    attributes->mutable_welcome_messages()->add_values(text);
  }
  for (const std::string& field : options.null_fields) attributes->add_null_fields(field);
  if (!options.custom.values.empty() || !options.custom.deleted_keys.empty()) {
    const std::string complaint = FillCustom(options.custom, attributes->mutable_custom());
    if (!complaint.empty()) return FailUsage(complaint);
  }
  for (const std::string& user : options.participants) {
    v1::Participant* participant = request.add_participants();
    participant->set_user_id(user);
    if (!options.access.empty()) participant->set_access(kAccess.at(options.access));
    if (!options.notify.empty()) participant->set_notify(kNotify.at(options.notify));
  }
  return Call(global, options.session, std::move(request));
}

std::vector<std::string> RowOf(const v1::Conversation& conversation) {
  return {conversation.id(),
          FormatTime(true, conversation.last_message_time()),
          std::to_string(conversation.unread_message_count()),
          conversation.is_unread() ? "yes" : "no",
          AccessName(conversation.access()),
          conversation.has_subject() ? conversation.subject() : "-"};
}

int List(const GlobalOptions& global, const ConversationOptions& options) {
  v1::ListConversationsRequest request;
  if (options.unread) request.mutable_filter()->add_any()->set_is_unread(true);
  if (!options.filter.empty()) {
    const auto parsed =
        google::protobuf::util::JsonStringToMessage(options.filter, request.mutable_filter());
    if (!parsed.ok()) return FailUsage("--filter is no ConversationFilter: " + parsed.ToString());
  }
  client::Client client = MakeClient(global);
  Status status = ResolveSession(client, options.session, request.mutable_session_id());
  if (!status.ok()) return Fail("cannot find the session", status);
  std::vector<std::vector<std::string>> rows = {
      {"CONVERSATION", "LAST ACTIVITY", "MESSAGES", "UNREAD", "ACCESS", "SUBJECT"}};
  int64_t left = options.limit > 0 ? options.limit : INT64_MAX;
  do {
    request.set_page_size(static_cast<int32_t>(std::min<int64_t>(left, kLargestPage)));
    v1::ListConversationsResponse page;
    status = client.ListConversations(request, &page);
    if (!status.ok()) return Fail("cannot list the conversations", status);
    for (const v1::Conversation& conversation : page.conversations()) {
      if (global.json) {
        std::cout << ToJsonLine(conversation);
      } else {
        rows.push_back(RowOf(conversation));
      }
    }
    left -= page.conversations_size();
    request.set_page_token(page.next_page_token());
  } while (left > 0 && !request.page_token().empty());
  if (!global.json) std::cout << Table(rows);
  return FinishOutput();
}

template <typename Request, typename Response>
int Mark(const GlobalOptions& global, const ConversationOptions& options,
         Status (client::Client::*call)(const Request&, Response*), std::string_view done) {
  client::Client client = MakeClient(global);
  Request request;
  Status status = ResolveSession(client, options.session, request.mutable_session_id());
  if (!status.ok()) return Fail("cannot find the session", status);
  request.set_conversation_id(options.conversation);
  Response response;
  status = (client.*call)(request, &response);
  if (!status.ok()) return Fail("cannot mark the conversation", status);
  if (global.json) {
    std::cout << ToJsonLine(response);
  } else {
    std::cout << done << " " << Escape(options.conversation) << "\n";
  }
  return FinishOutput();
}

void AddTarget(CLI::App& command, ConversationOptions& o) {
  AddSessionOption(command, o.session);
  command.add_option("conversation", o.conversation, "The conversation's id")
      ->type_name("CONVERSATION")
      ->required();
}

void AddCreate(CLI::App& group, DataCommandLine& line, RunCommand& run) {
  ConversationOptions& o = line.conversation;
  CLI::App* create = group.add_subcommand(
      "create", "Create or update a conversation; the session's user becomes a participant");
  AddTarget(*create, o);
  create->add_option("--subject", o.subject, "The subject; may be empty");
  create->add_option("--photo-url", o.photo_url, "The conversation's picture");
  create
      ->add_option("--welcome-message", o.welcome_messages,
                   "Text shown while nobody has sent a message; may be repeated")
      ->allow_extra_args(false);
  AddCustomOptions(*create, o.custom);
  AddNullOption(*create, o.null_fields, "custom, welcome_messages, photo_url, subject");
  CLI::Option* participant =
      create->add_option("--participant", o.participants, "A user to add; may be repeated")
          ->allow_extra_args(false)
          ->type_name("USER");
  create->add_option("--access", o.access, "What these participants may do: read or read-write")
      ->check(CLI::IsMember(KeysOf(kAccess)))
      ->needs(participant);
  create
      ->add_option("--notify", o.notify,
                   "When these participants are notified: off, on or mentions-only")
      ->check(CLI::IsMember(KeysOf(kNotify)))
      ->needs(participant);
  create->callback([&line, &run, create] {
    run = [&line, create] { return Create(*line.global, line.conversation, *create); };
  });
}

}  // namespace

void AddConversationCommands(CLI::App& app, DataCommandLine& line, RunCommand& run) {
  CLI::App* group =
      app.add_subcommand("conversation", "Show, create, list conversations; mark them (un)read");
  group->require_subcommand(1);
  ConversationOptions& o = line.conversation;

  CLI::App* get = group->add_subcommand("get", "Show a conversation that the user is in");
  AddTarget(*get, o);
  get->add_flag("--join", o.join, "Join it first; it must exist");
  get->callback([&line, &run] { run = [&line] { return Get(*line.global, line.conversation); }; });

  AddCreate(*group, line, run);

  CLI::App* list = group->add_subcommand("list", "List the user's conversations, newest first");
  AddSessionOption(*list, o.session);
  CLI::Option* unread = list->add_flag("--unread", o.unread, "Only unread ones");
  list->add_option("--filter", o.filter,
                   "Only those that match: a ConversationFilter in protobuf JSON")
      ->type_name("JSON")
      ->excludes(unread);
  list->add_option("--limit", o.limit, "At most this many (default: all)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  list->callback(
      [&line, &run] { run = [&line] { return List(*line.global, line.conversation); }; });

  CLI::App* read = group->add_subcommand("read", "Mark a conversation as read");
  AddTarget(*read, o);
  read->callback([&line, &run] {
    run = [&line] {
      return Mark(*line.global, line.conversation, &client::Client::MarkConversationRead, "read");
    };
  });
  CLI::App* mark_unread = group->add_subcommand("unread", "Mark a conversation as unread");
  AddTarget(*mark_unread, o);
  mark_unread->callback([&line, &run] {
    run = [&line] {
      return Mark(*line.global, line.conversation, &client::Client::MarkConversationUnread,
                  "unread");
    };
  });
}

}  // namespace talkjsd::talkjsctl
