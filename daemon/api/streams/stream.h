// The pump that all streams share.
#ifndef TALKJSD_API_STREAMS_STREAM_H_
#define TALKJSD_API_STREAMS_STREAM_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/api/call_set.h"
#include "daemon/api/context.h"
#include "daemon/api/dispatcher.h"
#include "daemon/api/errors.h"
#include "daemon/api/streams/stuck_socket.h"
#include "daemon/base/mutex.h"

namespace prometheus {
class Gauge;
}

namespace talkjsd::api {

using ByteStreamReactor = grpc::ServerWriteReactor<grpc::ByteBuffer>;

// One server stream: asks Next for a response, writes it, and asks again when the write is done;
// sleeps when there is nothing until Wake. One write is in flight at a time and nothing is queued.
//
// Next, Arm and Release run on one thread at a time, never under a lock: on gRPC's threads or the
// dispatcher's. Wake and End may be called from any thread and only hand over work. The stream
// lives until gRPC's OnDone, and as long as anybody else has a reference.
class Stream : public ByteStreamReactor,
               public LiveCall,
               public Runnable,
               public std::enable_shared_from_this<Stream> {
 public:
  // The reactor for gRPC: the stream, running, or a refusal (drain, too many streams).
  static ByteStreamReactor* Launch(std::shared_ptr<Stream> stream,
                                   const grpc::CallbackServerContext& call);

  void Wake();
  void End(const absl::Status& status) override;
  // About twice a second: wakes a stream that has written nothing for kProgressInterval, and cuts
  // the connection of a client that is dead. True if the stream is stalled: its client has not
  // taken the write in flight for kStallTime.
  bool Tick(MonoTime now);
  // How long it has not had everything, and events behind its position. Any thread.
  struct Lag {
    double seconds = 0;
    uint64_t events = 0;
  };
  Lag LagAt(MonoTime now) const;
  // What it is and how far behind. Any thread.
  StreamInfo Look(MonoTime now) const;

 protected:
  // `gauge` counts streams of this `kind`, as StreamInfo has it.
  Stream(Context& context, prometheus::Gauge* gauge, const char* kind)
      : Stream(context, gauge, kind, MakeId(context)) {}
  Stream(Context& context, prometheus::Gauge* gauge, const char* kind, std::string id);
  static std::string MakeId(Context& context);

  struct Idle {};
  struct Write {
    grpc::ByteBuffer bytes;
  };
  // Write: to be sent now. Idle: nothing at present. A status: the end; OK does not occur.
  using Step = std::variant<Idle, Write, absl::Status>;
  virtual Step Next() = 0;
  // After Idle: arranges for Wake as soon as Next would have something; it may be called at once.
  virtual void Arm() = 0;
  // The stream is over: undoes Arm and lets go of what the stream reads.
  virtual void Release() = 0;
  // Completes what Look says; any thread, while the stream runs.
  virtual void Describe(StreamInfo& info) const = 0;

  static void SelectionOf(const std::vector<std::string>& session_ids, StreamInfo& info);
  // `events` were written, and all of the journal up to `position` has been looked at.
  void NoteProgress(size_t events, uint64_t position) {
    events_.fetch_add(events, std::memory_order_relaxed);
    position_.store(position, std::memory_order_relaxed);
  }

  // Whether nothing has been written for kProgressInterval.
  bool IsQuiet() const;

  Context& context_;
  const std::string id_;

 private:
  void Run() override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void EndWith(grpc::Status status);
  // The reason to end, or nullopt: go on.
  std::optional<grpc::Status> TakeEnd();
  bool StayBusy();

  prometheus::Gauge* const gauge_;
  const char* const kind_;
  const UnixMillis opened_at_;
  std::atomic<uint64_t> events_ = 0;
  std::atomic<uint64_t> position_ = 0;
  // Since when there has been something to write; 0: there is nothing.
  std::atomic<MonoTime::rep> behind_since_ = 0;
  // What Run and the write in flight use; handed from thread to thread by busy_.
  grpc::ByteBuffer buffer_;
  std::atomic<MonoTime::rep> last_write_;

  mutable Mutex mutex_;
  // Somebody is in Run, will be (posted), or a write is in flight.
  bool busy_ ABSL_GUARDED_BY(mutex_) = true;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // Woken while busy.
  bool again_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);
  MonoTime write_started_ ABSL_GUARDED_BY(mutex_);
  // The descriptor is open as long as the call lives, so it is while a write is in flight.
  std::optional<StuckSocket> socket_ ABSL_GUARDED_BY(mutex_);
  // gRPC's reference, from Launch to OnDone.
  std::shared_ptr<Stream> self_ ABSL_GUARDED_BY(mutex_);
};

// A call that is over before it began. Deletes itself.
template <typename Reactor>
class Refusal final : public Reactor {
 public:
  explicit Refusal(const grpc::Status& status) { this->Finish(status); }
  void OnDone() override { delete this; }
};

inline ByteStreamReactor* RefuseStream(const absl::Status& status) {
  return new Refusal<ByteStreamReactor>(ToGrpcStatus(status));
}

}  // namespace talkjsd::api

#endif  // TALKJSD_API_STREAMS_STREAM_H_
