// talkjsctl token ...
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <iostream>

#include "client/talkjsctl/commands.h"
#include "client/talkjsctl/interrupt.h"
#include "client/talkjsctl/text.h"

extern char** environ;

namespace talkjsd::talkjsctl {
namespace {

using client::Status;
using client::TokenReply;
using std::chrono::milliseconds;
using std::chrono::system_clock;

// More is no token.
constexpr size_t kMaxOutputBytes = 64 << 10;

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// This program's environment with what the command is told.
std::vector<std::string> EnvironmentFor(const v1::TokenQuery& query) {
  std::vector<std::string> environment = {
      "TALKJS_APP_ID=" + query.app_id(), "TALKJS_USER_ID=" + query.user_id(),
      "TALKJSD_SESSION_ID=" + query.session_id(),
      "TALKJSD_TOKEN_CAUSE=" +
          WithoutPrefix(v1::TokenQueryCause_Name(query.cause()), "TOKEN_QUERY_CAUSE_")};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const auto is_told = [&](const std::string& told) {
      const std::string_view name(told.data(), told.find('=') + 1);
      return text.starts_with(name);
    };
    if (!is_told(environment[0]) && !is_told(environment[1]) && !is_told(environment[2]) &&
        !is_told(environment[3])) {
      environment.emplace_back(text);
    }
  }
  return environment;
}

system_clock::time_point DeadlineOf(const v1::TokenQuery& query) {
  if (!query.has_deadline_time()) return system_clock::now() + std::chrono::seconds(10);
  return system_clock::time_point(std::chrono::seconds(query.deadline_time().seconds()) +
                                  milliseconds(query.deadline_time().nanos() / 1'000'000));
}

// A command that was started, with its standard output in a pipe. It has a process group of its
// own, which ends with it.
class Command {
 public:
  Command(std::vector<std::string> arguments, const v1::TokenQuery& query) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
      error_ = errno;
      return;
    }
    out_ = ends[0];
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;  // this program blocks those that it waits for
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    std::vector<std::string> environment = EnvironmentFor(query);
    error_ = posix_spawnp(&pid_, arguments[0].c_str(), &files, &attributes,
                          Pointers(arguments).data(), Pointers(environment).data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    close(ends[1]);
    if (error_ != 0) pid_ = -1;
  }
  ~Command() {
    if (pid_ > 0) {
      kill(-pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    if (out_ >= 0) close(out_);
  }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // errno of a start that failed; 0: it runs.
  int error() const { return error_; }

  // Everything it prints until it closes its output; false: not by then.
  bool ReadAll(system_clock::time_point deadline, std::string* output) {
    for (;;) {
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - system_clock::now());
      if (left.count() <= 0) return false;
      pollfd wait{out_, POLLIN, 0};
      const int ready = poll(&wait, 1, static_cast<int>(left.count()));
      if (ready == 0 || (ready < 0 && errno != EINTR)) return false;
      if (ready < 0) continue;
      char buffer[4096];
      const ssize_t size = read(out_, buffer, sizeof(buffer));
      if (size <= 0) return size == 0;
      output->append(buffer, static_cast<size_t>(size));
      if (output->size() > kMaxOutputBytes) return true;
    }
  }

  // Its exit code, 128 + n for signal n.
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  int error_ = 0;
  pid_t pid_ = -1;
  int out_ = -1;
};

std::string Trimmed(const std::string& text) {
  constexpr char kSpace[] = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

TokenReply RunFor(const v1::TokenQuery& query, const std::vector<std::string>& arguments) {
  Command command(arguments, query);
  if (command.error() != 0) {
    return TokenReply::Failure("the command cannot be run: " +
                               std::string(std::strerror(command.error())));
  }
  std::string output;
  if (!command.ReadAll(DeadlineOf(query), &output)) {
    return TokenReply::Failure("the command printed no token in time");
  }
  const std::string token = Trimmed(output);
  if (output.size() > kMaxOutputBytes) {
    return TokenReply::Failure("the command printed more than a token");
  }
  const int code = command.Wait();
  if (code != 0) {
    return TokenReply::Failure("the command ended with code " + std::to_string(code));
  }
  if (token.empty()) return TokenReply::Failure("the command printed no token");
  return TokenReply::Token(token);
}

void Say(const std::string& text) { std::cerr << "talkjsctl: " << Escape(text) << std::endl; }

}  // namespace

int TokenProvide(const GlobalOptions& global, const TokenProvideOptions& options) {
  if (options.command.empty()) {
    return FailUsage("token provide: expected -- and a command that prints a token");
  }
  client::Client client = MakeClient(global);
  v1::TokenRegistration registration;
  registration.set_provider_name(options.provider);
  for (const std::string& given : options.sessions) {
    const Status status = ResolveSession(client, given, registration.add_session_ids());
    if (!status.ok()) return Fail("cannot find the session", status);
  }
  client::TokenProviderOptions provider_options;
  provider_options.reconnect = !options.no_reconnect;
  provider_options.on_reconnect = [](const Status& status, milliseconds) {
    Fail("reconnecting", status);
  };
  if (global.verbose) {
    provider_options.on_registered = [] { Say("registered"); };
  }
  provider_options.on_rejected = [](const v1::TokenRejection& rejection) {
    Say("a token was of no use (" +
        WithoutPrefix(v1::ErrorReason_Name(rejection.reason()), "ERROR_REASON_") +
        "): " + rejection.reason_message());
  };
  const auto provider = client.ProvideTokens(registration, provider_options);
  const OnInterrupt interrupt([&provider] { provider->Cancel(); });
  const Status status = provider->Run([&](const v1::TokenQuery& query) {
    const TokenReply reply = RunFor(query, options.command);
    if (!reply.failure.empty()) {
      Say("no token for " + query.app_id() + "/" + query.user_id() + ": " + reply.failure);
    } else if (global.verbose) {
      Say("a token for " + query.app_id() + "/" + query.user_id());
    }
    return reply;
  });
  if (interrupt.happened()) return FinishOutput();
  return Fail("the daemon wants no more tokens", status);
}

}  // namespace talkjsd::talkjsctl
