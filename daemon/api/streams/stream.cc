#include "daemon/api/streams/stream.h"

#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <algorithm>
#include <utility>

#include "daemon/api/call_log.h"
#include "daemon/api/errors.h"
#include "daemon/api/limits.h"
#include "daemon/base/log.h"

namespace talkjsd::api {
namespace {

constexpr size_t kStreamIdLength = 20;

MonoTime::rep Ticks(MonoTime time) { return time.time_since_epoch().count(); }

}  // namespace

std::string Stream::MakeId(Context& context) {
  return "str_" + context.random.Text(kStreamIdLength);
}

Stream::Stream(Context& context, prometheus::Gauge* gauge, const char* kind, std::string id)
    : context_(context),
      id_(std::move(id)),
      gauge_(gauge),
      kind_(kind),
      opened_at_(context.clock.WallMillis()),
      last_write_(Ticks(context.clock.Now())) {
  gauge_->Increment();
}

void Stream::SelectionOf(const std::vector<std::string>& session_ids, StreamInfo& info) {
  info.session_count = session_ids.size();
  if (session_ids.size() == 1) info.session_id = session_ids.front();
}

Stream::Lag Stream::LagAt(MonoTime now) const {
  const MonoTime::rep since = behind_since_.load(std::memory_order_relaxed);
  if (since == 0) return {};
  Lag lag;
  const MonoTime behind_since{MonoTime::duration(since)};
  lag.seconds = std::max(0.0, std::chrono::duration<double>(now - behind_since).count());
  const uint64_t position = position_.load(std::memory_order_relaxed);
  const uint64_t latest = context_.journal.Latest().sequence;
  if (position != 0 && latest > position) lag.events = latest - position;
  return lag;
}

StreamInfo Stream::Look(MonoTime now) const {
  const Lag lag = LagAt(now);
  StreamInfo info;
  info.stream_id = id_;
  info.kind = kind_;
  info.opened_at = opened_at_;
  info.events_written = events_.load(std::memory_order_relaxed);
  info.behind_seconds = lag.seconds;
  info.lag_events = lag.events;
  {
    MutexLock lock(mutex_);
    info.stalled = writing_ && now - write_started_ >= kStallTime;
  }
  Describe(info);
  return info;
}

ByteStreamReactor* Stream::Launch(std::shared_ptr<Stream> stream,
                                  const grpc::CallbackServerContext& call) {
  Stream* const reactor = stream.get();
  const absl::Status added = reactor->context_.streams.Add(stream);
  if (!added.ok()) {
    reactor->Release();
    reactor->gauge_->Decrement();
    return RefuseStream(added);
  }
  LogDebug("stream opened",
           {{"stream", reactor->id_}, {"kind", reactor->kind_}, {"request", RequestIdOf(call)}});
  {
    MutexLock lock(reactor->mutex_);
    reactor->self_ = std::move(stream);
    if (const auto connection = reactor->context_.access->connections().Find(call.peer())) {
      reactor->socket_.emplace(connection->fd);
    }
  }
  // The rules may have changed between the stream's admission and its place in the set.
  if (reactor->permit() != nullptr) {
    const absl::Status allowed = reactor->context_.access->RenewIfOld(*reactor->permit());
    if (!allowed.ok()) reactor->End(allowed);
  }
  // What is written before gRPC knows the reactor waits inside it.
  reactor->Run();
  return reactor;
}

void Stream::Wake() {
  {
    MutexLock lock(mutex_);
    if (finished_) return;
    if (busy_) {
      again_ = true;
      return;
    }
    busy_ = true;
  }
  context_.dispatcher.Post(shared_from_this());
}

void Stream::End(const absl::Status& status) { EndWith(ToGrpcStatus(status)); }

void Stream::EndWith(grpc::Status status) {
  {
    MutexLock lock(mutex_);
    if (finished_ || end_.has_value()) return;
    end_ = std::move(status);
    if (busy_) return;
    busy_ = true;
  }
  context_.dispatcher.Post(shared_from_this());
}

bool Stream::Tick(MonoTime now) {
  if (now.time_since_epoch().count() - last_write_.load(std::memory_order_relaxed) >=
      std::chrono::duration_cast<MonoTime::duration>(kProgressInterval).count()) {
    Wake();
  }
  MutexLock lock(mutex_);
  if (!writing_) {
    if (socket_.has_value()) socket_->Forget();
    return false;
  }
  const Server::Options& options = context_.options;
  if (socket_.has_value() &&
      socket_->Look(now, options.keepalive_time + options.keepalive_timeout)) {
    LogWarning("a client takes nothing out of its socket: its connection is cut",
               {{"stream", id_}});
    socket_->Cut();
    socket_.reset();
  }
  return now - write_started_ >= kStallTime;
}

bool Stream::IsQuiet() const {
  const MonoTime last{MonoTime::duration(last_write_.load(std::memory_order_relaxed))};
  return context_.clock.Now() - last >= kProgressInterval;
}

std::optional<grpc::Status> Stream::TakeEnd() {
  MutexLock lock(mutex_);
  again_ = false;
  finished_ = end_.has_value();
  return end_;
}

bool Stream::StayBusy() {
  MutexLock lock(mutex_);
  busy_ = again_ || end_.has_value();
  return busy_;
}

void Stream::Run() {
  // Whoever sets busy_ runs this. After StartWrite and Finish another thread may have the stream,
  // or it may be gone.
  while (true) {
    if (const std::optional<grpc::Status> end = TakeEnd(); end.has_value()) {
      Finish(*end);
      return;
    }
    Step step = Next();
    if (Write* write = std::get_if<Write>(&step)) {
      buffer_ = std::move(write->bytes);
      const MonoTime now = context_.clock.Now();
      last_write_.store(Ticks(now), std::memory_order_relaxed);
      if (behind_since_.load(std::memory_order_relaxed) == 0) {
        behind_since_.store(Ticks(now), std::memory_order_relaxed);
      }
      {
        MutexLock lock(mutex_);
        write_started_ = now;
        writing_ = true;
      }
      // Never with a buffer hint: on the first write it would hang the stream (gRPC 1.51), and
      // later ones are batches already.
      StartWrite(&buffer_);
      return;
    }
    if (const absl::Status* status = std::get_if<absl::Status>(&step)) {
      EndWith(ToGrpcStatus(*status));
      continue;
    }
    behind_since_.store(0, std::memory_order_relaxed);
    Arm();
    if (!StayBusy()) return;
  }
}

void Stream::OnWriteDone(bool ok) {
  MonoTime started;
  {
    MutexLock lock(mutex_);
    started = write_started_;
    writing_ = false;
    if (!ok && !end_.has_value()) end_ = grpc::Status::CANCELLED;
  }
  const std::chrono::duration<double> took = context_.clock.Now() - started;
  context_.metrics.write_seconds->Observe(took.count());
  Run();
}

void Stream::OnCancel() { EndWith(grpc::Status::CANCELLED); }

void Stream::OnDone() {
  std::shared_ptr<Stream> self;
  {
    MutexLock lock(mutex_);
    self = std::move(self_);
  }
  Release();
  gauge_->Decrement();
  context_.streams.Remove(this);
}

}  // namespace talkjsd::api
