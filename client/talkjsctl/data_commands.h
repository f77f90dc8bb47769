// The commands about users, conversations, messages and push registrations: each part adds its own,
// with the options that it needs.
#ifndef TALKJSD_TALKJSCTL_DATA_COMMANDS_H_
#define TALKJSD_TALKJSCTL_DATA_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "client/talkjsctl/commands.h"
#include "client/talkjsctl/user_options.h"

namespace talkjsd::talkjsctl {

struct UserGetOptions {
  std::string session;
  std::string user;
  UserOptions attributes;
};

struct ConversationOptions {
  std::string session;
  std::string conversation;
  bool join = false;
  // create
  std::string subject;
  std::string photo_url;
  std::vector<std::string> welcome_messages;
  CustomOptions custom;
  std::vector<std::string> null_fields;
  std::vector<std::string> participants;
  std::string access;
  std::string notify;
  // list
  bool unread = false;
  std::string filter;
  int64_t limit = 0;
};

struct MessageListOptions {
  std::string session;
  std::string conversation;
  int64_t limit = 30;
};

struct PushOptions {
  std::string session;
  std::string provider;
  std::string registration_id_file;
};

struct OneOnOneOptions {
  std::string user_a;
  std::string user_b;
};

// What the commands are given. Outlives the parsed command line.
struct DataCommandLine {
  const GlobalOptions* global = nullptr;
  UserGetOptions user;
  ConversationOptions conversation;
  MessageListOptions messages;
  PushOptions push;
  OneOnOneOptions one_on_one;
};

using RunCommand = std::function<int()>;

// By area. The command that is chosen sets `run`.
void AddUserCommands(CLI::App& app, DataCommandLine& line, RunCommand& run);
void AddConversationCommands(CLI::App& app, DataCommandLine& line, RunCommand& run);
// Returns the group.
CLI::App* AddMessageCommands(CLI::App& app, DataCommandLine& line, RunCommand& run);
void AddPushCommands(CLI::App& app, DataCommandLine& line, RunCommand& run);

// --session, required.
void AddSessionOption(CLI::App& command, std::string& session);

}  // namespace talkjsd::talkjsctl

#endif  // TALKJSD_TALKJSCTL_DATA_COMMANDS_H_
