// talkjsctl message ...
#include <algorithm>
#include <iostream>

#include "client/talkjsctl/data_commands.h"
#include "client/talkjsctl/text.h"

namespace talkjsd::talkjsctl {
namespace {

using client::Status;

constexpr int32_t kLargestPage = 100;

int List(const GlobalOptions& global, const MessageListOptions& options) {
  client::Client client = MakeClient(global);
  v1::ListMessagesRequest request;
  Status status = ResolveSession(client, options.session, request.mutable_session_id());
  if (!status.ok()) return Fail("cannot find the session", status);
  request.set_conversation_id(options.conversation);
  std::vector<std::vector<std::string>> rows = {{"TIME", "SENDER", "MESSAGE", "BODY"}};
  int64_t left = options.limit;
  do {
    request.set_page_size(static_cast<int32_t>(std::min<int64_t>(left, kLargestPage)));
    v1::ListMessagesResponse page;
    status = client.ListMessages(request, &page);
    if (!status.ok()) return Fail("cannot list the messages", status);
    for (const v1::Message& message : page.messages()) {
      if (global.json) {
        std::cout << ToJsonLine(message);
      } else {
        rows.push_back({FormatTime(message.has_create_time(), message.create_time()),
                        message.has_sender_id() ? message.sender_id() : "-", message.id(),
                        message.body()});
      }
    }
    left -= page.messages_size();
    request.set_page_token(page.next_page_token());
  } while (left > 0 && !request.page_token().empty());
  if (!global.json) std::cout << Table(rows);
  return FinishOutput();
}

}  // namespace

CLI::App* AddMessageCommands(CLI::App& app, DataCommandLine& line, RunCommand& run) {
  CLI::App* group = app.add_subcommand("message", "List a conversation's messages, or send one");
  group->require_subcommand(1);
  MessageListOptions& o = line.messages;
  CLI::App* list = group->add_subcommand("list", "List a conversation's messages, newest first");
  AddSessionOption(*list, o.session);
  list->add_option("--conversation,conversation", o.conversation, "The conversation's id")
      ->type_name("CONVERSATION")
      ->required();
  list->add_option("--limit", o.limit, "At most this many (default: 30)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  list->callback([&line, &run] { run = [&line] { return List(*line.global, line.messages); }; });
  return group;
}

}  // namespace talkjsd::talkjsctl
