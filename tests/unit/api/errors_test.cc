#include "daemon/api/errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

template <typename Detail>
std::optional<Detail> Find(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  Detail found;
  for (const auto& any : details.details()) {
    if (any.UnpackTo(&found)) return found;
  }
  return std::nullopt;
}

TEST(ErrorsTest, OkStaysOk) { EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok()); }

TEST(ErrorsTest, CarriesCodeMessageReasonDomainAndMetadata) {
  const grpc::Status status = ToGrpcStatus(
      WithMetadata(MakeError(absl::StatusCode::kNotFound, v1::ERROR_REASON_SESSION_NOT_FOUND,
                             "no such session; create it"),
                   "session_id", "ses_1"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "no such session; create it");
  const auto info = Find<google::rpc::ErrorInfo>(status);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->reason(), "SESSION_NOT_FOUND");
  EXPECT_EQ(info->domain(), "talkjs.sidecar");
  EXPECT_EQ(info->metadata().at("session_id"), "ses_1");
  EXPECT_FALSE(Find<google::rpc::RetryInfo>(status).has_value());
}

TEST(ErrorsTest, MetadataSurvivesContext) {
  const absl::Status status =
      WithContext(WithMetadata(Draining(), "limit", "max_streams"), "opening");
  EXPECT_THAT(MetadataOf(status), testing::ElementsAre(testing::Pair("limit", "max_streams")));
}

TEST(ErrorsTest, ErrorsWorthARetrySayWhen) {
  for (const absl::Status& status :
       {Draining(), LimitExceeded("max_streams", "too many"),
        MakeError(absl::StatusCode::kUnavailable, v1::ERROR_REASON_UPSTREAM_UNAVAILABLE, "gone"),
        MakeError(absl::StatusCode::kDeadlineExceeded, v1::ERROR_REASON_UPSTREAM_TIMEOUT, "slow"),
        MakeError(absl::StatusCode::kResourceExhausted, v1::ERROR_REASON_UPSTREAM_RATE_LIMITED,
                  "fast")}) {
    const auto retry = Find<google::rpc::RetryInfo>(ToGrpcStatus(status));
    ASSERT_TRUE(retry.has_value()) << status;
    EXPECT_GE(retry->retry_delay().seconds(), 1) << status;
  }
}

TEST(ErrorsTest, AllWrongFieldsAreNamedAtOnce) {
  FieldErrors errors;
  errors.Add("app_id", "is required: 1 to 64 bytes");
  errors.Add("user.id", "must not contain NUL");
  const grpc::Status status = ToGrpcStatus(errors.ToStatus());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  const auto bad = Find<google::rpc::BadRequest>(status);
  ASSERT_TRUE(bad.has_value());
  ASSERT_EQ(bad->field_violations_size(), 2);
  EXPECT_EQ(bad->field_violations(0).field(), "app_id");
  EXPECT_EQ(bad->field_violations(1).description(), "must not contain NUL");
  EXPECT_EQ(Find<google::rpc::ErrorInfo>(status)->reason(), "INVALID_FIELD");
}

TEST(ErrorsTest, WhatCannotBeExplainedIsInternalAndHidesItsText) {
  const grpc::Status status = ToGrpcStatus(absl::UnknownError("disk /dev/sda on fire"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(Find<google::rpc::ErrorInfo>(status)->reason(), "INTERNAL");
  EXPECT_EQ(status.error_message().find("sda"), std::string::npos);
}

TEST(ErrorsTest, TrailersStaySmallAndUtf8WhateverTheUpstreamSays) {
  std::string words;
  while (words.size() < 20'000) words += "ä€😀";
  FieldErrors errors;
  for (int i = 0; i < 1000; ++i) errors.Add("session_ids[" + std::to_string(i) + "]", words);
  for (const absl::Status& error :
       {errors.ToStatus(),
        MakeError(absl::StatusCode::kInvalidArgument, v1::ERROR_REASON_UPSTREAM_REFUSED, words)}) {
    const grpc::Status status = ToGrpcStatus(error);
    EXPECT_LT(status.error_message().size() * 3 + status.error_details().size() * 4 / 3, 8000);
    google::rpc::Status details;
    EXPECT_TRUE(details.ParseFromString(status.error_details())) << "UTF-8 was cut";
  }
}

}  // namespace
}  // namespace talkjsd::api
