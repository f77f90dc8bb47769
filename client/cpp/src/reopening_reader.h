// What the three kinds of stream share: reading responses, and opening the stream again when it
// ends with UNAVAILABLE.
#ifndef TALKJSD_CLIENT_REOPENING_READER_H_
#define TALKJSD_CLIENT_REOPENING_READER_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <utility>

#include "connection.h"
#include "talkjsd/stream.h"

namespace talkjsd::client {

// One thread calls Read(); Cancel() comes from any. `open` starts the call with the request as it
// should be now: it is asked at each opening.
template <class Response, class Stream = grpc::ClientReader<Response>>
class ReopeningReader {
 public:
  using Call = std::unique_ptr<Stream>;
  using Open = std::function<Call(grpc::ClientContext*)>;

  ReopeningReader(std::shared_ptr<Connection> connection, StreamOptions options, Open open)
      : connection_(std::move(connection)),
        options_(std::move(options)),
        open_(std::move(open)),
        random_(std::random_device{}()) {}

  ~ReopeningReader() {
    Cancel();
    if (call_ == nullptr) return;
    Response ignored;
    while (call_->Read(&ignored)) {
    }
    call_->Finish();
  }

  // Waits for the next response. False = over, see status().
  bool Read(Response* response) {
    while (status_.ok() && !ended_) {
      if (call_ == nullptr && !OpenCall()) break;
      if (call_->Read(response)) {
        opened_once_ = true;
        failures_ = 0;
        return true;
      }
      CloseCall();
    }
    return false;
  }

  const Status& status() const { return status_; }

  // The reading thread's: the open call, after a Read that returned true.
  Stream& stream() { return *call_; }

  void Cancel() {
    std::lock_guard<std::mutex> lock(mutex_);
    cancelled_ = true;
    if (context_ != nullptr) context_->TryCancel();
    wake_.notify_all();
  }

 private:
  bool OpenCall() {
    if (!opened_once_ && !connection_->WaitUntilConnected([this] { return cancelled(); })) {
      return End(connection_->Unreachable());
    }
    grpc::ClientContext* context = nullptr;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      context_ = std::make_unique<grpc::ClientContext>();
      // No deadline: a stream lasts, and a daemon that restarts is waited for.
      context_->set_wait_for_ready(true);
      connection_->Prepare(context_.get());
      context = context_.get();
    }
    if (cancelled()) return End({});
    call_ = open_(context);
    return true;
  }

  // Takes the ended call's status: the end of the stream, or a pause before it is opened again.
  void CloseCall() {
    const Status status = connection_->FromGrpc(call_->Finish());
    call_ = nullptr;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      context_ = nullptr;
    }
    if (status.code != Code::kUnavailable || !options_.reconnect || cancelled()) {
      End(status);
      return;
    }
    const std::chrono::milliseconds pause = NextPause(status);
    if (options_.on_reconnect) options_.on_reconnect(status, pause);
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait_for(lock, pause, [this] { return cancelled_; });
  }

  bool End(Status status) {
    ended_ = true;
    status_ = std::move(status);
    if (cancelled()) {
      status_ = Status();
      status_.code = Code::kCancelled;
      status_.message = "the stream was cancelled";
    }
    return false;
  }

  std::chrono::milliseconds NextPause(const Status& status) {
    if (status.retry_delay.has_value()) return *status.retry_delay;
    const int doublings = std::min(failures_++, 16);
    const std::chrono::milliseconds top =
        std::min(options_.min_backoff * (1 << doublings), options_.max_backoff);
    std::uniform_int_distribution<int64_t> upper_half(top.count() / 2, top.count());
    return std::chrono::milliseconds(upper_half(random_));
  }

  bool cancelled() {
    std::lock_guard<std::mutex> lock(mutex_);
    return cancelled_;
  }

  const std::shared_ptr<Connection> connection_;
  const StreamOptions options_;
  const Open open_;

  // The reading thread's.
  Call call_;
  bool opened_once_ = false;
  bool ended_ = false;
  int failures_ = 0;
  Status status_;
  std::minstd_rand random_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool cancelled_ = false;                        // guarded by mutex_
  std::unique_ptr<grpc::ClientContext> context_;  // guarded by mutex_; outlives call_
};

}  // namespace talkjsd::client

#endif  // TALKJSD_CLIENT_REOPENING_READER_H_
