// The calls and subscriptions of a connection: what waits for the login, what is under way, what is
// sent again.
#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/upstream/protocol.h"
#include "daemon/wire/path.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::upstream {
namespace {

namespace json = boost::json;
namespace v1 = talkjs::sidecar::v1;
using std::chrono::milliseconds;

// realtime.md 3.9: so many frames leave at once after a login, and then one after each gap.
constexpr int kDrainBurst = 51;
constexpr Duration kDrainGap = milliseconds(100);

// realtime.md 3.5.
constexpr int kMaxServerErrors = 10;

// A call that is refused again after a new login: from this time on the logins are paced.
constexpr int kFreeRefusals = 3;

constexpr size_t kUsersPerSubscribe = 1000;

// Until a subscription that was refused for good is tried again.
constexpr Duration kRefusedAtLeast = std::chrono::seconds(30);
constexpr Duration kRefusedAtMost = std::chrono::seconds(60);

}  // namespace

// --- calls ---

void Protocol::Call(Request request, MonoTime deadline, CallDone done, MonoTime now) {
  Pending pending;
  pending.request = std::move(request);
  pending.deadline = deadline;
  pending.done = std::move(done);
  Enqueue(std::move(pending), now);
}

void Protocol::CallFirst(Request request, CallDone done, MonoTime now) {
  Pending pending;
  pending.request = std::move(request);
  pending.done = std::move(done);
  if (phase_ != Phase::kReady) {
    Enqueue(std::move(pending), now);
    return;
  }
  Send(std::move(pending), now);
}

void Protocol::Enqueue(Pending pending, MonoTime now) {
  if (phase_ == Phase::kStopped || phase_ == Phase::kFailed) {
    if (pending.done)
      Emit(Completed{std::move(pending.done), UpstreamUnavailable("the session is not running")});
    return;
  }
  pending.order = ++last_order_;
  if (IsLoggedIn() && !draining_ && queue_.empty()) {
    Send(std::move(pending), now);
  } else {
    queue_.push_back(std::move(pending));
  }
}

// Back to its place among those that wait.
void Protocol::Requeue(Pending pending) {
  const auto next = std::find_if(queue_.begin(), queue_.end(),
                                 [&](const Pending& other) { return other.order > pending.order; });
  queue_.insert(next, std::move(pending));
}

void Protocol::Send(Pending pending, MonoTime now) {
  pending.sent = true;
  const int64_t number =
      SendFrame(pending.request.method, pending.request.path, pending.request.data, now);
  in_flight_.emplace(number, std::move(pending));
}

void Protocol::Drain(MonoTime now) {
  next_drain_at_ = kNever;
  if (!IsLoggedIn()) return;
  while (!queue_.empty()) {
    Pending& front = queue_.front();
    if (front.not_before > now) {
      next_drain_at_ = front.not_before;
      return;
    }
    if (draining_ && burst_left_ == 0) {
      burst_left_ = 1;
      next_drain_at_ = now + kDrainGap;
      return;
    }
    if (draining_) --burst_left_;
    Pending pending = std::move(front);
    queue_.pop_front();
    Send(std::move(pending), now);
  }
  draining_ = false;
}

void Protocol::OnAnswer(Pending pending, Reply reply, MonoTime now) {
  const int status = reply.status;
  if (status == 401) {
    Duration pause = Duration::zero();
    if (++pending.refusals > kFreeRefusals) {
      pause = SourceRetryDelay(pending.refusals - kFreeRefusals, random_);
    }
    if (!pending.subscription) Requeue(std::move(pending));
    if (IsLoggedIn()) LogInAgain(TokenCause::kRefused, pause, now);
    return;
  }
  if (status == 429 || (status == 500 && ++pending.server_errors < kMaxServerErrors)) {
    pending.refused = true;
    pending.not_before = now + throttle_.Next(now, random_);
    Requeue(std::move(pending));
    if (next_drain_at_ == kNever) next_drain_at_ = queue_.front().not_before;
    return;
  }
  if (status == 200 || (status >= 400 && status < 410)) throttle_.Reset();
  if (pending.subscription && status != 200) {
    Emit(ProtocolError{"SUBSCRIBE was answered with " + std::to_string(status)});
    const MonoTime again_at = now + random_.Between(kRefusedAtLeast, kRefusedAtMost);
    refused_.push_back({std::move(pending.request), again_at});
  } else if (pending.subscription && pending.refused) {
    Emit(SubscribedLate{std::move(pending.request.path)});
  }
  if (pending.done) Emit(Completed{std::move(pending.done), std::move(reply)});
  if (!queue_.empty() && !draining_ && next_drain_at_ == kNever) Drain(now);
}

void Protocol::ExpireCalls(MonoTime now) {
  const absl::Status late = MakeError(
      absl::StatusCode::kDeadlineExceeded, v1::ERROR_REASON_UPSTREAM_TIMEOUT,
      "TalkJS did not answer in time; it may have done what was asked: look before repeating");
  const absl::Status away =
      MakeError(absl::StatusCode::kUnavailable, v1::ERROR_REASON_UPSTREAM_UNAVAILABLE,
                "the session is not connected to TalkJS; see its state, and try again");
  queue_.remove_if([&](Pending& pending) {
    if (pending.deadline > now) return false;
    if (pending.done) Emit(Completed{std::move(pending.done), pending.sent ? late : away});
    return true;
  });
  for (auto it = in_flight_.begin(); it != in_flight_.end();) {
    if (it->second.deadline > now) {
      ++it;
      continue;
    }
    if (it->second.done) Emit(Completed{std::move(it->second.done), late});
    it = in_flight_.erase(it);
  }
}

// The socket is gone: what was under way is sent again after the next login, unchanged and in its
// order (3.4). Subscriptions are rebuilt from what is wanted, the session's own calls by what
// LoggedIn begins.
void Protocol::TakeBackCalls() {
  for (auto& [number, pending] : std::exchange(in_flight_, {})) Requeue(std::move(pending));
  queue_.remove_if([this](Pending& pending) {
    const bool repeated = pending.deadline != kNever || restart_announced_;
    if (repeated && !pending.subscription) return false;
    if (pending.done) {
      Emit(Completed{std::move(pending.done), UpstreamUnavailable("the connection was lost")});
    }
    return true;
  });
}

void Protocol::FailCalls(const absl::Status& why) {
  for (auto& [number, pending] : std::exchange(in_flight_, {})) {
    if (pending.done) Emit(Completed{std::move(pending.done), why});
  }
  for (Pending& pending : std::exchange(queue_, {})) {
    if (pending.done) Emit(Completed{std::move(pending.done), why});
  }
}

// --- what waited for the login ---

void Protocol::BeginDraining() {
  draining_ = true;
  burst_left_ = kDrainBurst;
}

void Protocol::SendQueued(MonoTime now) {
  if (draining_) Drain(now);
}

// --- subscriptions ---

void Protocol::Subscribe(std::string path, MonoTime now) {
  // Not logged in: sent with the login. A subscription does not wait behind calls (3.9).
  if (wanted_.insert(path).second && IsLoggedIn()) SendSubscribe(std::move(path), "{}", now);
}

void Protocol::Unsubscribe(const std::string& path, MonoTime now) {
  if (wanted_.erase(path) == 0) return;
  std::erase_if(refused_, [&](const Refused& refused) { return refused.request.path == path; });
  queue_.remove_if(
      [&](const Pending& pending) { return pending.subscription && pending.request.path == path; });
  if (IsLoggedIn()) SendFrame("UNSUBSCRIBE", path, "{}", now);
}

void Protocol::SubscribeUsers(const std::vector<std::string>& ids, MonoTime now) {
  wanted_users_.insert(ids.begin(), ids.end());
  if (IsLoggedIn()) SendSubscribeUsers(ids, now);
}

void Protocol::UnsubscribeUser(const std::string& id, MonoTime now) {
  if (wanted_users_.erase(id) == 0 || !IsLoggedIn()) return;
  SendFrame("UNSUBSCRIBE", wire::JoinPath({"users", id}), "{}", now);
}

void Protocol::SendSubscribe(std::string path, std::string data, MonoTime now) {
  Pending pending;
  pending.request = {"SUBSCRIBE", std::move(path), std::move(data)};
  pending.subscription = true;
  Send(std::move(pending), now);
}

void Protocol::RetryRefused(MonoTime now) {
  if (!IsLoggedIn()) return;
  std::vector<Refused> due;
  std::erase_if(refused_, [&](Refused& refused) {
    if (refused.again_at > now) return false;
    due.push_back(std::move(refused));
    return true;
  });
  for (Refused& refused : due) {
    Pending pending;
    pending.request = std::move(refused.request);
    pending.subscription = pending.refused = true;
    Send(std::move(pending), now);
  }
}

void Protocol::RestoreSubscriptions(MonoTime now) {
  refused_.clear();
  for (const std::string& path : wanted_) SendSubscribe(path, "{}", now);
  SendSubscribeUsers({wanted_users_.begin(), wanted_users_.end()}, now);
}

void Protocol::SendSubscribeUsers(const std::vector<std::string>& ids, MonoTime now) {
  for (size_t begin = 0; begin < ids.size(); begin += kUsersPerSubscribe) {
    json::object data;
    data["ids"] = json::array(ids.begin() + begin,
                              ids.begin() + std::min(begin + kUsersPerSubscribe, ids.size()));
    SendSubscribe("/users", json::serialize(data), now);
  }
}

}  // namespace talkjsd::upstream
