// The control endpoint of an emulator, as talkjsctl calls it.
#ifndef TALKJSD_TALKJSCTL_EMULATOR_HTTP_H_
#define TALKJSD_TALKJSCTL_EMULATOR_HTTP_H_

#include <google/protobuf/struct.pb.h>

#include <chrono>
#include <string>
#include <string_view>

namespace talkjsd::talkjsctl {

struct ControlAnswer {
  bool ok = false;
  bool unreachable = false;  // nothing answers there
  std::string code;          // what was refused: its errorCode, or what went wrong
  std::string message;
  std::string text;               // the answer as it came
  google::protobuf::Struct json;  // the same, where it is an object
};

// The emulator's address: `given`, else $TALKJS_HOST, else 127.0.0.1:7070.
std::string EmulatorAddress(const std::string& given);

// One request to /_emulator/v1/PATH. `body` is JSON, or empty for none. Blocks.
ControlAnswer CallControl(const std::string& address, const std::string& method,
                          const std::string& path, const std::string& body,
                          std::chrono::milliseconds timeout);

// As one line of JSON.
std::string ToJsonText(const google::protobuf::Struct& object);

// A string's characters; the JSON text of anything else.
std::string Show(const google::protobuf::Value& value);

}  // namespace talkjsd::talkjsctl

#endif  // TALKJSD_TALKJSCTL_EMULATOR_HTTP_H_
