// talkjsctl: the daemon from the command line. docs/talkjsctl.md is its manual.
#ifndef TALKJSD_TALKJSCTL_APP_H_
#define TALKJSD_TALKJSCTL_APP_H_

namespace talkjsd::talkjsctl {

// Runs the program and returns its exit code (commands.h). Call it once, from main(), before any
// thread is started: it blocks SIGINT and SIGTERM for the process and waits for them on a thread
// of its own.
int Run(int argc, char** argv);

}  // namespace talkjsd::talkjsctl

#endif  // TALKJSD_TALKJSCTL_APP_H_
