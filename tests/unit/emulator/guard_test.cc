// What the emulator refuses to be started as.
#include <gmock/gmock.h>

#include "daemon/emulator/emulator.h"

namespace talkjsd::emulator {
namespace {

using testing::HasSubstr;

// Empty: it started.
std::string ErrorOf(Emulator::Options options) {
  Emulator emulator(std::move(options));
  const absl::Status status = emulator.Start();
  EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

TEST(GuardTest, KeysThatLookLiveAreRefusedAndNotRepeated) {
  const std::string error = ErrorOf({.secret_key = Secret("sk_live_abcdef")});
  EXPECT_THAT(error, HasSubstr("refuses keys that start with sk_live_"));
  EXPECT_THAT(error, Not(HasSubstr("abcdef")));
  EXPECT_EQ(ErrorOf({.secret_key = Secret("sk_test_abcdef")}), "");
  EXPECT_NE(ErrorOf({.secret_key = Secret("")}), "");
}

TEST(GuardTest, OnlyLoopbackUnlessToldInAsManyWords) {
  for (const char* host : {"0.0.0.0", "::", "192.0.2.1", "example.com"}) {
    EXPECT_THAT(ErrorOf({.host = host}), HasSubstr("loopback only")) << host;
  }
  EXPECT_EQ(ErrorOf({.host = "127.0.0.1"}), "");
  EXPECT_EQ(ErrorOf({.host = "0.0.0.0", .allow_remote_clients = true}), "");
}

}  // namespace
}  // namespace talkjsd::emulator
