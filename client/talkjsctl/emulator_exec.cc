// A command with an emulator of its own.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <optional>

#include "client/talkjsctl/emulator_commands.h"
#include "client/talkjsctl/text.h"

namespace talkjsd::talkjsctl {
namespace {

constexpr char kProgram[] = "talkjs-emulator";
constexpr char kReadyLine[] = "talkjs-emulator listening on ";
constexpr int kExitCannotExecute = 126, kExitNotFound = 127;
constexpr time_t kStopSeconds = 5;

void Complain(const std::string& message) {
  std::cerr << "talkjsctl: " << Escape(message) << std::endl;
}

// Beside this program, or wherever PATH leads.
std::string FindEmulator() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string beside = (self.parent_path() / kProgram).string();
  return !error && access(beside.c_str(), X_OK) == 0 ? beside : kProgram;
}

// The value of a flag, as "--name value" or "--name=value"; the last one counts.
std::optional<std::string> FlagIn(const std::vector<std::string>& flags, const std::string& name) {
  std::optional<std::string> value;
  for (size_t i = 0; i < flags.size(); ++i) {
    if (flags[i].starts_with(name + "=")) value = flags[i].substr(name.size() + 1);
    if (flags[i] == name && i + 1 < flags.size()) value = flags[i + 1];
  }
  return value;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

int CodeOf(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

// The signals that end or tell a command something, and the end of a child.
sigset_t Handled() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD}) {
    sigaddset(&set, signal);
  }
  return set;
}

// The two children and the signals of this process, which has one thread.
class Execution {
 public:
  Execution() {
    const sigset_t handled = Handled();
    sigprocmask(SIG_BLOCK, &handled, &mask_before_);
  }
  ~Execution() {
    StopEmulator();
    if (out_ >= 0) close(out_);
  }

  // The address it listens on; nullopt after a complaint, its own or ours.
  std::optional<std::string> StartEmulator(std::vector<std::string> arguments) {
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) != 0) {
      Complain(std::string("cannot make a pipe: ") + std::strerror(errno));
      return std::nullopt;
    }
    out_ = pipe_ends[0];
    const std::vector<char*> pointers = Pointers(arguments);
    const pid_t parent = getpid();
    emulator_ = fork();
    if (emulator_ == 0) {
      // Ctrl-C in a terminal is for the command, which may need the emulator until its end.
      setpgid(0, 0);
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(1);
      dup2(pipe_ends[1], STDOUT_FILENO);
      Become(pointers);
    }
    close(pipe_ends[1]);
    return ReadAddress();
  }

  // The exit code of the command.
  int Run(std::vector<std::string> command) {
    const std::vector<char*> pointers = Pointers(command);
    command_ = fork();
    if (command_ == 0) Become(pointers);
    if (command_ < 0) {
      Complain(std::string("cannot start the command: ") + std::strerror(errno));
      return kExitCannotExecute;
    }
    return WaitForCommand();
  }

  // Of an emulator that has ended by itself.
  int EmulatorCode() {
    int status = 0;
    if (emulator_ <= 0 || waitpid(emulator_, &status, 0) != emulator_) return kExitRefused;
    emulator_ = -1;
    return CodeOf(status) == kExitUsage ? kExitUsage : kExitRefused;
  }

 private:
  [[noreturn]] void Become(const std::vector<char*>& arguments) {
    sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
    execvp(arguments[0], arguments.data());
    const int error = errno;
    dprintf(STDERR_FILENO, "talkjsctl: cannot run %s: %s\n", arguments[0], std::strerror(error));
    _exit(error == ENOENT ? kExitNotFound : kExitCannotExecute);
  }

  std::optional<std::string> ReadAddress() {
    std::string line;
    for (char c = 0; c != '\n';) {
      const ssize_t size = read(out_, &c, 1);
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) return std::nullopt;  // it has said why
      if (c != '\n') line.push_back(c);
    }
    if (line.starts_with(kReadyLine)) return line.substr(std::strlen(kReadyLine));
    Complain("the emulator began with an unknown line: " + line);
    return std::nullopt;
  }

  int WaitForCommand() {
    const sigset_t handled = Handled();
    for (;;) {
      int status = 0;
      if (waitpid(command_, &status, WNOHANG) == command_) return CodeOf(status);
      if (emulator_ > 0 && waitpid(emulator_, &status, WNOHANG) == emulator_) {
        emulator_ = -1;
        Complain("the emulator has ended, with code " + std::to_string(CodeOf(status)));
      }
      siginfo_t info{};
      const int signal = sigwaitinfo(&handled, &info);
      // What the terminal sends has reached the command as well.
      const bool from_terminal = info.si_code == SI_KERNEL;
      if (signal > 0 && signal != SIGCHLD && !from_terminal) kill(command_, signal);
    }
  }

  void StopEmulator() {
    if (emulator_ <= 0) return;
    kill(emulator_, SIGTERM);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    const timespec step{0, 100'000'000};
    const time_t deadline = time(nullptr) + kStopSeconds;
    while (waitpid(emulator_, nullptr, WNOHANG) == 0) {
      if (time(nullptr) > deadline) {
        kill(emulator_, SIGKILL);
        waitpid(emulator_, nullptr, 0);
        break;
      }
      sigtimedwait(&child, nullptr, &step);
    }
    emulator_ = -1;
  }

  sigset_t mask_before_;
  pid_t emulator_ = -1;
  pid_t command_ = -1;
  int out_ = -1;  // the emulator's standard output
};

// Starts an emulator, runs the command with TALKJS_HOST and TALKJS_APP_ID, stops the emulator, and
// returns the command's exit code: 128 + n for signal n, 127 if there is no such command. Passes
// signals on to the command.
int ExecuteWithEmulator(const EmulatorExecOptions& options) {
  if (options.command.empty()) {
    return FailUsage("emulator exec: expected -- and a command behind the emulator's flags");
  }
  std::vector<std::string> emulator = {FindEmulator()};
  if (!FlagIn(options.emulator_flags, "--listen")) emulator.push_back("--listen=127.0.0.1:0");
  emulator.insert(emulator.end(), options.emulator_flags.begin(), options.emulator_flags.end());
  Execution execution;
  const auto address = execution.StartEmulator(std::move(emulator));
  if (!address) return execution.EmulatorCode();
  setenv("TALKJS_HOST", address->c_str(), 1);
  setenv("TALKJS_APP_ID", FlagIn(options.emulator_flags, "--app-id").value_or("demo").c_str(), 1);
  return execution.Run(options.command);
}

}  // namespace

void AddEmulatorExec(CLI::App& group, EmulatorCommandLine& line, RunCommand& run) {
  CLI::App* exec = group.add_subcommand(
      "exec",
      "Run a command with an emulator of its own: talkjsctl emulator exec [EMULATOR FLAGS] -- "
      "COMMAND...; returns the command's exit code");
  exec->allow_extras();
  exec->fallthrough(false);
  exec->callback([&line, &run, exec] {
    line.exec.emulator_flags = exec->remaining();
    run = [&line] { return ExecuteWithEmulator(line.exec); };
  });
}

std::vector<std::string> TakeExecCommand(std::vector<std::string>& arguments) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  const auto group = std::find(arguments.begin(), end, "emulator");
  const bool is_exec = group != end && std::find(group, end, "exec") != end;
  if (!is_exec || end == arguments.end()) return {};
  std::vector<std::string> command(end + 1, arguments.end());
  arguments.erase(end, arguments.end());
  return command;
}

}  // namespace talkjsd::talkjsctl
