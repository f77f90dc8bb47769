// Ctrl-C and SIGTERM.
#ifndef TALKJSD_TALKJSCTL_INTERRUPT_H_
#define TALKJSD_TALKJSCTL_INTERRUPT_H_

#include <functional>

namespace talkjsd::talkjsctl {

// Blocks both signals for the process and starts the thread that waits for them; that thread ends
// the process with code 130 unless an OnInterrupt lives. Call it once, before other threads start.
void StartInterruptThread();

// While it lives, a signal calls `callback`, on the signal thread, instead of ending the process.
// One at a time. After the destructor the callback does not run any more.
class OnInterrupt {
 public:
  explicit OnInterrupt(std::function<void()> callback);
  OnInterrupt(const OnInterrupt&) = delete;
  OnInterrupt& operator=(const OnInterrupt&) = delete;
  ~OnInterrupt();

  // Whether a signal has come.
  bool happened() const;
};

}  // namespace talkjsd::talkjsctl

#endif  // TALKJSD_TALKJSCTL_INTERRUPT_H_
