#include "daemon/api/convert/convert_conversation.h"

#include <utility>

#include "daemon/api/convert/patch.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

std::optional<wire::Access> ToAccess(const v1::Participant& participant) {
  switch (participant.access()) {
    case v1::ACCESS_READ:
      return wire::Access::kRead;
    case v1::ACCESS_READ_WRITE:
      return wire::Access::kReadWrite;
    default:
      return std::nullopt;
  }
}

std::optional<wire::Notify> ToNotify(const v1::Participant& participant) {
  switch (participant.notify()) {
    case v1::NOTIFY_OFF:
      return wire::Notify::kOff;
    case v1::NOTIFY_ON:
      return wire::Notify::kOn;
    case v1::NOTIFY_MENTIONS_ONLY:
      return wire::Notify::kMentionsOnly;
    default:
      return std::nullopt;
  }
}

upstream::TextMatch ToTextMatch(const v1::StringPredicate& predicate) {
  upstream::TextMatch match;
  match.negated = predicate.negated();
  match.values.assign(predicate.values().begin(), predicate.values().end());
  if (predicate.null_value()) match.values.push_back(std::nullopt);
  return match;
}

upstream::KeyMatch ToKeyMatch(const v1::CustomPredicate& predicate) {
  upstream::KeyMatch match;
  if (predicate.predicate_case() == v1::CustomPredicate::kExists) {
    match.exists = predicate.exists();
  } else {
    match.value = ToTextMatch(predicate.value());
  }
  return match;
}

// The first whole millisecond that is not before the time: right for a start, which fits, as for an
// end, which does not.
UnixMillis CeilToMillis(const google::protobuf::Timestamp& time) {
  return time.seconds() * 1000 + (time.nanos() + 999'999) / 1'000'000;
}

upstream::TimeMatch ToTimeMatch(const v1::TimePredicate& predicate) {
  upstream::TimeMatch match;
  if (predicate.has_start_time()) match.start = CeilToMillis(predicate.start_time());
  if (predicate.has_end_time()) match.end = CeilToMillis(predicate.end_time());
  match.negated = predicate.negated();
  return match;
}

upstream::ConversationMatch ToMatch(const v1::ConversationMatch& from) {
  upstream::ConversationMatch to;
  if (from.has_access()) to.access = ToTextMatch(from.access());
  if (from.has_subject()) to.subject = ToTextMatch(from.subject());
  for (const auto& [key, predicate] : from.custom()) to.custom[key] = ToKeyMatch(predicate);
  if (from.has_is_unread()) to.is_unread = from.is_unread();
  if (from.has_has_messages()) to.has_messages = from.has_messages();
  if (from.has_last_message_time()) to.last_message_at = ToTimeMatch(from.last_message_time());
  if (from.has_create_time()) to.created_at = ToTimeMatch(from.create_time());
  if (from.has_join_time()) to.joined_at = ToTimeMatch(from.join_time());
  return to;
}

}  // namespace

upstream::ConversationWrite ToConversationWrite(const v1::ConversationAttributes& attributes) {
  upstream::ConversationWrite write;
  write.custom =
      ToPatch(attributes, "custom", attributes.has_custom(), ToCustomPatch(attributes.custom()));
  write.welcome_messages =
      ToPatch(attributes, "welcome_messages", attributes.has_welcome_messages(),
              ToVector(attributes.welcome_messages()));
  write.photo_url =
      ToPatch(attributes, "photo_url", attributes.has_photo_url(), attributes.photo_url());
  write.subject = ToPatch(attributes, "subject", attributes.has_subject(), attributes.subject());
  return write;
}

std::vector<upstream::ParticipantWrite> ToParticipantWrites(
    const v1::GetConversationRequest& request, const std::string& my_user_id) {
  std::vector<upstream::ParticipantWrite> writes;
  writes.push_back({my_user_id, std::nullopt, std::nullopt});
  for (const v1::Participant& participant : request.participants()) {
    const std::string& id =
        participant.has_user() ? participant.user().id() : participant.user_id();
    upstream::ParticipantWrite write{id, ToAccess(participant), ToNotify(participant)};
    if (id == my_user_id) {
      writes.front() = std::move(write);
    } else {
      writes.push_back(std::move(write));
    }
  }
  return writes;
}

std::vector<upstream::ConversationMatch> ToQuery(const v1::ConversationFilter& filter) {
  std::vector<upstream::ConversationMatch> any;
  for (const v1::ConversationMatch& match : filter.any()) any.push_back(ToMatch(match));
  return any;
}

}  // namespace talkjsd::api
