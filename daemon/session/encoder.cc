#include "daemon/session/encoder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "daemon/wire/json.h"
#include "daemon/wire/plaintext.h"
#include "talkjs/sidecar/v1/event_service.pb.h"
#include "talkjs/sidecar/v1/types.pb.h"

namespace talkjsd::session {
namespace {

namespace v1 = talkjs::sidecar::v1;
using google::protobuf::Timestamp;

void SetTime(UnixMillis millis, Timestamp* time) {
  int64_t seconds = millis / 1000;
  int64_t rest = millis % 1000;
  if (rest < 0) {
    --seconds;
    rest += 1000;
  }
  time->set_seconds(seconds);
  time->set_nanos(static_cast<int32_t>(rest * 1'000'000));
}

v1::Access ToProto(wire::Access access) {
  return access == wire::Access::kRead ? v1::ACCESS_READ : v1::ACCESS_READ_WRITE;
}

v1::Notify ToProto(wire::Notify notify) {
  switch (notify) {
    case wire::Notify::kOff:
      return v1::NOTIFY_OFF;
    case wire::Notify::kOn:
      return v1::NOTIFY_ON;
    case wire::Notify::kMentionsOnly:
      return v1::NOTIFY_MENTIONS_ONLY;
  }
  return v1::NOTIFY_UNSPECIFIED;
}

// The "type" in the JSON of a block or node.
std::string TypeOf(const std::string& block) {
  const auto value = wire::ParseJson(block);
  const auto* object = value.ok() ? value->if_object() : nullptr;
  const auto* type = object != nullptr ? object->if_contains("type") : nullptr;
  return type != nullptr && type->is_string() ? std::string(type->get_string()) : std::string();
}

void FillUnknown(const std::string& json, v1::UnknownJson* to) {
  to->set_type(TypeOf(json));
  to->set_json(json);
}

void FillNode(const wire::TextNode& from, v1::TextNode* to) {
  using Kind = wire::TextNode::Kind;
  const auto fill_children = [&from](auto* node) {
    for (const wire::TextNode& child : from.children) FillNode(child, node->add_children());
  };
  const auto fill_action = [&](v1::ActionNode* node) {
    node->set_action(from.action);
    node->mutable_params()->insert(from.params.begin(), from.params.end());
    fill_children(node);
  };
  switch (from.kind) {
    case Kind::kText:
      to->set_text(from.text);
      return;
    case Kind::kBold:
      fill_children(to->mutable_bold());
      return;
    case Kind::kItalic:
      fill_children(to->mutable_italic());
      return;
    case Kind::kStrikethrough:
      fill_children(to->mutable_strikethrough());
      return;
    case Kind::kBulletList:
      fill_children(to->mutable_bullet_list());
      return;
    case Kind::kBulletPoint:
      fill_children(to->mutable_bullet_point());
      return;
    case Kind::kCodeSpan:
      to->set_code_span(from.text);
      return;
    case Kind::kAutoLink:
      to->mutable_auto_link()->set_url(from.url);
      to->mutable_auto_link()->set_text(from.text);
      return;
    case Kind::kLink:
      to->mutable_link()->set_url(from.url);
      fill_children(to->mutable_link());
      return;
    case Kind::kActionLink:
      fill_action(to->mutable_action_link());
      return;
    case Kind::kActionButton:
      fill_action(to->mutable_action_button());
      return;
    case Kind::kMention:
      to->mutable_mention()->set_id(from.id);
      to->mutable_mention()->set_text(from.text);
      return;
    case Kind::kCustomEmoji:
      to->set_custom_emoji(from.text);
      return;
    case Kind::kUnknown:
      FillUnknown(from.text, to->mutable_unknown());
      return;
  }
}

// What does not fit the protos is as good as not known.
constexpr double kMaxPixels = std::numeric_limits<int32_t>::max();
constexpr double kMaxDurationSeconds = 315'576'000'000;  // google.protobuf.Duration's

std::optional<double> Within(const std::optional<double>& number, double max) {
  // Written so that NaN fails.
  if (!number.has_value() || !(*number >= 0 && *number <= max)) return std::nullopt;
  return number;
}

void FillFile(const wire::FileBlock& from, v1::FileBlock* to) {
  if (!from.subtype.empty()) to->set_subtype(from.subtype);
  to->set_file_token(from.file_token);
  to->set_url(from.url);
  to->set_filename(from.filename);
  to->set_size_bytes(from.size);
  if (const auto width = Within(from.width, kMaxPixels)) {
    to->set_width(static_cast<int32_t>(*width));
  }
  if (const auto height = Within(from.height, kMaxPixels)) {
    to->set_height(static_cast<int32_t>(*height));
  }
  if (const auto duration = Within(from.duration, kMaxDurationSeconds)) {
    const double whole = std::floor(*duration);
    to->mutable_duration()->set_seconds(static_cast<int64_t>(whole));
    to->mutable_duration()->set_nanos(static_cast<int32_t>((*duration - whole) * 1e9));
  }
}

void FillBlock(const wire::ContentBlock& from, v1::ContentBlock* to) {
  switch (from.kind) {
    case wire::ContentBlock::Kind::kText: {
      v1::TextBlock* text = to->mutable_text();
      for (const wire::TextNode& child : from.children) FillNode(child, text->add_children());
      return;
    }
    case wire::ContentBlock::Kind::kFile:
      FillFile(from.file, to->mutable_file());
      return;
    case wire::ContentBlock::Kind::kLocation:
      to->mutable_location()->set_latitude(from.latitude);
      to->mutable_location()->set_longitude(from.longitude);
      return;
    case wire::ContentBlock::Kind::kUnknown:
      FillUnknown(from.unknown_json, to->mutable_unknown());
      return;
  }
}

// `type`, `attachment` and `location`: what the SDK derives from the first content block.
void FillFirstBlock(const wire::Message& from, v1::Message* to) {
  if (from.content.empty()) return;
  const wire::ContentBlock& first = from.content.front();
  switch (first.kind) {
    case wire::ContentBlock::Kind::kText:
      to->set_type(v1::MESSAGE_TYPE_TEXT);
      return;
    case wire::ContentBlock::Kind::kFile:
      to->set_type(v1::MESSAGE_TYPE_MEDIA);
      to->mutable_attachment()->set_url(first.file.url);
      to->mutable_attachment()->set_size_bytes(first.file.size);
      return;
    case wire::ContentBlock::Kind::kLocation:
      to->set_type(v1::MESSAGE_TYPE_LOCATION);
      to->mutable_location()->set_latitude(first.latitude);
      to->mutable_location()->set_longitude(first.longitude);
      return;
    case wire::ContentBlock::Kind::kUnknown:
      return;
  }
}

bool IsByMe(const wire::Message& message, std::string_view my_user_id) {
  return message.sender_id.has_value() && *message.sender_id == my_user_id;
}

// session-api.md section 8: mine, when everyone has read it; another's, when I have.
bool IsRead(const wire::Message& message, const MessageContext& context) {
  return (IsByMe(message, context.my_user_id)
              ? context.conversation->everyone_read_until
              : context.conversation->read_until) >= message.created_at;
}

void StartEvent(std::string_view session_id, bool recovered, UnixMillis time,
                v1::MessageEvent* event) {
  const std::string_view placeholder = journal::CursorPlaceholder();
  event->set_cursor(placeholder.data(), placeholder.size());
  event->set_session_id(session_id.data(), session_id.size());
  SetTime(time, event->mutable_event_time());
  event->set_recovered(recovered);
}

journal::NewEvent Finish(const v1::MessageEvent& event, journal::EventKind kind,
                         std::string_view session_id, std::string_view conversation_id,
                         bool by_me) {
  journal::NewEvent result;
  result.session_id = session_id;
  result.conversation_id = conversation_id;
  result.kind = kind;
  result.by_me = by_me;
  result.bytes = journal::FrameEvent(event.SerializeAsString());
  return result;
}

v1::SessionState ToProto(State state) {
  switch (state) {
    case State::kAwaitingMe:
      return v1::SESSION_STATE_AWAITING_ME;
    case State::kWaitingForToken:
      return v1::SESSION_STATE_WAITING_FOR_TOKEN;
    case State::kConnecting:
      return v1::SESSION_STATE_CONNECTING;
    case State::kConnected:
      return v1::SESSION_STATE_CONNECTED;
    case State::kReconnecting:
      return v1::SESSION_STATE_RECONNECTING;
    case State::kFailed:
      return v1::SESSION_STATE_FAILED;
    case State::kDestroyed:
      return v1::SESSION_STATE_DESTROYED;
  }
  return v1::SESSION_STATE_UNSPECIFIED;
}

v1::CredentialKind ToProto(CredentialKind kind) {
  switch (kind) {
    case CredentialKind::kNone:
      return v1::CREDENTIAL_KIND_NONE;
    case CredentialKind::kToken:
      return v1::CREDENTIAL_KIND_TOKEN;
    case CredentialKind::kSignature:
      return v1::CREDENTIAL_KIND_SIGNATURE;
    case CredentialKind::kSigningKey:
      return v1::CREDENTIAL_KIND_SIGNING_KEY;
    case CredentialKind::kHttpFetcher:
      return v1::CREDENTIAL_KIND_HTTP_FETCHER;
    case CredentialKind::kFileFetcher:
      return v1::CREDENTIAL_KIND_FILE_FETCHER;
    case CredentialKind::kProviderFetcher:
      return v1::CREDENTIAL_KIND_PROVIDER_FETCHER;
  }
  return v1::CREDENTIAL_KIND_UNSPECIFIED;
}

}  // namespace

std::string_view StateName(State state) {
  switch (state) {
    case State::kAwaitingMe:
      return "awaiting_me";
    case State::kWaitingForToken:
      return "waiting_for_token";
    case State::kConnecting:
      return "connecting";
    case State::kConnected:
      return "connected";
    case State::kReconnecting:
      return "reconnecting";
    case State::kFailed:
      return "failed";
    case State::kDestroyed:
      return "destroyed";
  }
  return "unknown";
}

void FillConversation(const wire::Conversation& from, bool with_side, v1::Conversation* to) {
  to->set_id(from.id);
  to->mutable_custom()->insert(from.custom.begin(), from.custom.end());
  // The Session API has null where the wire has an empty list (session-api.md section 8).
  for (const std::string& text : from.welcome_messages) {
    to->mutable_welcome_messages()->add_values(text);
  }
  if (from.photo_url.has_value()) to->set_photo_url(*from.photo_url);
  if (from.subject.has_value()) to->set_subject(*from.subject);
  if (!with_side) return;
  SetTime(from.created_at, to->mutable_create_time());
  SetTime(from.joined_at, to->mutable_join_time());
  SetTime(from.last_message_at, to->mutable_last_message_time());
  to->set_unread_message_count(from.unread_message_count);
  to->set_is_unread(from.is_unread);
  to->set_access(ToProto(from.access));
  to->set_notify(ToProto(from.notify));
  SetTime(from.read_until, to->mutable_read_until_time());
  SetTime(from.everyone_read_until, to->mutable_everyone_read_until_time());
}

void FillUser(const wire::User& from, v1::User* to) {
  to->set_id(from.id);
  to->set_name(from.name);
  to->mutable_custom()->insert(from.custom.begin(), from.custom.end());
  if (from.locale.has_value()) to->set_locale(*from.locale);
  if (from.photo_url.has_value()) to->set_photo_url(*from.photo_url);
  to->set_role(from.role);
  if (from.welcome_message.has_value()) to->set_welcome_message(*from.welcome_message);
}

void FillMessage(const wire::Message& from, const MessageContext& context, v1::Message* to) {
  to->set_id(from.id);
  FillConversation(*context.conversation, /*with_side=*/false, to->mutable_conversation());
  to->set_is_by_me(IsByMe(from, context.my_user_id));
  if (from.sender_id.has_value()) to->set_sender_id(*from.sender_id);
  if (context.sender != nullptr) FillUser(*context.sender, to->mutable_sender());
  to->set_body(wire::PlainText(from.content));
  FillFirstBlock(from, to);
  SetTime(from.created_at, to->mutable_create_time());
  to->set_read(IsRead(from, context));
  to->set_origin(from.origin);
  to->mutable_custom()->insert(from.custom.begin(), from.custom.end());
  for (const wire::ContentBlock& block : from.content) FillBlock(block, to->add_content());
  to->set_message_kind(from.is_system ? v1::MESSAGE_KIND_SYSTEM : v1::MESSAGE_KIND_USER);
  if (from.edited_at.has_value()) SetTime(*from.edited_at, to->mutable_edit_time());
  if (from.referenced_message_id.has_value()) {
    to->set_referenced_message_id(*from.referenced_message_id);
  }
  std::vector<std::pair<std::string_view, const wire::Reaction*>> reactions;
  for (const auto& [emoji, reaction] : from.reactions) reactions.emplace_back(emoji, &reaction);
  std::stable_sort(reactions.begin(), reactions.end(), [](const auto& a, const auto& b) {
    return a.second->created_at < b.second->created_at;
  });
  for (const auto& [emoji, reaction] : reactions) {
    v1::Reaction* added = to->add_reactions();
    added->set_emoji(emoji.data(), emoji.size());
    added->set_count(reaction->count);
    SetTime(reaction->created_at, added->mutable_create_time());
    added->set_current_user_reacted(reaction->current_user_reacted);
  }
}

void FillSession(const Info& from, v1::Session* to) {
  to->set_session_id(from.session_id);
  to->set_app_id(from.app_id);
  if (from.user_id.has_value()) to->set_user_id(*from.user_id);
  to->set_state(ToProto(from.state));
  to->set_reason(from.reason);
  to->set_reason_message(from.reason_message);
  SetTime(from.state_since, to->mutable_state_since_time());
  SetTime(from.created_at, to->mutable_create_time());
  if (from.baseline_at.has_value()) SetTime(*from.baseline_at, to->mutable_baseline_time());
  to->set_credential_kind(ToProto(from.credential_kind));
  if (from.token_expires_at.has_value()) {
    SetTime(*from.token_expires_at, to->mutable_token_expire_time());
  }
  to->set_connect_attempts(from.connect_attempts);
  if (from.next_attempt_at.has_value()) {
    SetTime(*from.next_attempt_at, to->mutable_next_attempt_time());
  }
  if (from.last_sync_at.has_value()) SetTime(*from.last_sync_at, to->mutable_last_sync_time());
  if (from.expires_at.has_value()) SetTime(*from.expires_at, to->mutable_expire_time());
  for (const std::string& warning : from.warnings) to->add_warnings(warning);
}

journal::NewEvent EncodeMessageEvent(journal::EventKind kind, const wire::Message& message,
                                     const MessageContext& context, bool recovered,
                                     UnixMillis event_time) {
  v1::MessageEvent event;
  StartEvent(context.session_id, recovered, event_time, &event);
  FillMessage(message, context,
              kind == journal::EventKind::kSent ? event.mutable_sent() : event.mutable_edited());
  return Finish(event, kind, context.session_id, context.conversation->id,
                IsByMe(message, context.my_user_id));
}

std::optional<SentFacts> DecodeSent(const std::string& bytes) {
  v1::StreamMessagesResponse framed;
  if (!framed.ParseFromString(bytes) || framed.events_size() != 1) return std::nullopt;
  const v1::MessageEvent& event = framed.events(0);
  if (!event.has_sent()) return std::nullopt;
  const Timestamp& time = event.sent().create_time();
  return SentFacts{event.sent().id(), time.seconds() * 1000 + time.nanos() / 1'000'000};
}

journal::NewEvent EncodeDeletion(std::string_view session_id, std::string_view conversation_id,
                                 std::string_view message_id, bool by_me, bool recovered,
                                 UnixMillis event_time) {
  v1::MessageEvent event;
  StartEvent(session_id, recovered, event_time, &event);
  event.mutable_deleted()->set_conversation_id(conversation_id.data(), conversation_id.size());
  event.mutable_deleted()->set_message_id(message_id.data(), message_id.size());
  return Finish(event, journal::EventKind::kDeleted, session_id, conversation_id, by_me);
}

journal::NewEvent EncodeUncertainEdits(std::string_view session_id, UnixMillis from, UnixMillis to,
                                       UnixMillis event_time) {
  v1::MessageEvent event;
  StartEvent(session_id, /*recovered=*/false, event_time, &event);
  event.mutable_gap()->set_reason(v1::GAP_REASON_UPSTREAM_UNCERTAIN);
  SetTime(from, event.mutable_gap()->mutable_from_time());
  SetTime(to, event.mutable_gap()->mutable_to_time());
  return Finish(event, journal::EventKind::kUncertainEdits, session_id, "", false);
}

journal::NewEvent EncodeIncomplete(std::string_view session_id, std::string_view conversation_id,
                                   UnixMillis from, UnixMillis to, UnixMillis event_time) {
  v1::MessageEvent event;
  StartEvent(session_id, /*recovered=*/false, event_time, &event);
  event.mutable_gap()->set_reason(v1::GAP_REASON_UPSTREAM_INCOMPLETE);
  event.mutable_gap()->set_conversation_id(conversation_id.data(), conversation_id.size());
  SetTime(from, event.mutable_gap()->mutable_from_time());
  SetTime(to, event.mutable_gap()->mutable_to_time());
  return Finish(event, journal::EventKind::kGap, session_id, conversation_id, false);
}

journal::NewEvent EncodeStateChange(const Info& info, UnixMillis event_time) {
  v1::MessageEvent event;
  StartEvent(info.session_id, /*recovered=*/false, event_time, &event);
  v1::SessionStateChange* change = event.mutable_session_state();
  change->set_session_id(info.session_id);
  change->set_state(ToProto(info.state));
  change->set_reason(info.reason);
  change->set_reason_message(info.reason_message);
  SetTime(info.state_since, change->mutable_change_time());
  const bool last = info.state == State::kDestroyed;
  return Finish(event,
                last ? journal::EventKind::kSessionDestroyed : journal::EventKind::kSessionState,
                info.session_id, "", false);
}

std::string EncodeUnreads(std::string_view session_id, std::string_view my_user_id,
                          const std::vector<Unread>& unreads, UnixMillis as_of, bool stale) {
  v1::StreamUnreadsResponse response;
  v1::UnreadsList* list = response.mutable_unreads();
  list->set_session_id(session_id.data(), session_id.size());
  for (const Unread& unread : unreads) {
    v1::UnreadConversation* conversation = list->add_conversations();
    FillConversation(*unread.conversation, /*with_side=*/true,
                     conversation->mutable_conversation());
    FillMessage(*unread.last_message, {session_id, my_user_id, unread.conversation, unread.sender},
                conversation->mutable_last_message());
    conversation->set_unread_message_count(unread.conversation->unread_message_count);
  }
  SetTime(as_of, list->mutable_as_of_time());
  list->set_stale(stale);
  return response.SerializeAsString();
}

}  // namespace talkjsd::session
