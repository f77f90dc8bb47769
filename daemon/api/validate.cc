#include "daemon/api/validate.h"

#include <algorithm>
#include <cmath>

#include "daemon/api/limits.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

// The first and the last second of a google.protobuf.Timestamp: years 1 and 9999.
constexpr int64_t kFirstSecond = -62'135'596'800;
constexpr int64_t kLastSecond = 253'402'300'799;
constexpr int32_t kMaxNanos = 999'999'999;

std::string Path(std::string_view parent, std::string_view field) {
  return parent.empty() ? std::string(field) : std::string(parent).append(".").append(field);
}

std::string Element(std::string_view field, int index) {
  return std::string(field).append("[").append(std::to_string(index)).append("]");
}

void CheckCount(std::string_view field, size_t count, size_t max, FieldErrors& errors) {
  if (count <= max) return;
  errors.Add(field, "must have at most " + std::to_string(max) + " entries; it has " +
                        std::to_string(count));
}

// Keys are the app's data: messages name none.
template <typename Map>
void CheckCustomMap(std::string_view field, const Map& custom, FieldErrors& errors) {
  CheckCount(field, custom.size(), kMaxCustomKeys, errors);
  const auto bad_key = [](const auto& entry) {
    return entry.first.empty() || entry.first.size() > kMaxCustomKeyBytes;
  };
  if (std::any_of(custom.begin(), custom.end(), bad_key)) {
    errors.Add(field, "has a key that is not 1 to 255 bytes long");
  }
  const auto long_value = [](const auto& entry) {
    return entry.second.size() > kMaxCustomValueBytes;
  };
  if (std::any_of(custom.begin(), custom.end(), long_value)) {
    errors.Add(field, "has a value of more than 10000 bytes");
  }
}

void CheckCustomUpdate(std::string_view field, const v1::CustomUpdate& custom,
                       FieldErrors& errors) {
  CheckCustomMap(Path(field, "values"), custom.values(), errors);
  const std::string deleted = Path(field, "deleted_keys");
  CheckCount(deleted, custom.deleted_keys_size(), kMaxCustomKeys, errors);
  for (int i = 0; i < custom.deleted_keys_size(); ++i) {
    const std::string& key = custom.deleted_keys(i);
    CheckSize(Element(deleted, i), key, 1, kMaxCustomKeyBytes, errors);
    if (custom.values().contains(key)) {
      errors.Add(Element(deleted, i), "is also in values; name it in one of them");
    }
  }
}

void CheckUrl(std::string_view field, const std::string& url, FieldErrors& errors) {
  CheckSize(field, url, 0, kMaxUrlBytes, errors);
  if (!url.empty() && !url.starts_with("http://") && !url.starts_with("https://")) {
    errors.Add(field, "must be empty or begin with http:// or https://");
  }
}

void CheckContacts(std::string_view field, const v1::StringList& list, size_t max_bytes,
                   FieldErrors& errors) {
  CheckCount(field, list.values_size(), kMaxContacts, errors);
  for (int i = 0; i < list.values_size(); ++i) {
    CheckSize(Element(field, i), list.values(i), 1, max_bytes, errors);
  }
}

void CheckNullFields(std::string_view field, const v1::UserAttributes& user, FieldErrors& errors) {
  const struct {
    std::string_view name;
    bool is_set;
  } nullable[] = {
      {"custom", user.has_custom()},
      {"locale", user.has_locale()},
      {"photo_url", user.has_photo_url()},
      {"role", user.has_role()},
      {"welcome_message", user.has_welcome_message()},
      {"availability_text", user.has_availability_text()},
      {"email", user.has_email()},
      {"phone", user.has_phone()},
  };
  const std::string path = Path(field, "null_fields");
  for (int i = 0; i < user.null_fields_size(); ++i) {
    const std::string& name = user.null_fields(i);
    const auto known = std::find_if(std::begin(nullable), std::end(nullable),
                                    [&](const auto& entry) { return entry.name == name; });
    if (known == std::end(nullable)) {
      errors.Add(Element(path, i),
                 "must be one of custom, locale, photo_url, role, welcome_message, "
                 "availability_text, email, phone");
    } else if (known->is_set) {
      errors.Add(Element(path, i), "names a field that is also set; do one of both");
    }
  }
}

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

void CheckSigningKey(const v1::SigningKey& key, FieldErrors& errors) {
  CheckSize("signing_key.secret_key", key.secret_key(), 1, kMaxSecretKeyBytes, errors);
  if (!key.has_token_lifetime()) return;
  const auto& lifetime = key.token_lifetime();
  const int64_t min_seconds =
      std::chrono::duration_cast<std::chrono::seconds>(kMinTokenLifetime).count();
  const int64_t max_seconds =
      std::chrono::duration_cast<std::chrono::seconds>(kMaxTokenLifetime).count();
  const bool in_range = lifetime.nanos() >= 0 && lifetime.nanos() <= kMaxNanos &&
                        lifetime.seconds() >= min_seconds &&
                        (lifetime.seconds() < max_seconds ||
                         (lifetime.seconds() == max_seconds && lifetime.nanos() == 0));
  if (!in_range) {
    errors.Add("signing_key.token_lifetime", "must be 10 s to 24 h; leave it out for 30 minutes");
  }
}

void CheckSelectedSession(const std::string& session_id, const std::string& conversation_id,
                          FieldErrors& errors) {
  CheckSessionId("session_id", session_id, errors);
  CheckId("conversation_id", conversation_id, errors);
}

}  // namespace

void CheckSize(std::string_view field, std::string_view value, size_t min, size_t max,
               FieldErrors& errors) {
  if (value.size() >= min && value.size() <= max) return;
  if (value.empty()) {
    errors.Add(field,
               "is required: " + std::to_string(min) + " to " + std::to_string(max) + " bytes");
    return;
  }
  std::string bounds = min == 0 ? "at most " + std::to_string(max)
                                : std::to_string(min) + " to " + std::to_string(max);
  errors.Add(field, "must be " + bounds + " bytes; it has " + std::to_string(value.size()));
}

void CheckId(std::string_view field, std::string_view value, FieldErrors& errors) {
  CheckSize(field, value, 1, kMaxIdBytes, errors);
  if (value.find('\0') != std::string_view::npos) errors.Add(field, "must not contain NUL");
}

void CheckAppId(std::string_view field, std::string_view value, FieldErrors& errors) {
  CheckSize(field, value, 1, kMaxAppIdBytes, errors);
  const auto allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  if (!std::all_of(value.begin(), value.end(), allowed)) {
    errors.Add(field, "must consist of A-Z a-z 0-9 _ -; the dashboard shows the app's id");
  }
}

void CheckSessionId(std::string_view field, std::string_view value, FieldErrors& errors) {
  CheckSize(field, value, 1, kMaxSessionIdBytes, errors);
}

size_t CountCharacters(std::string_view utf8) {
  return std::count_if(utf8.begin(), utf8.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

void CheckUserAttributes(std::string_view field, const v1::UserAttributes& user,
                         FieldErrors& errors) {
  CheckId(Path(field, "id"), user.id(), errors);
  CheckSize(Path(field, "name"), user.name(), 1, kMaxNameBytes, errors);
  if (user.has_custom()) CheckCustomUpdate(Path(field, "custom"), user.custom(), errors);
  if (user.has_locale()) {
    const size_t characters = CountCharacters(user.locale());
    if (characters < kMinLocaleCharacters || characters > kMaxLocaleCharacters) {
      errors.Add(Path(field, "locale"), "must be a language tag of 2 to 35 characters: en-US");
    }
  }
  if (user.has_photo_url()) CheckUrl(Path(field, "photo_url"), user.photo_url(), errors);
  if (user.has_role()) CheckSize(Path(field, "role"), user.role(), 1, kMaxRoleBytes, errors);
  CheckSize(Path(field, "welcome_message"), user.welcome_message(), 0, kMaxWelcomeMessageBytes,
            errors);
  CheckSize(Path(field, "availability_text"), user.availability_text(), 0, kMaxNameBytes, errors);
  CheckContacts(Path(field, "email"), user.email(), kMaxEmailBytes, errors);
  CheckContacts(Path(field, "phone"), user.phone(), kMaxPhoneBytes, errors);
  CheckNullFields(field, user, errors);
}

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
  switch (request.credentials_case()) {
    case v1::CreateSessionRequest::kToken:
      CheckSize("token", request.token(), 1, kMaxTokenBytes, errors);
      break;
    case v1::CreateSessionRequest::kSigningKey:
      CheckSigningKey(request.signing_key(), errors);
      break;
    case v1::CreateSessionRequest::kSignature:
    case v1::CreateSessionRequest::kTokenFetcher:
    case v1::CreateSessionRequest::CREDENTIALS_NOT_SET:
      break;
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
  for (int i = 0; i < request.states_size(); ++i) {
    if (request.states(i) == v1::SESSION_STATE_UNSPECIFIED ||
        !v1::SessionState_IsValid(request.states(i))) {
      errors.Add(Element("states", i), "must be a state of a session");
    }
  }
  if (request.page_size() < 0) errors.Add("page_size", "must not be negative; 0 means 100");
  return errors.ToStatus();
}

absl::Status Validate(const v1::WatchSessionsRequest& request) {
  FieldErrors errors;
  CheckSessionIds(request.session_ids(), errors);
  if (!request.app_id().empty()) CheckAppId("app_id", request.app_id(), errors);
  return errors.ToStatus();
}

absl::Status Validate(const v1::SendMessageRequest& request) {
  FieldErrors errors;
  CheckSelectedSession(request.session_id(), request.conversation_id(), errors);
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
  CheckCustomMap("custom", request.custom(), errors);
  if (request.has_referenced_message_id()) {
    CheckId("referenced_message_id", request.referenced_message_id(), errors);
  }
  CheckRequestId(request.request_id(), errors);
  return errors.ToStatus();
}

absl::Status Validate(const v1::MarkConversationReadRequest& request) {
  FieldErrors errors;
  CheckSelectedSession(request.session_id(), request.conversation_id(), errors);
  return errors.ToStatus();
}

absl::Status Validate(const v1::StreamMessagesRequest& request) {
  FieldErrors errors;
  CheckSessionIds(request.session_ids(), errors);
  CheckCount("conversation_ids", request.conversation_ids_size(), kMaxSelectedIds, errors);
  for (int i = 0; i < request.conversation_ids_size(); ++i) {
    CheckId(Element("conversation_ids", i), request.conversation_ids(i), errors);
  }
  for (int i = 0; i < request.kinds_size(); ++i) {
    if (request.kinds(i) == v1::MESSAGE_EVENT_KIND_UNSPECIFIED ||
        !v1::MessageEventKind_IsValid(request.kinds(i))) {
      errors.Add(Element("kinds", i), "must be SENT, EDITED, DELETED or SESSION_STATE");
    }
  }
  if (!v1::OnGap_IsValid(request.on_gap())) errors.Add("on_gap", "must be FAIL or CONTINUE");
  if (request.start_case() == v1::StreamMessagesRequest::kFromTime &&
      (request.from_time().seconds() < kFirstSecond ||
       request.from_time().seconds() > kLastSecond || request.from_time().nanos() < 0 ||
       request.from_time().nanos() > kMaxNanos)) {
    errors.Add("from_time", "must be a time between the years 1 and 9999");
  }
  return errors.ToStatus();
}

absl::Status Validate(const v1::StreamUnreadsRequest& request) {
  FieldErrors errors;
  CheckSessionIds(request.session_ids(), errors);
  return errors.ToStatus();
}

}  // namespace talkjsd::api
