// Requests of what is said to TalkJS as a session's user: users, conversations, messages, push.
#include <cmath>
#include <set>

#include "daemon/api/convert/field_checks.h"
#include "daemon/api/convert/validate.h"
#include "daemon/api/limits.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

template <typename Request>
absl::Status ValidateSession(const Request& request) {
  FieldErrors errors;
  CheckSessionId("session_id", request.session_id(), errors);
  return errors.ToStatus();
}

template <typename Request>
void CheckConversation(const Request& request, FieldErrors& errors) {
  CheckSessionId("session_id", request.session_id(), errors);
  CheckId("conversation_id", request.conversation_id(), errors);
}

template <typename Request>
absl::Status ValidateConversation(const Request& request) {
  FieldErrors errors;
  CheckConversation(request, errors);
  return errors.ToStatus();
}

// Both or neither; before everything else (session-api.md section 11).
template <typename Request>
absl::Status ValidatePush(const Request& request) {
  FieldErrors errors;
  if (request.has_provider() != request.has_push_registration_id()) {
    errors.Add(request.has_provider() ? "push_registration_id" : "provider",
               "must be given too: provider and push_registration_id, both or neither");
    return errors.ToStatus();
  }
  if (request.has_provider()) {
    v1::PushRegistration registration;
    registration.set_provider(request.provider());
    registration.set_push_registration_id(request.push_registration_id());
    CheckPushRegistration("", registration, errors);
  }
  CheckSessionId("session_id", request.session_id(), errors);
  return errors.ToStatus();
}

void CheckAttributes(const v1::ConversationAttributes& attributes, FieldErrors& errors) {
  constexpr std::string_view kField = "attributes";
  if (attributes.has_custom()) {
    CheckCustomUpdate(Path(kField, "custom"), attributes.custom(), errors);
  }
  const std::string welcome = Path(kField, "welcome_messages");
  const Strings& texts = attributes.welcome_messages().values();
  CheckCount(welcome, texts.size(), kMaxWelcomeMessages, errors);
  for (int i = 0; i < texts.size(); ++i) {
    CheckSize(Element(welcome, i), texts[i], 0, kMaxWelcomeMessageBytes, errors);
  }
  if (attributes.has_photo_url()) {
    CheckUrl(Path(kField, "photo_url"), attributes.photo_url(), errors);
  }
  CheckSize(Path(kField, "subject"), attributes.subject(), 0, kMaxSubjectBytes, errors);
  CheckNullFields(kField, attributes.null_fields(),
                  {{"custom", attributes.has_custom()},
                   {"welcome_messages", attributes.has_welcome_messages()},
                   {"photo_url", attributes.has_photo_url()},
                   {"subject", attributes.has_subject()}},
                  errors);
}

void CheckParticipants(const v1::GetConversationRequest& request, FieldErrors& errors) {
  // One more than that may be named: the session's user, which only the session knows.
  CheckCount("participants", request.participants_size(), kMaxOtherParticipants + 1, errors);
  std::set<std::string> seen;
  for (int i = 0; i < request.participants_size(); ++i) {
    const v1::Participant& participant = request.participants(i);
    const std::string field = Element("participants", i);
    if (!v1::Access_IsValid(participant.access())) {
      errors.Add(Path(field, "access"), "must be READ or READ_WRITE");
    }
    if (!v1::Notify_IsValid(participant.notify())) {
      errors.Add(Path(field, "notify"), "must be OFF, ON or MENTIONS_ONLY");
    }
    std::string id;
    switch (participant.participant_case()) {
      case v1::Participant::kUser:
        CheckUserAttributes(Path(field, "user"), participant.user(), errors);
        id = participant.user().id();
        break;
      case v1::Participant::kUserId:
        CheckId(Path(field, "user_id"), participant.user_id(), errors);
        id = participant.user_id();
        break;
      case v1::Participant::PARTICIPANT_NOT_SET:
        errors.Add(field, "needs user or user_id");
        continue;
    }
    if (!seen.insert(id).second) errors.Add(field, "names a user for the second time");
  }
}

void CheckText(std::string_view field, const v1::StringPredicate& predicate, bool may_be_null,
               FieldErrors& errors) {
  const std::string values = Path(field, "values");
  CheckCount(values, predicate.values_size(), kMaxPredicateValues, errors);
  for (int i = 0; i < predicate.values_size(); ++i) {
    CheckSize(Element(values, i), predicate.values(i), 0, kMaxCustomValueBytes, errors);
  }
  if (predicate.null_value() && !may_be_null) {
    errors.Add(Path(field, "null_value"), "is for subject only; this is never null");
  }
}

void CheckAccess(std::string_view field, const v1::StringPredicate& access, FieldErrors& errors) {
  CheckText(field, access, /*may_be_null=*/false, errors);
  for (int i = 0; i < access.values_size(); ++i) {
    if (access.values(i) != "ReadWrite" && access.values(i) != "Read") {
      errors.Add(Element(Path(field, "values"), i), "must be ReadWrite or Read");
    }
  }
}

void CheckSpan(std::string_view field, const v1::TimePredicate& span, FieldErrors& errors) {
  if (span.has_start_time()) CheckTime(Path(field, "start_time"), span.start_time(), errors);
  if (span.has_end_time()) CheckTime(Path(field, "end_time"), span.end_time(), errors);
  if (!span.has_start_time() && !span.has_end_time()) {
    errors.Add(field, "needs start_time, end_time or both");
  } else if (span.negated() && !(span.has_start_time() && span.has_end_time())) {
    errors.Add(Path(field, "negated"), "needs both start_time and end_time");
  }
}

void CheckMatch(std::string_view field, const v1::ConversationMatch& match, FieldErrors& errors) {
  if (match.has_access()) CheckAccess(Path(field, "access"), match.access(), errors);
  if (match.has_subject()) {
    CheckText(Path(field, "subject"), match.subject(), /*may_be_null=*/true, errors);
  }
  const std::string custom = Path(field, "custom");
  CheckCount(custom, match.custom_size(), kMaxFilterKeys, errors);
  for (const auto& [key, predicate] : match.custom()) {
    // Keys are the app's data: messages name none.
    if (key.empty() || key.size() > kMaxCustomKeyBytes) {
      errors.Add(custom, "has a key that is not 1 to 255 bytes long");
    }
    if (predicate.predicate_case() == v1::CustomPredicate::PREDICATE_NOT_SET) {
      errors.Add(custom, "has a key without predicate: set value or exists");
    } else if (predicate.has_value()) {
      CheckText(custom, predicate.value(), /*may_be_null=*/false, errors);
    }
  }
  if (match.has_last_message_time()) {
    CheckSpan(Path(field, "last_message_time"), match.last_message_time(), errors);
  }
  if (match.has_create_time()) {
    CheckSpan(Path(field, "create_time"), match.create_time(), errors);
  }
  if (match.has_join_time()) CheckSpan(Path(field, "join_time"), match.join_time(), errors);
}

}  // namespace

absl::Status Validate(const v1::HasValidCredentialsRequest& request) {
  return ValidateSession(request);
}

absl::Status Validate(const v1::SetPushRegistrationRequest& request) {
  return ValidatePush(request);
}

absl::Status Validate(const v1::UnsetPushRegistrationRequest& request) {
  return ValidatePush(request);
}

absl::Status Validate(const v1::ClearPushRegistrationsRequest& request) {
  return ValidateSession(request);
}

absl::Status Validate(const v1::GetUserRequest& request) {
  FieldErrors errors;
  CheckSessionId("session_id", request.session_id(), errors);
  CheckUserAttributes("user", request.user(), errors);
  return errors.ToStatus();
}

absl::Status Validate(const v1::GetUserByIdRequest& request) {
  FieldErrors errors;
  CheckSessionId("session_id", request.session_id(), errors);
  CheckId("user_id", request.user_id(), errors);
  return errors.ToStatus();
}

absl::Status Validate(const v1::GetConversationRequest& request) {
  FieldErrors errors;
  CheckConversation(request, errors);
  if (request.has_attributes()) CheckAttributes(request.attributes(), errors);
  CheckParticipants(request, errors);
  return errors.ToStatus();
}

absl::Status Validate(const v1::ListConversationsRequest& request) {
  FieldErrors errors;
  CheckSessionId("session_id", request.session_id(), errors);
  CheckPage(request.page_size(), kConversationPage, request.page_token(), errors);
  CheckCount("filter.any", request.filter().any_size(), kMaxFilterAlternatives, errors);
  for (int i = 0; i < request.filter().any_size(); ++i) {
    CheckMatch(Element("filter.any", i), request.filter().any(i), errors);
  }
  return errors.ToStatus();
}

absl::Status Validate(const v1::MarkConversationReadRequest& request) {
  return ValidateConversation(request);
}

absl::Status Validate(const v1::MarkConversationUnreadRequest& request) {
  return ValidateConversation(request);
}

absl::Status Validate(const v1::SendMessageRequest& request) {
  FieldErrors errors;
  CheckSessionId("session_id", request.session_id(), errors);
  CheckId("conversation_id", request.conversation_id(), errors);
  switch (request.content_case()) {
    case v1::SendMessageRequest::kText: {
      const size_t characters = CountCharacters(request.text());
      if (characters < 1 || characters > kMaxTextCharacters) {
        errors.Add("text", "must be 1 to 10000 characters; it has " + std::to_string(characters));
      }
      break;
    }
    case v1::SendMessageRequest::kLocation:
      // Written so that NaN fails.
      if (!(std::abs(request.location().latitude()) <= 90)) {
        errors.Add("location.latitude", "must be -90 to 90 degrees");
      }
      if (!(std::abs(request.location().longitude()) <= 180)) {
        errors.Add("location.longitude", "must be -180 to 180 degrees");
      }
      break;
    case v1::SendMessageRequest::kFileToken:
      CheckSize("file_token", request.file_token(), 1, kMaxFileTokenBytes, errors);
      break;
    case v1::SendMessageRequest::CONTENT_NOT_SET:
      errors.Add("content", "is required: set text, location or file_token");
      break;
  }
  CheckCustomData("custom", request.custom(), errors);
  if (request.has_referenced_message_id()) {
    CheckId("referenced_message_id", request.referenced_message_id(), errors);
  }
  CheckSize("request_id", request.request_id(), 0, kMaxRequestIdBytes, errors);
  return errors.ToStatus();
}

absl::Status Validate(const v1::ListMessagesRequest& request) {
  FieldErrors errors;
  CheckConversation(request, errors);
  CheckPage(request.page_size(), kMessagePage, request.page_token(), errors);
  return errors.ToStatus();
}

}  // namespace talkjsd::api
