#include "daemon/base/error.h"

#include <gtest/gtest.h>

#include <type_traits>

#include "daemon/base/log.h"
#include "daemon/base/secret.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd {
namespace {

namespace v1 = talkjs::sidecar::v1;

TEST(Error, ReasonAndMetadataSurviveContext) {
  absl::Status status =
      MakeError(absl::StatusCode::kNotFound, v1::ERROR_REASON_USER_NOT_FOUND, "no such user");
  status = WithMetadata(WithMetadata(status, "user", "alice"), "user_count", "1");
  status = WithContext(status, "reading");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_USER_NOT_FOUND);
  EXPECT_EQ(MessageOf(status), "reading: no such user");
  EXPECT_EQ(MetadataOf(status),
            (std::map<std::string, std::string>{{"user", "alice"}, {"user_count", "1"}}));
}

TEST(Error, AStatusOfOthersHasNoReason) {
  EXPECT_EQ(ReasonOf(absl::NotFoundError("x")), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(ReasonOf(absl::OkStatus()), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_TRUE(MetadataOf(absl::NotFoundError("x")).empty());
}

// Whoever logs or prints a secret has to write Expose.
TEST(Secret, ConvertsToNothingThatCouldBePrinted) {
  EXPECT_FALSE((std::is_convertible_v<Secret, std::string>));
  EXPECT_FALSE((std::is_convertible_v<Secret, std::string_view>));
  EXPECT_FALSE((std::is_constructible_v<LogField, const char*, Secret>));
  EXPECT_FALSE((std::is_convertible_v<std::string, Secret>));
}

TEST(Secret, MovedFromAndAssignedSecretsHoldNothingOld) {
  Secret first("sk_test_a_rather_long_secret_that_is_on_the_heap");
  Secret second(std::move(first));
  EXPECT_TRUE(first.empty());
  EXPECT_EQ(second.Expose(), "sk_test_a_rather_long_secret_that_is_on_the_heap");
  second = Secret("other");
  EXPECT_EQ(second.Expose(), "other");
  const Secret& itself = second;
  second = itself;
  EXPECT_EQ(second.Expose(), "other");
}

}  // namespace
}  // namespace talkjsd
