// Named subscriptions: positions that the daemon remembers for clients, and which stream has which.
#ifndef TALKJSD_API_STREAMS_SUBSCRIPTIONS_H_
#define TALKJSD_API_STREAMS_SUBSCRIPTIONS_H_

#include <absl/status/statusor.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/api/call_set.h"
#include "daemon/base/clock.h"
#include "daemon/base/metrics.h"
#include "daemon/base/mutex.h"
#include "daemon/journal/journal.h"
#include "daemon/journal/positions.h"
#include "talkjs/sidecar/v1/event_service.pb.h"

namespace talkjsd::api {

// That a stream has a subscription open; shared by the stream and Subscriptions. Thread-safe.
class SubscriptionHold {
 public:
  SubscriptionHold(std::string name, std::string stream_id, uint64_t opened_at)
      : name_(std::move(name)), stream_id_(std::move(stream_id)), sent_to_(opened_at) {}

  const std::string& name() const { return name_; }
  const std::string& stream_id() const { return stream_id_; }

  // Up to here the stream has sent everything, or is about to: what may be acknowledged.
  void NoteSent(journal::Cursor position) { sent_to_ = position.sequence; }
  uint64_t sent_to() const { return sent_to_; }

  // The stream to end when the subscription goes to another one or is deleted; once.
  void Attach(const std::shared_ptr<LiveCall>& stream);
  // Ends the stream, also one that is attached later.
  void End(const absl::Status& status);

 private:
  const std::string name_;
  const std::string stream_id_;
  std::atomic<uint64_t> sent_to_;
  Mutex mutex_;
  std::weak_ptr<LiveCall> stream_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

// Thread-safe. Open and Delete may wait for the disk, everything else looks at memory.
class Subscriptions {
 public:
  // All outlive it.
  Subscriptions(journal::Journal& journal, journal::Positions& positions, const Clock& clock,
                Metrics& metrics)
      : journal_(journal), positions_(positions), clock_(clock), metrics_(metrics) {}

  struct OpenedReader {
    std::unique_ptr<journal::Reader> reader;
    std::optional<journal::GapInfo> gap;
  };
  // Opens a reader of the request's selection, or says why the stream cannot be opened. May be
  // asked more than once.
  using OpenReader = std::function<absl::StatusOr<OpenedReader>(const journal::StartPosition&)>;

  struct Opened {
    OpenedReader opened;
    journal::StartPosition start;
    std::shared_ptr<SubscriptionHold> hold;
  };
  // Opens the subscription that the request names for the stream `stream_id`; makes it if there is
  // none. The stream that had it is ended only when everything else has succeeded. `start`: where
  // the request says; nothing = where the subscription stands. Errors: SUBSCRIPTION_IN_USE,
  // SUBSCRIPTION_SELECTION_MISMATCH, those of `open_reader`, and those of Positions.
  absl::StatusOr<Opened> Open(const talkjs::sidecar::v1::StreamMessagesRequest& request,
                              std::optional<journal::StartPosition> start,
                              const std::string& stream_id, const OpenReader& open_reader);
  // The stream is over. Nothing if another one has the subscription by now.
  void Release(const SubscriptionHold& hold);

  // Whether the caller may use all of these sessions; empty: all that there are and will be. For
  // others' subscriptions the methods are as if they did not exist.
  using MayUse = std::function<bool(const std::vector<std::string>& session_ids)>;

  // The methods of the API, of validated requests; errors are there.
  absl::StatusOr<talkjs::sidecar::v1::AcknowledgeResponse> Acknowledge(
      const talkjs::sidecar::v1::AcknowledgeRequest& request, const MayUse& may_use);
  absl::StatusOr<talkjs::sidecar::v1::ListSubscriptionsResponse> List(
      const talkjs::sidecar::v1::ListSubscriptionsRequest& request, const MayUse& may_use);
  absl::StatusOr<talkjs::sidecar::v1::DeleteSubscriptionResponse> Delete(
      const talkjs::sidecar::v1::DeleteSubscriptionRequest& request, const MayUse& may_use);

  // From time to time, on any thread: those that are open count as used, and metrics are set.
  void Tick(MonoTime now);

 private:
  // OK if the request's stream may have the subscription.
  absl::Status CheckFree(const talkjs::sidecar::v1::NamedSubscription& named);
  // Gives the subscription to the stream. False if it stands elsewhere than at `expected` by now.
  bool Claim(const std::shared_ptr<SubscriptionHold>& hold,
             const std::optional<journal::Cursor>& expected);
  talkjs::sidecar::v1::Subscription ToProto(const journal::Positions::Subscription& subscription);

  journal::Journal& journal_;
  journal::Positions& positions_;
  const Clock& clock_;
  Metrics& metrics_;

  // Held by one Open or Delete at a time, also while it waits for the disk; taken before mutex_.
  Mutex open_mutex_;

  Mutex mutex_;
  std::map<std::string, std::shared_ptr<SubscriptionHold>> holds_ ABSL_GUARDED_BY(mutex_);
  MonoTime next_metrics_ ABSL_GUARDED_BY(mutex_);
  MonoTime next_use_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_STREAMS_SUBSCRIPTIONS_H_
