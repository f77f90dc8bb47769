#include "client/talkjsctl/app.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "client/talkjsctl/commands.h"
#include "client/talkjsctl/data_commands.h"
#include "client/talkjsctl/emulator_commands.h"
#include "client/talkjsctl/interrupt.h"

namespace talkjsd::talkjsctl {
namespace {

constexpr char kFooter[] = R"(
Environment:
  TALKJSD_ADDRESS    where the daemon listens, unless --address says
  TALKJSD_CA_FILE, TALKJSD_CERT_FILE, TALKJSD_KEY_FILE, TALKJSD_BEARER_TOKEN_FILE
                     for a daemon at HOST:PORT, unless the options of these names say
  TALKJSD_TOKEN, TALKJS_SECRET_KEY, TALKJSD_SIGNATURE
                     credentials for "session create", unless an option says;
                     the first also for "session set-token"
  TALKJS_HOST        the emulator that "emulator" controls, unless --emulator says
Exit codes:
  0  done; a stream ended by Ctrl-C, SIGTERM or --count
  1  the daemon or TalkJS refused, the journal is damaged, or the output cannot be written
  2  wrong arguments, or a secret or text that cannot be read
  3  no daemon, or no emulator, answers
  130  Ctrl-C or SIGTERM during anything but a stream

A session is named by its id or as APP/USER, such as demo/alice.)";

constexpr char kSessionHelp[] = "The session: its id, or APP/USER";

// Every command's options, and the command that was chosen.
struct CommandLine {
  GlobalOptions global;
  SessionCreateOptions create;
  SessionListOptions list;
  SessionWatchOptions watch;
  SessionSetMeOptions set_me;
  SessionSetTokenOptions set_token;
  TokenProvideOptions provide;
  std::string session;
  std::string subscription;
  std::string health_service;
  SendOptions send;
  MessagesOptions messages;
  FollowOptions unreads;
  EmulatorCommandLine emulator;
  JournalOptions journal;
  DataCommandLine data;
  std::function<int()> run;
};

void AddGlobal(CLI::App& app, CommandLine& line) {
  app.add_option("--address", line.global.address,
                 "The daemon: unix:///PATH, /PATH or HOST:PORT (default: this machine's)")
      ->type_name("ADDRESS");
  app.add_flag("--tls", line.global.tls,
               "Use TLS with the system's authorities; the next two imply it");
  app.add_option("--ca-file", line.global.ca_file, "Authorities of the daemon's certificate, PEM")
      ->envname("TALKJSD_CA_FILE")
      ->type_name("F");
  app.add_option("--cert-file", line.global.cert_file, "Your certificate, PEM")
      ->envname("TALKJSD_CERT_FILE")
      ->type_name("F");
  app.add_option("--key-file", line.global.key_file, "Its key, PEM")
      ->envname("TALKJSD_KEY_FILE")
      ->type_name("F");
  app.add_option("--bearer-token-file", line.global.bearer_token_file,
                 "Your bearer token, for a daemon at HOST:PORT")
      ->envname("TALKJSD_BEARER_TOKEN_FILE")
      ->type_name("F");
  app.add_flag("--json", line.global.json, "Protobuf JSON, one object a line, instead of tables");
  app.add_option("--timeout", line.global.timeout_seconds, "How long a call may take (default 10)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 3600.0));
  app.add_flag("-v,--verbose", line.global.verbose,
               "Say on standard error when a stream is open and when it is live");
  app.set_version_flag("--version", std::string("talkjsctl ") + TALKJSCTL_VERSION,
                       "Print the version");
}

// Where the daemon gets tokens from.
void AddFetcher(CLI::App* create, CLI::Option_group* credentials, FetcherOptions& o) {
  credentials
      ->add_option("--token-url", o.url, "An endpoint of yours that the daemon asks for tokens")
      ->type_name("URL");
  credentials
      ->add_option("--watch-token-file", o.watched_file,
                   "A file on the daemon's host that it reads again whenever it changes")
      ->type_name("PATH");
  credentials
      ->add_option_function<std::string>(
          "--token-provider",
          [&o](const std::string& name) {
            o.provider = name;
            o.has_provider = true;
          },
          "A program that provides tokens under this name (talkjsctl token provide)")
      ->type_name("NAME");
  create->add_option("--token-url-method", o.method, "POST (default) or GET")->type_name("METHOD");
  create
      ->add_option("--token-url-header-file", o.header_file,
                   "Headers for the endpoint, \"Name: value\" a line")
      ->type_name("F");
  create
      ->add_option("--token-url-field", o.field,
                   "The token's name in a JSON answer, such as data.token (default: the answer is "
                   "the token)")
      ->type_name("FIELD");
  create
      ->add_option("--token-url-timeout", o.timeout_seconds,
                   "How long one request may take (default 10)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 60.0));
  create
      ->add_option("--initial-token-file", o.initial_token_file,
                   "A token to begin with, before the daemon asks")
      ->type_name("F");
}

void AddSessionCreate(CLI::App& session, CommandLine& line) {
  CLI::App* create = session.add_subcommand(
      "create", "Create a session, or give an existing one newer credentials");
  SessionCreateOptions& o = line.create;
  create->add_option("--app-id", o.app_id, "The TalkJS app")->type_name("APP")->required();
  create->add_option("--user", o.user, "The user's id")->type_name("USER");
  AddText(*create, "--name", o.attributes.name,
          "Write the user to TalkJS under this name; without it the user must exist");
  AddUserOptions(*create, o.attributes);

  create
      ->add_option("--push-provider", o.push_provider,
                   "The user's device for push notifications: fcm or apns")
      ->check(CLI::IsMember({"fcm", "apns"}));
  create
      ->add_option("--push-id-file", o.push_id_file,
                   "The device's token at the provider; - for standard input")
      ->type_name("F");
  CLI::Option* enable =
      create->add_flag("--enable-push", o.enable_push, "Register the device at the first login");
  create->add_flag("--disable-push", o.disable_push, "Unregister the device at the first login")
      ->excludes(enable);

  CLI::Option_group* secrets = create->add_option_group("credentials");
  secrets->description("At most one; F may be - for standard input");
  secrets->add_option("--token-file", o.secrets.token_file, "A token (JWT) of the user")
      ->type_name("F");
  secrets
      ->add_option("--secret-key-file", o.secrets.secret_key_file,
                   "The app's secret key, to mint tokens with")
      ->type_name("F");
  secrets
      ->add_option("--signature-file", o.secrets.signature_file,
                   "The signature of the user's id (legacy)")
      ->type_name("F");
  secrets->add_flag("--no-credentials", o.secrets.no_credentials,
                    "None, whatever the environment says");
  AddFetcher(create, secrets, o.fetcher);
  secrets->require_option(0, 1);
  create
      ->add_option("--token-lifetime", o.token_lifetime_seconds,
                   "How long each minted token is valid (default 1800)")
      ->type_name("SECONDS")
      ->check(CLI::Range(10, 86400));
  create->add_flag("--replace-credentials", o.replace_credentials,
                   "Also when the session has credentials of another kind");
  create->add_flag("--wait", o.wait, "Return when it is connected, at most --timeout later");
  create->callback([&line] { line.run = [&] { return SessionCreate(line.global, line.create); }; });
}

void AddSessionCommands(CLI::App& app, CommandLine& line) {
  CLI::App* session = app.add_subcommand("session", "Create, list, show, watch, destroy sessions");
  session->require_subcommand(1);
  AddSessionCreate(*session, line);

  CLI::App* list = session->add_subcommand("list", "List sessions, oldest first");
  list->add_option("--app-id", line.list.app_id, "Only of this app")->type_name("APP");
  list->add_option("--user", line.list.user, "Only of this user")->type_name("USER");
  list->add_option("--state", line.list.states, "Only in this state; may be repeated")
      ->allow_extra_args(false)
      ->type_name("STATE");
  list->callback([&line] { line.run = [&] { return SessionList(line.global, line.list); }; });

  CLI::App* show = session->add_subcommand("show", "Show one session");
  show->add_option("--session,session", line.session, kSessionHelp)
      ->type_name("SESSION")
      ->required();
  show->callback([&line] { line.run = [&] { return SessionShow(line.global, line.session); }; });

  CLI::App* watch =
      session->add_subcommand("watch", "Print sessions now and whenever they change, until Ctrl-C");
  watch->add_option("--session,session", line.watch.sessions, "Only this session; may be repeated")
      ->type_name("SESSION");
  watch->add_option("--app-id", line.watch.app_id, "Only of this app")->type_name("APP");
  watch->callback([&line] { line.run = [&] { return SessionWatch(line.global, line.watch); }; });

  CLI::App* set_me =
      session->add_subcommand("set-me", "Give a session that has no user yet its user, for good");
  set_me->add_option("--session,session", line.set_me.session, kSessionHelp)
      ->type_name("SESSION")
      ->required();
  set_me->add_option("--user", line.set_me.user, "The user's id")->type_name("USER")->required();
  AddText(*set_me, "--name", line.set_me.attributes.name,
          "Write the user to TalkJS under this name; without it the user must exist");
  AddUserOptions(*set_me, line.set_me.attributes);
  set_me->callback([&line] { line.run = [&] { return SessionSetMe(line.global, line.set_me); }; });

  CLI::App* set_token =
      session->add_subcommand("set-token", "Replace the token of a session, while it goes on");
  set_token->add_option("--session,session", line.set_token.session, kSessionHelp)
      ->type_name("SESSION")
      ->required();
  set_token
      ->add_option("--token-file", line.set_token.token_file,
                   "The token; - for standard input (default: $TALKJSD_TOKEN)")
      ->type_name("F");
  set_token->callback(
      [&line] { line.run = [&] { return SessionSetToken(line.global, line.set_token); }; });

  CLI::App* destroy =
      session->add_subcommand("destroy", "End a session and forget its credentials");
  destroy->add_option("--session,session", line.session, kSessionHelp)
      ->type_name("SESSION")
      ->required();
  destroy->callback(
      [&line] { line.run = [&] { return SessionDestroy(line.global, line.session); }; });

  CLI::App* valid = session->add_subcommand(
      "valid", "Ask TalkJS whether it knows the session's app id; exit 1 if not");
  valid->add_option("--session,session", line.session, kSessionHelp)
      ->type_name("SESSION")
      ->required();
  valid->callback([&line] { line.run = [&] { return SessionValid(line.global, line.session); }; });
}

void AddToken(CLI::App& app, CommandLine& line) {
  CLI::App* token = app.add_subcommand("token", "Provide the daemon with tokens");
  token->require_subcommand(1);
  TokenProvideOptions& o = line.provide;
  CLI::App* provide = token->add_subcommand(
      "provide",
      "Run a command for each token that the daemon wants: talkjsctl token provide --name NAME -- "
      "COMMAND...; it finds TALKJS_APP_ID, TALKJS_USER_ID, TALKJSD_SESSION_ID and "
      "TALKJSD_TOKEN_CAUSE in its environment and prints the token");
  provide->add_option("--name", o.provider, "For the sessions created with this provider's name")
      ->type_name("NAME");
  provide->add_option("--session", o.sessions, "Of these only this one; may be repeated")
      ->allow_extra_args(false)
      ->type_name("SESSION");
  provide->add_flag("--no-reconnect", o.no_reconnect,
                    "Exit when the daemon goes away, instead of waiting for it");
  provide->callback(
      [&line] { line.run = [&] { return TokenProvide(line.global, line.provide); }; });
}

// Takes what is behind "--" from the arguments of "token provide", which the parser must not see.
std::vector<std::string> TakeProvideCommand(std::vector<std::string>& arguments) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  const auto group = std::find(arguments.begin(), end, "token");
  if (end == arguments.end() || std::find(group, end, "provide") == end) return {};
  std::vector<std::string> command(end + 1, arguments.end());
  arguments.erase(end, arguments.end());
  return command;
}

void AddSend(CLI::App& app, CommandLine& line) {
  CLI::App* send = app.add_subcommand("send", "Send a message: a text, a place or a file");
  SendOptions& o = line.send;
  send->add_option("--session", o.session, kSessionHelp)->type_name("SESSION")->required();
  send->add_option("--conversation", o.conversation, "The conversation's id")
      ->type_name("CONVERSATION")
      ->required();
  send->add_option("text", o.text, "The text with TalkJS's markup; - reads standard input")
      ->type_name("TEXT");
  send->add_option("--location", o.location, "A place instead: degrees north and east")
      ->type_name("LATITUDE,LONGITUDE")
      ->delimiter(',')
      ->expected(2);
  send->add_option("--file-token", o.file_token, "A file instead: the token that TalkJS gave it")
      ->type_name("TOKEN");
  send->add_option("--custom", o.custom.values, "A custom value; may be repeated")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  send->add_option("--reply-to", o.reply_to, "The id of the message it answers")
      ->type_name("MESSAGE");
  send->add_option("--request-id", o.request_id, "Makes a repeat within 24 hours harmless")
      ->type_name("ID");
  send->add_flag("--ensure-participant", o.ensure_participant,
                 "Create the conversation and join it first, where need be");
  send->callback([&line] { line.run = [&] { return Send(line.global, line.send); }; });
}

void AddData(CLI::App& app, CommandLine& line) {
  line.data.global = &line.global;
  AddUserCommands(app, line.data, line.run);
  AddConversationCommands(app, line.data, line.run);
  // The same as `send`, where one looks for it.
  AddSend(*AddMessageCommands(app, line.data, line.run), line);
  AddPushCommands(app, line.data, line.run);
}

void AddFollow(CLI::App* command, FollowOptions& o) {
  CLI::Option_group* which = command->add_option_group("which sessions");
  which->add_option("--session", o.sessions, "A session: its id, or APP/USER; may be repeated")
      ->allow_extra_args(false)
      ->type_name("SESSION");
  which->add_flag("--all", o.all, "All sessions, later ones too");
  which->description("One of");
  which->require_option(1);
  command->add_option("--count", o.count, "Exit after this many (default: never)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command->add_flag("--no-reconnect", o.no_reconnect,
                    "Exit when the daemon goes away, instead of waiting for it");
}

void AddStreams(CLI::App& app, CommandLine& line) {
  CLI::App* messages =
      app.add_subcommand("messages", "Print messages as they come, until Ctrl-C or --count");
  MessagesOptions& o = line.messages;
  AddFollow(messages, o.follow);
  messages->add_option("--conversation", o.conversations, "Only this one; may be repeated")
      ->allow_extra_args(false)
      ->type_name("CONVERSATION");
  messages
      ->add_option("--kinds", o.kinds, "What to follow: sent,edited,deleted,state (default sent)")
      ->allow_extra_args(false)
      ->type_name("KINDS")
      ->delimiter(',');
  messages->add_flag("--exclude-by-me", o.exclude_by_me, "Without messages of the session's user");
  CLI::Option_group* start = messages->add_option_group("where to start");
  start->description("Default: where --subscription stands, else with the next event");
  start->add_option("--from-cursor", o.from_cursor, "After this position, in hex or base64")
      ->type_name("CURSOR");
  start->add_option("--from-time", o.from_time, "With what the daemon got at 2026-01-31T23:59:59Z")
      ->type_name("TIME");
  start->add_flag("--earliest", o.earliest, "With the earliest event that there is");
  start->require_option(0, 1);
  messages->add_flag("--continue-after-gap", o.continue_after_gap,
                     "Where the start is lost: report a gap and go on, instead of exit 1");
  messages
      ->add_option("--subscription", o.subscription,
                   "Have the daemon remember under this name what was printed, and go on there")
      ->type_name("NAME");
  messages
      ->add_flag("--takeover", o.takeover,
                 "Take the subscription from a stream that has it open, instead of exit 1")
      ->needs("--subscription");
  messages->callback([&line] { line.run = [&] { return Messages(line.global, line.messages); }; });

  CLI::App* unreads =
      app.add_subcommand("unreads", "Print the list of unread conversations whenever it changes");
  AddFollow(unreads, line.unreads);
  unreads->callback([&line] { line.run = [&] { return Unreads(line.global, line.unreads); }; });
}

void AddSubscriptionCommands(CLI::App& app, CommandLine& line) {
  CLI::App* subscription =
      app.add_subcommand("subscription", "List and delete named subscriptions");
  subscription->require_subcommand(1);
  subscription->add_subcommand("list", "List named subscriptions, and where they stand")
      ->callback([&line] { line.run = [&] { return SubscriptionList(line.global); }; });
  CLI::App* remove = subscription->add_subcommand(
      "delete", "Forget a named subscription; a stream that has it open ends");
  remove->add_option("name", line.subscription, "Its name")->type_name("NAME")->required();
  remove->callback(
      [&line] { line.run = [&] { return SubscriptionDelete(line.global, line.subscription); }; });
}

void AddHealth(CLI::App& app, CommandLine& line) {
  CLI::App* health = app.add_subcommand("health", "Ask whether the daemon serves; exit 0 if so");
  health
      ->add_option("--service", line.health_service,
                   "Of this service, such as talkjs.sidecar.v1.EventService (default: as a whole)")
      ->type_name("SERVICE");
  health->callback(
      [&line] { line.run = [&] { return ShowHealth(line.global, line.health_service); }; });
}

void AddJournal(CLI::App& app, CommandLine& line) {
  CLI::App* journal =
      app.add_subcommand("journal", "Look at a journal on disk; needs no daemon, changes nothing");
  journal->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, bool verify) {
    CLI::App* command = journal->add_subcommand(name, help);
    command
        ->add_option("directory", line.journal.directory,
                     "The daemon's state directory, or the journal in it")
        ->type_name("DIR")
        ->required();
    command->callback([&line, verify] {
      line.journal.verify = verify;
      line.run = [&] { return JournalReportOn(line.global, line.journal); };
    });
  };
  add("inspect", "Show its files with sequences, times, sizes, and its epochs", false);
  add("verify", "The same, and read all of it; exit 1 when anything is damaged or missing", true);
}

}  // namespace

void AddSessionOption(CLI::App& command, std::string& session) {
  command.add_option("--session", session, kSessionHelp)->type_name("SESSION")->required();
}

int Run(int argc, char** argv) {
  CommandLine line;
  CLI::App app("talkjsctl: TalkJS sessions of the local talkjsd, from the command line",
               "talkjsctl");
  // Options of all commands may stand after the command as well. Inherited, so it comes first.
  app.fallthrough();
  app.require_subcommand(1);
  app.footer("Options of all commands, exit codes, environment: talkjsctl --help");
  AddGlobal(app, line);
  AddSessionCommands(app, line);
  AddToken(app, line);
  AddSend(app, line);
  AddData(app, line);
  AddStreams(app, line);
  AddSubscriptionCommands(app, line);
  AddJournal(app, line);
  app.add_subcommand("status", "Show what the daemon is and how it is")->callback([&line] {
    line.run = [&] { return ShowStatus(line.global); };
  });
  AddHealth(app, line);
  line.emulator.global = &line.global;
  AddEmulatorCommands(app, line.emulator, line.run);
  app.footer(kFooter);  // after the commands, which have inherited the short one
  std::vector<std::string> arguments(argv + 1, argv + argc);
  line.emulator.exec.command = TakeExecCommand(arguments);
  line.provide.command = TakeProvideCommand(arguments);
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::Success& e) {  // --help, --version
    app.exit(e);
    return FinishOutput();
  } catch (const CLI::ParseError& e) {
    return FailUsage(std::string(e.what()) + " (see talkjsctl --help)");
  }
  // `emulator exec` sees to signals itself.
  if (line.emulator.exec.command.empty()) StartInterruptThread();
  return line.run();
}

}  // namespace talkjsd::talkjsctl
