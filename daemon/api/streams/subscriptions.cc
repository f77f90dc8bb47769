#include "daemon/api/streams/subscriptions.h"

#include <absl/strings/escaping.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "daemon/api/convert/convert.h"
#include "daemon/api/errors.h"
#include "daemon/api/limits.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

constexpr Duration kMetricsInterval = std::chrono::seconds(5);
// Often enough to be no news to a lifetime of days, also after a crash.
constexpr Duration kUseInterval = std::chrono::hours(1);

absl::Status SubscriptionNotFound(const std::string& name) {
  return WithMetadata(
      MakeError(absl::StatusCode::kNotFound, v1::ERROR_REASON_SUBSCRIPTION_NOT_FOUND,
                "there is no named subscription " + name +
                    ": it was deleted, or expired unused; open it with StreamMessages to make it"),
      "subscription", name);
}

absl::Status SubscriptionTaken(const std::string& name) {
  return WithMetadata(
      MakeError(absl::StatusCode::kAborted, v1::ERROR_REASON_SUBSCRIPTION_TAKEN,
                "another stream took the named subscription " + name +
                    " over; do not reopen it in a loop: one of the two clients has to stop, or "
                    "use another name"),
      "subscription", name);
}

// What a request selects, as it is compared and stored: a Subscription with nothing else.
v1::Subscription SelectionOf(const v1::StreamMessagesRequest& request) {
  v1::Subscription selection;
  const auto distinct = [](const auto& ids) {
    return std::set<std::string>(ids.begin(), ids.end());
  };
  for (const std::string& id : distinct(request.session_ids())) selection.add_session_ids(id);
  for (const std::string& id : distinct(request.conversation_ids())) {
    selection.add_conversation_ids(id);
  }
  selection.set_exclude_by_me(request.exclude_by_me());
  std::set<int> kinds(request.kinds().begin(), request.kinds().end());
  if (kinds.empty()) kinds.insert(v1::MESSAGE_EVENT_KIND_SENT);
  for (const int kind : kinds) selection.add_kinds(static_cast<v1::MessageEventKind>(kind));
  return selection;
}

std::vector<std::string> SessionsOf(const journal::Positions::Subscription& subscription) {
  v1::Subscription selection;
  selection.ParseFromString(subscription.selection);
  return {selection.session_ids().begin(), selection.session_ids().end()};
}

absl::Status CheckSameSelection(const journal::Positions::Subscription& known,
                                const v1::Subscription& wanted) {
  v1::Subscription stored;
  stored.ParseFromString(known.selection);
  stored.clear_create_time();
  if (stored.SerializeAsString() == wanted.SerializeAsString()) return absl::OkStatus();
  return WithMetadata(
      MakeError(absl::StatusCode::kFailedPrecondition,
                v1::ERROR_REASON_SUBSCRIPTION_SELECTION_MISMATCH,
                "the named subscription " + known.name +
                    " was made with another selection (ListSubscriptions shows it); select the "
                    "same sessions, conversations, exclude_by_me and kinds, delete it first, or "
                    "use another name"),
      "subscription", known.name);
}

}  // namespace

void SubscriptionHold::Attach(const std::shared_ptr<LiveCall>& stream) {
  std::optional<absl::Status> end;
  {
    MutexLock lock(mutex_);
    stream_ = stream;
    end = end_;
  }
  if (end.has_value()) stream->End(*end);
}

void SubscriptionHold::End(const absl::Status& status) {
  std::shared_ptr<LiveCall> stream;
  {
    MutexLock lock(mutex_);
    end_ = status;
    stream = stream_.lock();
  }
  if (stream != nullptr) stream->End(status);
}

absl::Status Subscriptions::CheckFree(const v1::NamedSubscription& named) {
  MutexLock lock(mutex_);
  const auto held = holds_.find(named.name());
  if (held == holds_.end() || named.takeover()) return absl::OkStatus();
  if (held->second->stream_id() == named.replaces_stream_id()) return absl::OkStatus();
  return WithMetadata(
      MakeError(absl::StatusCode::kFailedPrecondition, v1::ERROR_REASON_SUBSCRIPTION_IN_USE,
                "another stream has the named subscription " + named.name() +
                    " open; close it, set takeover, or use another name"),
      "subscription", named.name());
}

absl::StatusOr<Subscriptions::Opened> Subscriptions::Open(
    const v1::StreamMessagesRequest& request, std::optional<journal::StartPosition> start,
    const std::string& stream_id, const OpenReader& open_reader) {
  const v1::NamedSubscription& named = request.subscription();
  const v1::Subscription selection = SelectionOf(request);
  MutexLock opening(open_mutex_);
  for (;;) {
    const auto known = positions_.FindSubscription(named.name());
    if (known.has_value()) {
      const absl::Status same = CheckSameSelection(*known, selection);
      if (!same.ok()) return same;
    }
    if (const absl::Status free = CheckFree(named); !free.ok()) return free;

    Opened result;
    std::optional<journal::Cursor> remembered;
    if (start.has_value()) {
      result.start = *start;
    } else if (known.has_value()) {
      remembered = known->position;
      result.start = {.kind = journal::StartPosition::Kind::kCursor, .cursor = *remembered};
    }
    absl::StatusOr<OpenedReader> opened = open_reader(result.start);
    if (!opened.ok()) return opened.status();
    const journal::Cursor position = opened->reader->position();
    if (!known.has_value()) {
      v1::Subscription record = selection;
      *record.mutable_create_time() = ToTimestamp(clock_.WallMillis());
      const absl::Status stored = positions_.PutSubscription(
          {.name = named.name(), .selection = record.SerializeAsString(), .position = position});
      if (!stored.ok()) return stored;
    }
    result.opened = *std::move(opened);
    result.hold = std::make_shared<SubscriptionHold>(named.name(), stream_id, position.sequence);
    // The stream that had it may have acknowledged more meanwhile: that must not come again.
    if (Claim(result.hold, remembered)) return result;
  }
}

bool Subscriptions::Claim(const std::shared_ptr<SubscriptionHold>& hold,
                          const std::optional<journal::Cursor>& expected) {
  std::shared_ptr<SubscriptionHold> taken;
  {
    MutexLock lock(mutex_);
    if (expected.has_value()) {
      const auto known = positions_.FindSubscription(hold->name());
      if (!known.has_value() || known->position != *expected) return false;
    }
    positions_.NoteUse(hold->name());
    taken = std::exchange(holds_[hold->name()], hold);
  }
  if (taken != nullptr) {
    metrics_.subscription_takeovers->Increment();
    taken->End(SubscriptionTaken(hold->name()));
  }
  return true;
}

void Subscriptions::Release(const SubscriptionHold& hold) {
  MutexLock lock(mutex_);
  const auto held = holds_.find(hold.name());
  if (held == holds_.end() || held->second.get() != &hold) return;
  holds_.erase(held);
  positions_.NoteUse(hold.name());
}

absl::StatusOr<v1::AcknowledgeResponse> Subscriptions::Acknowledge(
    const v1::AcknowledgeRequest& request, const MayUse& may_use) {
  const absl::StatusOr<journal::Cursor> cursor = journal::DecodeCursor(request.cursor());
  if (!cursor.ok()) return cursor.status();
  const std::optional<uint64_t> to = journal_.Resolve(*cursor);
  const auto known = positions_.FindSubscription(request.name());
  if (!known.has_value() || !may_use(SessionsOf(*known))) {
    return SubscriptionNotFound(request.name());
  }
  MutexLock lock(mutex_);
  const auto held = holds_.find(request.name());
  if (held == holds_.end() || held->second->stream_id() != request.stream_id()) {
    return MakeError(absl::StatusCode::kFailedPrecondition, v1::ERROR_REASON_STREAM_ID_STALE,
                     "the stream_id is not that of the stream which has the named subscription " +
                         request.name() +
                         " open now; send the one in this stream's opened, after each reconnect");
  }
  if (!to.has_value()) {
    return MakeError(absl::StatusCode::kOutOfRange, v1::ERROR_REASON_JOURNAL_LOST,
                     "the cursor is of a journal that this daemon does not have; acknowledge "
                     "cursors that this stream has sent");
  }
  // A sequence that this start of the daemon has not given out resolves to the last one: it is
  // invented, and would lead once there are so many events.
  const uint64_t sent_to = held->second->sent_to();
  if (*to > sent_to || (cursor->epoch == journal_.epoch() && cursor->sequence > sent_to)) {
    return InvalidField("cursor",
                        "must not be past what the stream was sent; acknowledge the cursor of the "
                        "last event that is done with");
  }
  const std::optional<journal::Cursor> now = positions_.Acknowledge(request.name(), *cursor);
  if (!now.has_value()) return SubscriptionNotFound(request.name());
  metrics_.acknowledgements->Increment();
  v1::AcknowledgeResponse response;
  response.set_acknowledged_cursor(journal::EncodeCursor(*now));
  return response;
}

v1::Subscription Subscriptions::ToProto(const journal::Positions::Subscription& subscription) {
  v1::Subscription proto;
  proto.ParseFromString(subscription.selection);
  proto.set_name(subscription.name);
  proto.set_acknowledged_cursor(journal::EncodeCursor(subscription.position));
  MutexLock lock(mutex_);
  const auto held = holds_.find(subscription.name);
  if (held != holds_.end()) {
    proto.set_stream_id(held->second->stream_id());
    *proto.mutable_last_use_time() = ToTimestamp(clock_.WallMillis());
    return proto;
  }
  *proto.mutable_last_use_time() = ToTimestamp(subscription.last_used);
  *proto.mutable_expire_time() =
      ToTimestamp(subscription.last_used + std::chrono::duration_cast<std::chrono::milliseconds>(
                                               journal::kSubscriptionLifetime)
                                               .count());
  return proto;
}

absl::StatusOr<v1::ListSubscriptionsResponse> Subscriptions::List(
    const v1::ListSubscriptionsRequest& request, const MayUse& may_use) {
  std::string after;
  if (!request.page_token().empty() &&
      (!absl::WebSafeBase64Unescape(request.page_token(), &after) || after.empty())) {
    return MakeError(absl::StatusCode::kInvalidArgument, v1::ERROR_REASON_PAGE_TOKEN_INVALID,
                     "the page_token is not one of this list; start at the first page");
  }
  const int page_size =
      request.page_size() == 0 ? kDefaultPageSize : std::min(request.page_size(), kMaxPageSize);
  v1::ListSubscriptionsResponse response;
  for (const auto& subscription : positions_.Subscriptions()) {
    if (subscription.name <= after || !may_use(SessionsOf(subscription))) continue;
    if (response.subscriptions_size() == page_size) {
      response.set_next_page_token(
          absl::WebSafeBase64Escape(response.subscriptions(page_size - 1).name()));
      break;
    }
    *response.add_subscriptions() = ToProto(subscription);
  }
  return response;
}

absl::StatusOr<v1::DeleteSubscriptionResponse> Subscriptions::Delete(
    const v1::DeleteSubscriptionRequest& request, const MayUse& may_use) {
  MutexLock opening(open_mutex_);
  const auto known = positions_.FindSubscription(request.name());
  if (known.has_value() && !may_use(SessionsOf(*known)))
    return SubscriptionNotFound(request.name());
  const absl::StatusOr<bool> deleted = positions_.DeleteSubscription(request.name());
  if (!deleted.ok()) return deleted.status();
  if (!*deleted) return SubscriptionNotFound(request.name());
  std::shared_ptr<SubscriptionHold> ended;
  {
    MutexLock lock(mutex_);
    const auto held = holds_.find(request.name());
    if (held != holds_.end()) {
      ended = std::move(held->second);
      holds_.erase(held);
    }
  }
  if (ended != nullptr) ended->End(SubscriptionNotFound(request.name()));
  return v1::DeleteSubscriptionResponse();
}

void Subscriptions::Tick(MonoTime now) {
  size_t open = 0;
  {
    MutexLock lock(mutex_);
    if (now < next_metrics_) return;
    next_metrics_ = now + std::chrono::duration_cast<MonoTime::duration>(kMetricsInterval);
    open = holds_.size();
    if (now >= next_use_) {
      next_use_ = now + std::chrono::duration_cast<MonoTime::duration>(kUseInterval);
      for (const auto& [name, hold] : holds_) positions_.NoteUse(name);
    }
  }
  const std::vector<journal::Positions::Subscription> all = positions_.Subscriptions();
  const uint64_t latest = journal_.Latest().sequence;
  const uint64_t earliest = journal_.Earliest().sequence;
  uint64_t behind = latest;
  for (const auto& subscription : all) {
    // What is gone cannot be caught up with.
    const uint64_t at = journal_.Resolve(subscription.position).value_or(earliest);
    behind = std::min(behind, std::max(at, earliest));
  }
  metrics_.subscriptions_open->Set(static_cast<double>(open));
  metrics_.subscriptions_idle->Set(static_cast<double>(all.size() - std::min(open, all.size())));
  metrics_.subscription_lag_events->Set(static_cast<double>(latest - behind));
}

}  // namespace talkjsd::api
