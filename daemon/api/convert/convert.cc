#include "daemon/api/convert/convert.h"

#include <algorithm>
#include <utility>

#include "daemon/api/convert/credentials.h"
#include "daemon/api/convert/patch.h"
#include "daemon/api/errors.h"
#include "daemon/wire/markup.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

v1::CredentialKind ToProto(session::CredentialKind kind) {
  switch (kind) {
    case session::CredentialKind::kNone:
      return v1::CREDENTIAL_KIND_NONE;
    case session::CredentialKind::kToken:
      return v1::CREDENTIAL_KIND_TOKEN;
    case session::CredentialKind::kSignature:
      return v1::CREDENTIAL_KIND_SIGNATURE;
    case session::CredentialKind::kSigningKey:
      return v1::CREDENTIAL_KIND_SIGNING_KEY;
    case session::CredentialKind::kHttpFetcher:
      return v1::CREDENTIAL_KIND_HTTP_FETCHER;
    case session::CredentialKind::kFileFetcher:
      return v1::CREDENTIAL_KIND_FILE_FETCHER;
    case session::CredentialKind::kProviderFetcher:
      return v1::CREDENTIAL_KIND_PROVIDER_FETCHER;
  }
  return v1::CREDENTIAL_KIND_UNSPECIFIED;
}

}  // namespace

upstream::UserWrite ToUserWrite(const v1::UserAttributes& user) {
  upstream::UserWrite write;
  write.name = user.name();
  write.custom = ToPatch(user, "custom", user.has_custom(), ToCustomPatch(user.custom()));
  write.locale = ToPatch(user, "locale", user.has_locale(), user.locale());
  write.photo_url = ToPatch(user, "photo_url", user.has_photo_url(), user.photo_url());
  write.role = ToPatch(user, "role", user.has_role(), user.role());
  write.welcome_message =
      ToPatch(user, "welcome_message", user.has_welcome_message(), user.welcome_message());
  write.email = ToPatch(user, "email", user.has_email(), ToVector(user.email()));
  write.phone = ToPatch(user, "phone", user.has_phone(), ToVector(user.phone()));
  return write;
}

wire::Patch<std::string> ToAvailability(const v1::UserAttributes& user) {
  return ToPatch(user, "availability_text", user.has_availability_text(), user.availability_text());
}

upstream::PushDevice ToPushDevice(v1::PushProvider provider, const std::string& registration_id) {
  return {provider == v1::PUSH_PROVIDER_APNS ? upstream::PushProvider::kApns
                                             : upstream::PushProvider::kFcm,
          Secret(registration_id)};
}

google::protobuf::Timestamp ToTimestamp(UnixMillis millis) {
  google::protobuf::Timestamp time;
  int64_t seconds = millis / 1000;
  int64_t rest = millis % 1000;
  if (rest < 0) {  // before 1970: a Timestamp's nanos count upwards
    rest += 1000;
    --seconds;
  }
  time.set_seconds(seconds);
  time.set_nanos(static_cast<int32_t>(rest * 1'000'000));
  return time;
}

v1::SessionState ToProto(session::State state) {
  switch (state) {
    case session::State::kAwaitingMe:
      return v1::SESSION_STATE_AWAITING_ME;
    case session::State::kWaitingForToken:
      return v1::SESSION_STATE_WAITING_FOR_TOKEN;
    case session::State::kConnecting:
      return v1::SESSION_STATE_CONNECTING;
    case session::State::kConnected:
      return v1::SESSION_STATE_CONNECTED;
    case session::State::kReconnecting:
      return v1::SESSION_STATE_RECONNECTING;
    case session::State::kFailed:
      return v1::SESSION_STATE_FAILED;
    case session::State::kDestroyed:
      return v1::SESSION_STATE_DESTROYED;
  }
  return v1::SESSION_STATE_UNSPECIFIED;
}

v1::Session ToProto(const session::Info& info) {
  v1::Session proto;
  proto.set_session_id(info.session_id);
  proto.set_app_id(info.app_id);
  if (info.user_id.has_value()) proto.set_user_id(*info.user_id);
  proto.set_state(ToProto(info.state));
  proto.set_reason(info.reason);
  proto.set_reason_message(info.reason_message);
  *proto.mutable_state_since_time() = ToTimestamp(info.state_since);
  *proto.mutable_create_time() = ToTimestamp(info.created_at);
  proto.set_credential_kind(ToProto(info.credential_kind));
  proto.set_connect_attempts(info.connect_attempts);
  if (info.baseline_at) *proto.mutable_baseline_time() = ToTimestamp(*info.baseline_at);
  if (info.token_expires_at) {
    *proto.mutable_token_expire_time() = ToTimestamp(*info.token_expires_at);
  }
  if (info.next_attempt_at) *proto.mutable_next_attempt_time() = ToTimestamp(*info.next_attempt_at);
  if (info.last_sync_at) *proto.mutable_last_sync_time() = ToTimestamp(*info.last_sync_at);
  if (info.expires_at) *proto.mutable_expire_time() = ToTimestamp(*info.expires_at);
  for (const std::string& warning : info.warnings) proto.add_warnings(warning);
  return proto;
}

v1::SessionStateChange ToStateChange(const session::Info& info) {
  v1::SessionStateChange change;
  change.set_session_id(info.session_id);
  change.set_state(ToProto(info.state));
  change.set_reason(info.reason);
  change.set_reason_message(info.reason_message);
  *change.mutable_change_time() = ToTimestamp(info.state_since);
  return change;
}

v1::Gap ToProto(const journal::GapInfo& gap) {
  v1::Gap proto;
  using Reason = journal::GapInfo::Reason;
  proto.set_reason(gap.reason == Reason::kExpired       ? v1::GAP_REASON_CURSOR_EXPIRED
                   : gap.reason == Reason::kJournalLost ? v1::GAP_REASON_JOURNAL_LOST
                                                        : v1::GAP_REASON_STORE_DAMAGED);
  // Of a lost journal the old position means nothing here.
  if (gap.reason != Reason::kJournalLost) proto.set_from_cursor(journal::EncodeCursor(gap.from));
  proto.set_to_cursor(journal::EncodeCursor(gap.to));
  return proto;
}

absl::StatusOr<session::CreateRequest> ToCreateRequest(const v1::CreateSessionRequest& request) {
  session::CreateRequest create;
  create.app_id = request.app_id();
  create.credentials = ToCredentials(request);
  create.replace_credentials = request.replace_credentials();
  if (request.me_case() == v1::CreateSessionRequest::kUserId) {
    create.user_id = request.user_id();
  } else if (request.me_case() == v1::CreateSessionRequest::kUser) {
    create.user_id = request.user().id();
    create.user_attributes = ToUserWrite(request.user());
    create.availability_text = ToAvailability(request.user()).value;
  }
  if (request.has_device_token()) {
    create.device = ToPushDevice(request.device_token().provider(),
                                 request.device_token().push_registration_id());
  }
  if (request.has_enable_push_notifications()) {
    create.enable_push = request.enable_push_notifications();
  }
  return create;
}

upstream::OutgoingMessage ToOutgoing(const v1::SendMessageRequest& request) {
  upstream::OutgoingMessage message;
  wire::ContentBlock block;
  switch (request.content_case()) {
    case v1::SendMessageRequest::kText:
      block.kind = wire::ContentBlock::Kind::kText;
      block.children = wire::ParseMarkup(request.text(), wire::MarkupMode::kSend);
      break;
    case v1::SendMessageRequest::kLocation:
      block.kind = wire::ContentBlock::Kind::kLocation;
      block.latitude = request.location().latitude();
      block.longitude = request.location().longitude();
      break;
    case v1::SendMessageRequest::kFileToken:
      block.kind = wire::ContentBlock::Kind::kFile;
      block.file.file_token = request.file_token();
      break;
    case v1::SendMessageRequest::CONTENT_NOT_SET:
      break;
  }
  message.content.push_back(std::move(block));
  message.custom.insert(request.custom().begin(), request.custom().end());
  if (request.has_referenced_message_id()) {
    message.referenced_message_id = request.referenced_message_id();
  }
  return message;
}

journal::Selection ToSelection(const v1::StreamMessagesRequest& request) {
  journal::Selection selection;
  const auto distinct = [](const auto& ids) {
    std::vector<std::string> sorted(ids.begin(), ids.end());
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    return sorted;
  };
  selection.session_ids = distinct(request.session_ids());
  selection.conversation_ids = distinct(request.conversation_ids());
  selection.exclude_by_me = request.exclude_by_me();
  const auto follows = [&](v1::MessageEventKind kind) {
    return std::find(request.kinds().begin(), request.kinds().end(), kind) != request.kinds().end();
  };
  selection.sent = request.kinds().empty() || follows(v1::MESSAGE_EVENT_KIND_SENT);
  selection.edited = follows(v1::MESSAGE_EVENT_KIND_EDITED);
  selection.deleted = follows(v1::MESSAGE_EVENT_KIND_DELETED);
  selection.session_state = follows(v1::MESSAGE_EVENT_KIND_SESSION_STATE);
  return selection;
}

absl::StatusOr<journal::StartPosition> ToStart(const v1::StreamMessagesRequest& request) {
  using Kind = journal::StartPosition::Kind;
  journal::StartPosition start;
  switch (request.start_case()) {
    case v1::StreamMessagesRequest::kNow:
    case v1::StreamMessagesRequest::START_NOT_SET:
      start.kind = Kind::kNow;
      break;
    case v1::StreamMessagesRequest::kCursor: {
      absl::StatusOr<journal::Cursor> cursor = journal::DecodeCursor(request.cursor());
      if (!cursor.ok()) return cursor.status();
      start.kind = Kind::kCursor;
      start.cursor = *cursor;
      break;
    }
    case v1::StreamMessagesRequest::kFromTime:
      start.kind = Kind::kTime;
      // Rounded up: the first event at or after a time is not before it.
      start.time = request.from_time().seconds() * 1000 +
                   (request.from_time().nanos() + 999'999) / 1'000'000;
      break;
    case v1::StreamMessagesRequest::kEarliest:
      start.kind = Kind::kEarliest;
      break;
  }
  return start;
}

}  // namespace talkjsd::api
