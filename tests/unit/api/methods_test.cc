// The table of methods against the protos: complete, and nothing too much.
#include "daemon/api/access/methods.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "talkjs/sidecar/v1/conversation_service.pb.h"
#include "talkjs/sidecar/v1/daemon_service.pb.h"
#include "talkjs/sidecar/v1/event_service.pb.h"
#include "talkjs/sidecar/v1/message_service.pb.h"
#include "talkjs/sidecar/v1/session_service.pb.h"
#include "talkjs/sidecar/v1/user_service.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

// Every method of the API, by the name of its request's type.
std::map<std::string, const google::protobuf::MethodDescriptor*> ProtoMethods() {
  std::map<std::string, const google::protobuf::MethodDescriptor*> methods;
  for (const google::protobuf::FileDescriptor* file :
       {v1::CreateSessionRequest::descriptor()->file(), v1::GetUserRequest::descriptor()->file(),
        v1::GetConversationRequest::descriptor()->file(),
        v1::SendMessageRequest::descriptor()->file(),
        v1::StreamMessagesRequest::descriptor()->file(),
        v1::GetInfoRequest::descriptor()->file()}) {
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        const auto* method = file->service(s)->method(m);
        EXPECT_TRUE(methods.emplace(method->input_type()->name(), method).second)
            << method->full_name() << " shares its request with another method";
      }
    }
  }
  return methods;
}

TEST(MethodsTest, EveryMethodOfTheApiHasAnEntry) {
  std::map<std::string, const Method*> table;
  for (const Method& method : AllMethods()) {
    EXPECT_TRUE(table.emplace(std::string(method.name) + "Request", &method).second)
        << method.name << " is there twice";
  }
  const auto protos = ProtoMethods();
  EXPECT_GT(protos.size(), 25u);
  for (const auto& [request, method] : protos) {
    ASSERT_TRUE(table.count(request) > 0)
        << method->full_name() << " has no entry in daemon/api/access/methods.cc: who may call it?";
    const Method& entry = *table[request];
    EXPECT_EQ(entry.service, method->service()->name()) << method->full_name();
    EXPECT_EQ(entry.is_stream, method->server_streaming()) << method->full_name();
    table.erase(request);
  }
  for (const auto& [request, entry] : table) ADD_FAILURE() << entry->name << " is no method";
}

TEST(MethodsTest, WhatReadsIsNamedSo) {
  // What a read-only policy lets through: to be looked at by whoever adds to it.
  std::vector<std::string> reads;
  for (const Method& method : AllMethods()) {
    if (method.right == Right::kRead) reads.emplace_back(method.name);
  }
  EXPECT_THAT(reads, testing::UnorderedElementsAre(
                         "GetSession", "ListSessions", "WatchSessions", "HasValidCredentials",
                         "GetUserById", "GetConversation", "ListConversations", "ListMessages",
                         "StreamMessages", "StreamUnreads", "ListSubscriptions", "GetInfo"));
}

TEST(MethodsTest, EveryRequestThatIsNotOfTheWholeDaemonNamesItsSessions) {
  // Others are looked at by admit.cc, or filtered by their handlers.
  const std::set<std::string> without = {
      "CreateSessionRequest", "ListSessionsRequest",      "ProvideTokensRequest",
      "AcknowledgeRequest",   "ListSubscriptionsRequest", "DeleteSubscriptionRequest",
      "GetInfoRequest"};
  for (const auto& [request, method] : ProtoMethods()) {
    const auto* type = method->input_type();
    const bool names = type->FindFieldByName("session_id") != nullptr ||
                       type->FindFieldByName("session_ids") != nullptr;
    EXPECT_EQ(names, without.count(request) == 0) << request;
  }
}

}  // namespace
}  // namespace talkjsd::api
