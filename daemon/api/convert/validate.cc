#include "daemon/api/convert/validate.h"

#include <algorithm>

#include "daemon/api/convert/credentials.h"
#include "daemon/api/convert/field_checks.h"
#include "daemon/api/limits.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

void CheckSessionIds(const google::protobuf::RepeatedPtrField<std::string>& ids,
                     FieldErrors& errors) {
  CheckCount("session_ids", ids.size(), kMaxSelectedIds, errors);
  for (int i = 0; i < ids.size(); ++i) {
    CheckSessionId(Element("session_ids", i), ids[i], errors);
  }
}

void CheckRequestId(const std::string& id, FieldErrors& errors) {
  CheckSize("request_id", id, 0, kMaxRequestIdBytes, errors);
}

void CheckSubscriptionName(std::string_view field, const std::string& name, FieldErrors& errors) {
  CheckSize(field, name, 1, kMaxSubscriptionNameBytes, errors);
  const auto allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("._:/-").find(c) != std::string_view::npos;
  };
  if (!std::all_of(name.begin(), name.end(), allowed)) {
    errors.Add(field, "must consist of A-Z a-z 0-9 . _ : / -");
  }
}

}  // namespace

absl::Status Validate(const v1::CreateSessionRequest& request) {
  FieldErrors errors;
  CheckAppId("app_id", request.app_id(), errors);
  switch (request.me_case()) {
    case v1::CreateSessionRequest::kUser:
      CheckUserAttributes("user", request.user(), errors);
      break;
    case v1::CreateSessionRequest::kUserId:
      CheckId("user_id", request.user_id(), errors);
      break;
    case v1::CreateSessionRequest::ME_NOT_SET:
      break;
  }
  CheckCredentials(request, errors);
  if (request.has_device_token()) {
    CheckPushRegistration("device_token", request.device_token(), errors);
  } else if (request.enable_push_notifications()) {
    errors.Add("device_token", "is required with enable_push_notifications: which device?");
  }
  CheckRequestId(request.request_id(), errors);
  return errors.ToStatus();
}

absl::Status Validate(const v1::GetSessionRequest& request) {
  FieldErrors errors;
  CheckSessionId("session_id", request.session_id(), errors);
  return errors.ToStatus();
}

absl::Status Validate(const v1::DestroySessionRequest& request) {
  FieldErrors errors;
  CheckSessionId("session_id", request.session_id(), errors);
  return errors.ToStatus();
}

absl::Status Validate(const v1::ListSessionsRequest& request) {
  FieldErrors errors;
  if (!request.app_id().empty()) CheckAppId("app_id", request.app_id(), errors);
  if (!request.user_id().empty()) CheckId("user_id", request.user_id(), errors);
  CheckCount("states", request.states_size(), kMaxSelectedKinds, errors);
  for (int i = 0; i < request.states_size(); ++i) {
    if (request.states(i) == v1::SESSION_STATE_UNSPECIFIED ||
        !v1::SessionState_IsValid(request.states(i))) {
      errors.Add(Element("states", i), "must be a state of a session");
    }
  }
  CheckPage(request.page_size(), kDefaultPageSize, request.page_token(), errors);
  return errors.ToStatus();
}

absl::Status Validate(const v1::WatchSessionsRequest& request) {
  FieldErrors errors;
  CheckSessionIds(request.session_ids(), errors);
  if (!request.app_id().empty()) CheckAppId("app_id", request.app_id(), errors);
  return errors.ToStatus();
}

absl::Status Validate(const v1::StreamMessagesRequest& request) {
  FieldErrors errors;
  CheckSessionIds(request.session_ids(), errors);
  CheckCount("conversation_ids", request.conversation_ids_size(), kMaxSelectedIds, errors);
  for (int i = 0; i < request.conversation_ids_size(); ++i) {
    CheckId(Element("conversation_ids", i), request.conversation_ids(i), errors);
  }
  CheckCount("kinds", request.kinds_size(), kMaxSelectedKinds, errors);
  for (int i = 0; i < request.kinds_size(); ++i) {
    if (request.kinds(i) == v1::MESSAGE_EVENT_KIND_UNSPECIFIED ||
        !v1::MessageEventKind_IsValid(request.kinds(i))) {
      errors.Add(Element("kinds", i), "must be SENT, EDITED, DELETED or SESSION_STATE");
    }
  }
  if (request.has_subscription()) {
    CheckSubscriptionName("subscription.name", request.subscription().name(), errors);
    CheckSize("subscription.replaces_stream_id", request.subscription().replaces_stream_id(), 0,
              kMaxStreamIdBytes, errors);
  }
  if (!v1::OnGap_IsValid(request.on_gap())) errors.Add("on_gap", "must be FAIL or CONTINUE");
  if (request.start_case() == v1::StreamMessagesRequest::kFromTime) {
    CheckTime("from_time", request.from_time(), errors);
  }
  return errors.ToStatus();
}

absl::Status Validate(const v1::AcknowledgeRequest& request) {
  FieldErrors errors;
  CheckSubscriptionName("name", request.name(), errors);
  CheckSize("stream_id", request.stream_id(), 1, kMaxStreamIdBytes, errors);
  return errors.ToStatus();
}

absl::Status Validate(const v1::ListSubscriptionsRequest& request) {
  FieldErrors errors;
  CheckPage(request.page_size(), kDefaultPageSize, request.page_token(), errors);
  return errors.ToStatus();
}

absl::Status Validate(const v1::DeleteSubscriptionRequest& request) {
  FieldErrors errors;
  CheckSubscriptionName("name", request.name(), errors);
  return errors.ToStatus();
}

absl::Status Validate(const v1::StreamUnreadsRequest& request) {
  FieldErrors errors;
  CheckSessionIds(request.session_ids(), errors);
  return errors.ToStatus();
}

}  // namespace talkjsd::api
