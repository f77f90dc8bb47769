// What each command of talkjsctl does, once its arguments are parsed (app.cc). Commands write to
// standard output and standard error, block, and return the exit code.
#ifndef TALKJSD_TALKJSCTL_COMMANDS_H_
#define TALKJSD_TALKJSCTL_COMMANDS_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "client/talkjsctl/user_options.h"
#include "talkjsd/client.h"

namespace talkjsd::talkjsctl {

namespace v1 = talkjs::sidecar::v1;

// Also listed in the help and in docs/talkjsctl.md. Ctrl-C during anything but a stream: 130.
enum ExitCode {
  kExitOk = 0,           // done; a stream ended by Ctrl-C, SIGTERM or --count
  kExitRefused = 1,      // the daemon or TalkJS refused, a journal is damaged, or the output cannot
                         // be written
  kExitUsage = 2,        // wrong arguments, or a secret or text that cannot be read
  kExitUnreachable = 3,  // no daemon answers
};

// The options that all commands have.
struct GlobalOptions {
  std::string address;  // empty = the default
  bool tls = false;
  // Paths; empty = none. Secrets are in files, never arguments.
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
  std::string bearer_token_file;
  bool json = false;
  bool verbose = false;
  double timeout_seconds = 10;
};

struct SecretOptions {
  std::string token_file;       // each a path, "-" for standard input, or empty
  std::string secret_key_file;  //
  std::string signature_file;   //
  bool no_credentials = false;  // leave the environment alone
};

// Where the daemon is to get tokens from: at most one of url, file and provider.
struct FetcherOptions {
  std::string url;
  std::string method;
  std::string header_file;  // "-" for standard input
  std::string field;
  double timeout_seconds = 0;  // 0 = the daemon's default
  std::string watched_file;
  std::string provider;
  bool has_provider = false;  // its name may be empty
  std::string initial_token_file;
};

struct SessionCreateOptions {
  std::string app_id;
  std::string user;
  UserOptions attributes;
  std::string push_provider;
  std::string push_id_file;
  bool enable_push = false;
  bool disable_push = false;
  SecretOptions secrets;
  FetcherOptions fetcher;
  int64_t token_lifetime_seconds = 0;  // 0 = the daemon's default
  bool replace_credentials = false;
  bool wait = false;
};

struct SessionListOptions {
  std::string app_id;
  std::string user;
  std::vector<std::string> states;  // names of SessionState without prefix
};

struct SessionWatchOptions {
  std::vector<std::string> sessions;
  std::string app_id;
};

struct SessionSetMeOptions {
  std::string session;
  std::string user;
  UserOptions attributes;
};

struct SessionSetTokenOptions {
  std::string session;
  std::string token_file;
};

struct TokenProvideOptions {
  std::string provider;
  std::vector<std::string> sessions;
  std::vector<std::string> command;
  bool no_reconnect = false;
};

struct SendOptions {
  std::string session;
  std::string conversation;
  std::string text;              // "-" = standard input
  std::vector<double> location;  // latitude and longitude; empty = none
  std::string file_token;
  CustomOptions custom;
  std::string reply_to;
  std::string request_id;
  bool ensure_participant = false;
};

// What `messages` and `unreads` have in common.
struct FollowOptions {
  std::vector<std::string> sessions;
  bool all = false;
  bool no_reconnect = false;
  int64_t count = 0;  // 0 = no end
};

struct MessagesOptions {
  FollowOptions follow;
  std::vector<std::string> conversations;
  std::vector<std::string> kinds;
  std::string from_cursor;
  std::string from_time;
  bool earliest = false;
  bool exclude_by_me = false;
  bool continue_after_gap = false;
  std::string subscription;
  bool takeover = false;
};

struct JournalOptions {
  std::string directory;
  bool verify = false;
};

int SessionCreate(const GlobalOptions& global, const SessionCreateOptions& options);
int SessionList(const GlobalOptions& global, const SessionListOptions& options);
int SessionShow(const GlobalOptions& global, const std::string& session);
int SessionWatch(const GlobalOptions& global, const SessionWatchOptions& options);
int SessionSetMe(const GlobalOptions& global, const SessionSetMeOptions& options);
int SessionSetToken(const GlobalOptions& global, const SessionSetTokenOptions& options);
int TokenProvide(const GlobalOptions& global, const TokenProvideOptions& options);
int SessionDestroy(const GlobalOptions& global, const std::string& session);
int SessionValid(const GlobalOptions& global, const std::string& session);
int Send(const GlobalOptions& global, const SendOptions& options);
int Messages(const GlobalOptions& global, const MessagesOptions& options);
int Unreads(const GlobalOptions& global, const FollowOptions& options);
int SubscriptionList(const GlobalOptions& global);
int SubscriptionDelete(const GlobalOptions& global, const std::string& name);
int ShowStatus(const GlobalOptions& global);
// `service` empty: the daemon as a whole. kExitOk only if it is serving.
int ShowHealth(const GlobalOptions& global, const std::string& service);
// `journal inspect` and `journal verify`; the latter exits with kExitRefused if there is damage.
int JournalReportOn(const GlobalOptions& global, const JournalOptions& options);

// For the commands themselves.

client::Client MakeClient(const GlobalOptions& global);

// "talkjsctl: <what> (<REASON>): <message>" on one line of standard error; returns the exit code.
int Fail(std::string_view what, const client::Status& status);
int FailUsage(std::string_view message);

// Each on a line of standard error.
void PrintWarnings(const google::protobuf::RepeatedPtrField<std::string>& warnings);

// Turns what a person calls a session (its id, or "app/user") into its id.
client::Status ResolveSession(client::Client& client, const std::string& given, std::string* id);

// kExitOk, or kExitRefused after a complaint when standard output could not be written.
int FinishOutput();

}  // namespace talkjsd::talkjsctl

#endif  // TALKJSD_TALKJSCTL_COMMANDS_H_
