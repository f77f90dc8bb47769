// What the operator can set: flags, environment variables and the file, checked.
#ifndef TALKJSD_CONFIG_CONFIG_H_
#define TALKJSD_CONFIG_CONFIG_H_

#include <absl/status/statusor.h>
#include <google/protobuf/duration.pb.h>

#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/secret.h"
#include "daemon/config/flags.h"
#include "daemon/config/system.h"
#include "talkjs/sidecar/config/v1/config.pb.h"

namespace talkjsd::config {

// Checked: every value makes sense by itself and beside the others.
struct Config {
  Action action = Action::kRun;
  std::string file;  // empty: none
  // As the proto's comments say; what has a default has it here, "${VARIABLE}" is replaced.
  talkjs::sidecar::config::v1::Config values;
  Secret emulator_secret_key{"sk_test_demo"};
  // "user:password" of upstream.proxy_credentials_file or of the environment's proxy; empty: none.
  Secret proxy_credentials;
};

// Takes proxies from the environment (https_proxy, no_proxy, and in capitals) where the file names
// none; as with curl, small letters win. Flags win over environment variables, these over the file,
// the file over defaults. INVALID_ARGUMENT with a line for each problem: "FILE:12: limits.sessions:
// must be ...". Reads the file, the emulator's secret key and the proxy's credentials; with
// --check-config it also looks at all other files that are named. Touches nothing else.
absl::StatusOr<Config> Load(const std::vector<std::string>& arguments, const System& system);

Duration ToDuration(const google::protobuf::Duration& duration);
LogLevel ToLogLevel(talkjs::sidecar::config::v1::LogLevel level);
LogFormat ToLogFormat(talkjs::sidecar::config::v1::LogFormat format);

// A file's text without white space around it. An error names the file, never what is in it.
absl::StatusOr<Secret> ReadSecretFile(const std::string& path);

}  // namespace talkjsd::config

#endif  // TALKJSD_CONFIG_CONFIG_H_
