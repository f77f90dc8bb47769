// The streams behind talkjsd/stream.h; contracts are there.
#ifndef TALKJSD_CLIENT_STREAM_IMPL_H_
#define TALKJSD_CLIENT_STREAM_IMPL_H_

#include <chrono>
#include <memory>
#include <string>

#include "connection.h"
#include "recent_messages.h"
#include "reopening_reader.h"
#include "talkjs/sidecar/v1/event_service.grpc.pb.h"
#include "talkjs/sidecar/v1/session_service.grpc.pb.h"
#include "talkjsd/stream.h"

namespace talkjsd::client {

class MessageStream::Impl {
 public:
  Impl(std::shared_ptr<Connection> connection, const v1::StreamMessagesRequest& request,
       MessageStreamOptions options, std::chrono::milliseconds call_timeout);

  bool Next(v1::MessageEvent* event);
  Status Acknowledge();
  const std::string& cursor() const { return cursor_; }
  const std::string& stream_id() const { return stream_id_; }
  ReopeningReader<v1::StreamMessagesResponse>& reader() { return reader_; }

 private:
  v1::StreamMessagesRequest RequestAsOfNow() const;
  bool TakeEvent(v1::MessageEvent* event);
  void EndOfResponse();

  const std::shared_ptr<Connection> connection_;
  const std::unique_ptr<v1::EventService::Stub> stub_;
  const v1::StreamMessagesRequest request_;
  const MessageStreamOptions options_;
  const std::chrono::milliseconds call_timeout_;
  RecentMessages recent_;
  // A response is read only when the one before has been returned whole, so cursor_ is both where
  // the program is and where a reconnect must resume.
  v1::StreamMessagesResponse response_;
  int next_event_ = 0;
  std::string cursor_;
  std::string stream_id_;
  ReopeningReader<v1::StreamMessagesResponse> reader_;
};

class UnreadsStream::Impl {
 public:
  Impl(std::shared_ptr<Connection> connection, const v1::StreamUnreadsRequest& request,
       UnreadsStreamOptions options);

  bool Next(v1::UnreadsList* list);
  ReopeningReader<v1::StreamUnreadsResponse>& reader() { return reader_; }

 private:
  const std::unique_ptr<v1::EventService::Stub> stub_;
  const v1::StreamUnreadsRequest request_;
  const UnreadsStreamOptions options_;
  ReopeningReader<v1::StreamUnreadsResponse> reader_;
};

class SessionWatch::Impl {
 public:
  Impl(std::shared_ptr<Connection> connection, const v1::WatchSessionsRequest& request,
       SessionWatchOptions options);

  bool Next(v1::Session* session);
  ReopeningReader<v1::WatchSessionsResponse>& reader() { return reader_; }

 private:
  const std::unique_ptr<v1::SessionService::Stub> stub_;
  const v1::WatchSessionsRequest request_;
  const SessionWatchOptions options_;
  v1::WatchSessionsResponse response_;
  int next_session_ = 0;
  ReopeningReader<v1::WatchSessionsResponse> reader_;
};

}  // namespace talkjsd::client

#endif  // TALKJSD_CLIENT_STREAM_IMPL_H_
