// talkjsctl user ..., one-on-one-id
#include <iostream>

#include "client/talkjsctl/data_commands.h"
#include "client/talkjsctl/text.h"
#include "talkjsd/one_on_one_id.h"

namespace talkjsd::talkjsctl {
namespace {

using client::Status;

std::string Details(const v1::User& user) {
  std::vector<std::vector<std::string>> rows = {{"user", user.id()}, {"name", user.name()}};
  const auto add = [&rows](const char* label, bool is_set, const std::string& value) {
    if (is_set) rows.push_back({label, value});
  };
  add("role", user.has_role(), user.role());
  add("locale", user.has_locale(), user.locale());
  add("photo", user.has_photo_url(), user.photo_url());
  add("welcome message", user.has_welcome_message(), user.welcome_message());
  add("availability", user.has_availability_text(), user.availability_text());
  for (const auto& [key, value] : user.custom()) rows.push_back({"custom." + key, value});
  return Table(rows);
}

template <typename Response>
int Show(const GlobalOptions& global, const Response& response) {
  if (global.json) {
    std::cout << ToJsonLine(response);
  } else {
    std::cout << Details(response.user());
  }
  return FinishOutput();
}

int WriteUser(client::Client& client, const GlobalOptions& global, const UserGetOptions& options,
              const std::string& session_id) {
  v1::GetUserRequest request;
  request.set_session_id(session_id);
  const std::string complaint = FillUser(options.user, options.attributes, request.mutable_user());
  if (!complaint.empty()) return FailUsage(complaint);
  v1::GetUserResponse response;
  const Status status = client.GetUser(request, &response);
  if (!status.ok()) return Fail("cannot write the user", status);
  PrintWarnings(response.warnings());
  return Show(global, response);
}

int UserGet(const GlobalOptions& global, const UserGetOptions& options) {
  client::Client client = MakeClient(global);
  v1::GetUserByIdRequest request;
  Status status = ResolveSession(client, options.session, request.mutable_session_id());
  if (!status.ok()) return Fail("cannot find the session", status);
  if (options.attributes.name.has_value()) {
    return WriteUser(client, global, options, request.session_id());
  }
  request.set_user_id(options.user);
  v1::GetUserByIdResponse response;
  status = client.GetUserById(request, &response);
  if (!status.ok()) return Fail("cannot read the user", status);
  return Show(global, response);
}

int OneOnOne(const OneOnOneOptions& options) {
  std::cout << client::OneOnOneId(options.user_a, options.user_b) << "\n";
  return FinishOutput();
}

}  // namespace

void AddUserCommands(CLI::App& app, DataCommandLine& line, RunCommand& run) {
  CLI::App* user = app.add_subcommand("user", "Show a user, or write one");
  user->require_subcommand(1);
  CLI::App* get = user->add_subcommand(
      "get", "Show a user of TalkJS; with --name, write the user's attributes first");
  UserGetOptions& o = line.user;
  AddSessionOption(*get, o.session);
  get->add_option("user", o.user, "The user's id")->type_name("USER")->required();
  CLI::Option* name =
      AddText(*get, "--name", o.attributes.name, "Create or update the user, under this name");
  AddUserOptions(*get, o.attributes);
  for (CLI::Option* option : get->get_options()) {
    const std::string given = option->get_name();
    if (option != name && given != "--session" && given != "user" && given != "--help") {
      option->needs(name);
    }
  }
  get->callback([&line, &run] { run = [&line] { return UserGet(*line.global, line.user); }; });

  CLI::App* id = app.add_subcommand(
      "one-on-one-id", "Print the id of the conversation of two users, as TalkJS's SDKs make it");
  id->add_option("user_a", line.one_on_one.user_a, "A user's id")->type_name("USER")->required();
  id->add_option("user_b", line.one_on_one.user_b, "The other's")->type_name("USER")->required();
  id->callback([&line, &run] { run = [&line] { return OneOnOne(line.one_on_one); }; });
}

}  // namespace talkjsd::talkjsctl
