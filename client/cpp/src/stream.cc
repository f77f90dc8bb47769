#include "talkjsd/stream.h"

#include <utility>

#include "stream_impl.h"

namespace talkjsd::client {

MessageStream::Impl::Impl(std::shared_ptr<Connection> connection,
                          const v1::StreamMessagesRequest& request, MessageStreamOptions options)
    : stub_(v1::EventService::NewStub(connection->channel())),
      request_(request),
      options_(std::move(options)),
      reader_(std::move(connection), options_, [this](grpc::ClientContext* context) {
        if (!cursor_.empty()) request_.set_cursor(cursor_);
        return stub_->StreamMessages(context, request_);
      }) {}

bool MessageStream::Impl::Next(v1::MessageEvent* event) {
  for (;;) {
    if (next_event_ < response_.events_size()) {
      event->Swap(response_.mutable_events(next_event_++));
      cursor_ = event->cursor();
      return true;
    }
    EndOfResponse();
    if (!reader_.Read(&response_)) return false;
    next_event_ = 0;
    if (response_.has_opened()) {
      cursor_ = response_.opened().cursor();
      stream_id_ = response_.opened().stream_id();
      if (options_.on_opened) options_.on_opened(response_.opened());
    }
    if (response_.has_gap()) {
      // Told as an event, so that a program has one place where it learns of gaps.
      event->Clear();
      event->set_cursor(cursor_);
      event->mutable_gap()->Swap(response_.mutable_gap());
      return true;
    }
  }
}

// caught_up and progress count after the events that came with them.
void MessageStream::Impl::EndOfResponse() {
  if (response_.has_caught_up()) {
    cursor_ = response_.caught_up().cursor();
    if (options_.on_caught_up) options_.on_caught_up();
  }
  if (response_.has_progress()) {
    cursor_ = response_.progress().cursor();
    if (options_.on_progress) options_.on_progress(cursor_);
  }
  response_.Clear();
  next_event_ = 0;
}

MessageStream::MessageStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MessageStream::~MessageStream() = default;
bool MessageStream::Next(v1::MessageEvent* event) { return impl_->Next(event); }
const std::string& MessageStream::cursor() const { return impl_->cursor(); }
const std::string& MessageStream::stream_id() const { return impl_->stream_id(); }
const Status& MessageStream::status() const { return impl_->reader().status(); }
void MessageStream::Cancel() { impl_->reader().Cancel(); }

UnreadsStream::Impl::Impl(std::shared_ptr<Connection> connection,
                          const v1::StreamUnreadsRequest& request, UnreadsStreamOptions options)
    : stub_(v1::EventService::NewStub(connection->channel())),
      request_(request),
      options_(std::move(options)),
      reader_(std::move(connection), options_, [this](grpc::ClientContext* context) {
        return stub_->StreamUnreads(context, request_);
      }) {}

bool UnreadsStream::Impl::Next(v1::UnreadsList* list) {
  v1::StreamUnreadsResponse response;
  while (reader_.Read(&response)) {
    if (response.has_opened() && options_.on_opened) options_.on_opened(response.opened());
    if (response.has_session_state() && options_.on_session_state) {
      options_.on_session_state(response.session_state());
    }
    if (response.has_unreads()) {
      list->Swap(response.mutable_unreads());
      return true;
    }
  }
  return false;
}

UnreadsStream::UnreadsStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
UnreadsStream::~UnreadsStream() = default;
bool UnreadsStream::Next(v1::UnreadsList* list) { return impl_->Next(list); }
const Status& UnreadsStream::status() const { return impl_->reader().status(); }
void UnreadsStream::Cancel() { impl_->reader().Cancel(); }

SessionWatch::Impl::Impl(std::shared_ptr<Connection> connection,
                         const v1::WatchSessionsRequest& request, SessionWatchOptions options)
    : stub_(v1::SessionService::NewStub(connection->channel())),
      request_(request),
      options_(std::move(options)),
      reader_(std::move(connection), options_, [this](grpc::ClientContext* context) {
        return stub_->WatchSessions(context, request_);
      }) {}

bool SessionWatch::Impl::Next(v1::Session* session) {
  for (;;) {
    if (next_session_ < response_.sessions_size()) {
      session->Swap(response_.mutable_sessions(next_session_++));
      return true;
    }
    if (response_.snapshot_complete() && options_.on_snapshot_complete) {
      options_.on_snapshot_complete();
    }
    response_.Clear();
    next_session_ = 0;
    if (!reader_.Read(&response_)) return false;
  }
}

SessionWatch::SessionWatch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SessionWatch::~SessionWatch() = default;
bool SessionWatch::Next(v1::Session* session) { return impl_->Next(session); }
const Status& SessionWatch::status() const { return impl_->reader().status(); }
void SessionWatch::Cancel() { impl_->reader().Cancel(); }

}  // namespace talkjsd::client
