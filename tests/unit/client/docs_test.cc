// The guide and the manual are complete.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>

#include "talkjs/sidecar/v1/errors.pb.h"
#include "talkjs/sidecar/v1/types.pb.h"

namespace talkjsd::client {
namespace {

using ::testing::HasSubstr;

std::string Document(const std::string& name) {
  std::ostringstream content;
  content << std::ifstream(TALKJSD_TEST_DATA "/../../docs/" + name).rdbuf();
  return content.str();
}

std::string Help(const std::string& command) {
  std::string out;
  std::FILE* pipe = popen((TALKJSCTL_PATH " " + command + " --help").c_str(), "r");
  std::array<char, 4096> buffer;
  size_t size = 0;
  while ((size = fread(buffer.data(), 1, buffer.size(), pipe)) > 0) out.append(buffer.data(), size);
  pclose(pipe);
  return out;
}

TEST(DocsTest, TheGuideExplainsEveryReasonAndState) {
  const std::string guide = Document("api.md");
  const auto* reasons = talkjs::sidecar::v1::ErrorReason_descriptor();
  for (int i = 1; i < reasons->value_count(); ++i) {
    const std::string name = reasons->value(i)->name().substr(sizeof("ERROR_REASON_") - 1);
    EXPECT_THAT(guide, HasSubstr("| `" + name + "` |"));
  }
  const auto* states = talkjs::sidecar::v1::SessionState_descriptor();
  for (int i = 1; i < states->value_count(); ++i) {
    const std::string name = states->value(i)->name().substr(sizeof("SESSION_STATE_") - 1);
    EXPECT_THAT(guide, HasSubstr("| `" + name + "` |"));
  }
}

TEST(DocsTest, TheManualHasEveryOptionOfEveryCommand) {
  const std::string manual = Document("talkjsctl.md");
  const std::regex option("--[a-z][a-z-]+");
  for (const char* command : {"",
                              "session create",
                              "session list",
                              "session show",
                              "session watch",
                              "session destroy",
                              "session set-me",
                              "session set-token",
                              "token provide",
                              "session valid",
                              "user get",
                              "conversation get",
                              "conversation create",
                              "conversation list",
                              "conversation read",
                              "conversation unread",
                              "message list",
                              "message send",
                              "push set",
                              "push unset",
                              "push clear",
                              "one-on-one-id",
                              "send",
                              "messages",
                              "unreads",
                              "status",
                              "health",
                              "emulator reset",
                              "emulator seed",
                              "emulator snapshot",
                              "emulator restore",
                              "emulator exec",
                              "journal inspect",
                              "journal verify",
                              "subscription list",
                              "subscription delete"}) {
    const std::string help = Help(command);
    ASSERT_THAT(help, HasSubstr("Usage:")) << command;
    for (auto it = std::sregex_iterator(help.begin(), help.end(), option);
         it != std::sregex_iterator(); ++it) {
      EXPECT_THAT(manual, HasSubstr("`" + it->str())) << command;
    }
  }
}

}  // namespace
}  // namespace talkjsd::client
