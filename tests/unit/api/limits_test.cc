// Every field of every request has its limits: found by descriptor, so that a new field cannot be
// forgotten. The limits themselves: validate_test.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

#include "daemon/api/convert/validate.h"
#include "daemon/api/errors.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace talkjsd::api {
namespace {

namespace pb = google::protobuf;
namespace v1 = talkjs::sidecar::v1;

// A request that is fine, for a field at a time to be made wrong in it.
struct Fine {
  std::shared_ptr<pb::Message> request;
  std::function<absl::Status(const pb::Message&)> validate;
};

template <typename Request>
void Enter(std::map<std::string, Fine>& all, const std::string& text) {
  auto request = std::make_shared<Request>();
  EXPECT_TRUE(pb::TextFormat::ParseFromString(text, request.get())) << text;
  EXPECT_TRUE(Validate(*request).ok()) << Validate(*request);
  all[request->GetDescriptor()->name()] = {request, [](const pb::Message& message) {
                                             return Validate(dynamic_cast<const Request&>(message));
                                           }};
}

const std::map<std::string, Fine>& AllRequests() {
  static const std::map<std::string, Fine>* const kAll = [] {
    auto* all = new std::map<std::string, Fine>();
    const std::string session = "session_id: 's' ";
    const std::string conversation = session + "conversation_id: 'c' ";
    const std::string user = "user { id: 'u' name: 'U' } ";
    Enter<v1::CreateSessionRequest>(*all, "app_id: 'a' " + user);
    Enter<v1::GetSessionRequest>(*all, session);
    Enter<v1::ListSessionsRequest>(*all, "");
    Enter<v1::WatchSessionsRequest>(*all, "");
    Enter<v1::DestroySessionRequest>(*all, session);
    Enter<v1::SetMeRequest>(*all, session + user);
    Enter<v1::SetTokenRequest>(*all, session + "token: 't'");
    Enter<v1::ProvideTokensRequest>(*all, "registration {}");
    Enter<v1::HasValidCredentialsRequest>(*all, session);
    const std::string device = "provider: PUSH_PROVIDER_FCM push_registration_id: 'x'";
    Enter<v1::SetPushRegistrationRequest>(*all, session + device);
    Enter<v1::UnsetPushRegistrationRequest>(*all, session + device);
    Enter<v1::ClearPushRegistrationsRequest>(*all, session);
    Enter<v1::GetUserRequest>(*all, session + user);
    Enter<v1::GetUserByIdRequest>(*all, session + "user_id: 'u'");
    Enter<v1::GetConversationRequest>(*all, conversation);
    Enter<v1::ListConversationsRequest>(*all, session);
    Enter<v1::MarkConversationReadRequest>(*all, conversation);
    Enter<v1::MarkConversationUnreadRequest>(*all, conversation);
    Enter<v1::SendMessageRequest>(*all, conversation + "text: 't'");
    Enter<v1::ListMessagesRequest>(*all, conversation);
    Enter<v1::StreamMessagesRequest>(*all, "");
    Enter<v1::StreamUnreadsRequest>(*all, "");
    Enter<v1::AcknowledgeRequest>(*all, "name: 'n' stream_id: 's'");
    Enter<v1::ListSubscriptionsRequest>(*all, "");
    Enter<v1::DeleteSubscriptionRequest>(*all, "name: 'n'");
    Enter<v1::GetInfoRequest>(*all, "");
    return all;
  }();
  return *kAll;
}

// What is checked elsewhere, with a reason of its own.
const std::set<std::string> kElsewhere = {
    "CreateSessionRequest.signature",  // CREDENTIALS_INVALID (check_test)
    "AcknowledgeRequest.cursor",       // CURSOR_MALFORMED (subscriptions_test)
    "StreamMessagesRequest.cursor",    // CURSOR_MALFORMED (message_stream_test)
    // A rejection, TOKEN_FETCH_TOO_LARGE; and what is shown is cut (token_broker_test).
    "ProvideTokensRequest.answer.token",
    "ProvideTokensRequest.answer.failure",
};

// "user.email[0]" -> "user.email".
std::string WithoutIndexes(std::string field) {
  for (size_t at = field.find('['); at != std::string::npos; at = field.find('[')) {
    field.erase(at, field.find(']', at) + 1 - at);
  }
  return field;
}

// The fields that BadRequest names.
std::set<std::string> Violations(const absl::Status& status) {
  std::set<std::string> fields;
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(ToGrpcStatus(status).error_details()));
  google::rpc::BadRequest bad;
  for (const auto& any : details.details()) {
    if (!any.UnpackTo(&bad)) continue;
    for (const auto& violation : bad.field_violations()) {
      fields.insert(WithoutIndexes(violation.field()));
    }
  }
  return fields;
}

// Walks over the fields below a message and makes each of them wrong, one at a time.
class Walk {
 public:
  // `root` is the whole, `path` leads to `at` in it; the fields of `at` are next.
  using Reach = std::function<pb::Message*(pb::Message& root)>;

  Walk(const std::string& name, const Fine& fine) : name_(name), fine_(fine) {}

  void Fields(const pb::Descriptor& type, const std::string& path, const Reach& reach) {
    for (int i = 0; i < type.field_count(); ++i) {
      const pb::FieldDescriptor& field = *type.field(i);
      const std::string name = path.empty() ? field.name() : path + "." + field.name();
      if (kElsewhere.count(name_ + "." + name) != 0) continue;
      if (field.is_map()) {
        Map(field, name, reach);
      } else if (field.type() == pb::FieldDescriptor::TYPE_MESSAGE) {
        Message(field, name, reach);
      } else {
        Scalar(field, name, reach);
      }
    }
  }
  int checked() const { return checked_; }

 private:
  using Spoil = std::function<void(pb::Message& at)>;

  // `field` as errors name it.
  void Expect(const std::string& field, const Reach& reach, const Spoil& spoil) {
    const std::unique_ptr<pb::Message> request(fine_.request->New());
    request->CopyFrom(*fine_.request);
    spoil(*reach(*request));
    const std::set<std::string> named = Violations(fine_.validate(*request));
    EXPECT_TRUE(named.count(field) != 0) << name_ << " without a limit for " << field
                                         << "; named: " << testing::PrintToString(named);
    ++checked_;
  }

  void Scalar(const pb::FieldDescriptor& field, const std::string& name, const Reach& reach) {
    // The list in a StringList is named by the field that is one.
    const bool is_list = field.containing_type()->name() == "StringList";
    const std::string shown = is_list ? name.substr(0, name.rfind('.')) : name;
    const auto set = [&field](pb::Message& at, int times, const std::string& text, int number) {
      const pb::Reflection& to = *at.GetReflection();
      for (int i = 0; i < times; ++i) {
        const bool many = field.is_repeated();
        if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_STRING) {
          many ? to.AddString(&at, &field, text) : to.SetString(&at, &field, text);
        } else if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_ENUM) {
          many ? to.AddEnumValue(&at, &field, number) : to.SetEnumValue(&at, &field, number);
        } else if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_INT32) {
          to.SetInt32(&at, &field, number);
        } else {
          to.SetDouble(&at, &field, number);
        }
      }
    };
    if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_BOOL) return;
    Expect(shown, reach,
           [&](pb::Message& at) { set(at, 1, std::string(1'000'000, 'x'), -1'000'000); });
    if (!field.is_repeated()) return;
    Expect(shown, reach, [&](pb::Message& at) { set(at, 2000, "x", 1); });
  }

  void Map(const pb::FieldDescriptor& field, const std::string& name, const Reach& reach) {
    const pb::FieldDescriptor& key = *field.message_type()->map_key();
    const pb::FieldDescriptor& value = *field.message_type()->map_value();
    const auto add = [&](pb::Message& at, const std::string& key_text, size_t value_size) {
      pb::Message& entry = *at.GetReflection()->AddMessage(&at, &field);
      entry.GetReflection()->SetString(&entry, &key, key_text);
      if (value.cpp_type() == pb::FieldDescriptor::CPPTYPE_STRING) {
        entry.GetReflection()->SetString(&entry, &value, std::string(value_size, 'x'));
      }
    };
    Expect(name, reach, [&](pb::Message& at) { add(at, std::string(1'000'000, 'k'), 1); });
    Expect(name, reach, [&](pb::Message& at) {
      for (int i = 0; i < 2000; ++i) add(at, "k" + std::to_string(i), 1);
    });
    if (value.cpp_type() == pb::FieldDescriptor::CPPTYPE_STRING) {
      Expect(name, reach, [&](pb::Message& at) { add(at, "k", 1'000'000); });
    }
  }

  void Message(const pb::FieldDescriptor& field, const std::string& name, const Reach& reach) {
    const std::string& type = field.message_type()->full_name();
    const auto add = [&field](pb::Message& at) {
      const pb::Reflection& to = *at.GetReflection();
      return field.is_repeated() ? to.AddMessage(&at, &field) : to.MutableMessage(&at, &field);
    };
    if (field.is_repeated()) {
      Expect(name, reach, [&](pb::Message& at) {
        for (int i = 0; i < 2000; ++i) add(at);
      });
    }
    if (type == "google.protobuf.Timestamp" || type == "google.protobuf.Duration") {
      Expect(name, reach, [&](pb::Message& at) {
        pb::Message& time = *add(at);
        const pb::FieldDescriptor* nanos = time.GetDescriptor()->FindFieldByName("nanos");
        time.GetReflection()->SetInt32(&time, nanos, -1);
      });
      return;
    }
    Fields(*field.message_type(), name, [&](pb::Message& root) { return add(*reach(root)); });
  }

  const std::string name_;
  const Fine& fine_;
  int checked_ = 0;
};

TEST(LimitsTest, EveryFieldOfEveryRequestHasOneAndIsNamedInBadRequest) {
  int checked = 0;
  for (const auto& [name, fine] : AllRequests()) {
    Walk walk(name, fine);
    walk.Fields(*fine.request->GetDescriptor(), "", [](pb::Message& root) { return &root; });
    checked += walk.checked();
  }
  EXPECT_GT(checked, 150);
}

TEST(LimitsTest, EveryMethodIsLookedAt) {
  std::set<std::string> requests;
  for (const char* service : {"Session", "User", "Conversation", "Message", "Event", "Daemon"}) {
    const std::string name = std::string("talkjs.sidecar.v1.") + service + "Service";
    const pb::ServiceDescriptor* found =
        pb::DescriptorPool::generated_pool()->FindServiceByName(name);
    ASSERT_NE(found, nullptr) << name;
    for (int i = 0; i < found->method_count(); ++i) {
      requests.insert(found->method(i)->input_type()->name());
    }
  }
  std::set<std::string> looked_at;
  for (const auto& [name, fine] : AllRequests()) looked_at.insert(name);
  EXPECT_EQ(looked_at, requests);
}

}  // namespace
}  // namespace talkjsd::api
