#include "client/talkjsctl/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <mutex>
#include <thread>
#include <utility>

namespace talkjsd::talkjsctl {
namespace {

constexpr int kExitInterrupted = 130;

struct State {
  std::mutex mutex;
  std::function<void()> callback;  // guarded by mutex, which is held while it runs
  bool happened = false;           // guarded by mutex
};

// Never destroyed: the signal thread outlives main().
State& TheState() {
  static State* state = new State;
  return *state;
}

}  // namespace

void StartInterruptThread() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals, &state = TheState()] {
    for (;;) {
      int signal = 0;
      if (sigwait(&signals, &signal) != 0) return;
      std::lock_guard<std::mutex> lock(state.mutex);
      if (!state.callback) _exit(kExitInterrupted);
      state.happened = true;
      state.callback();
    }
  }).detach();
}

OnInterrupt::OnInterrupt(std::function<void()> callback) {
  State& state = TheState();
  std::lock_guard<std::mutex> lock(state.mutex);
  state.callback = std::move(callback);
  state.happened = false;
}

OnInterrupt::~OnInterrupt() {
  State& state = TheState();
  std::lock_guard<std::mutex> lock(state.mutex);
  state.callback = nullptr;
}

bool OnInterrupt::happened() const {
  State& state = TheState();
  std::lock_guard<std::mutex> lock(state.mutex);
  return state.happened;
}

}  // namespace talkjsd::talkjsctl
