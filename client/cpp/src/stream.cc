#include "talkjsd/stream.h"

#include <utility>

#include "stream_impl.h"

namespace talkjsd::client {

MessageStream::Impl::Impl(std::shared_ptr<Connection> connection,
                          const v1::StreamMessagesRequest& request, MessageStreamOptions options,
                          std::chrono::milliseconds call_timeout)
    : connection_(std::move(connection)),
      stub_(v1::EventService::NewStub(connection_->channel())),
      request_(request),
      options_(std::move(options)),
      call_timeout_(call_timeout),
      recent_(options_.remembered_messages),
      reader_(connection_, options_, [this](grpc::ClientContext* context) {
        return stub_->StreamMessages(context, RequestAsOfNow());
      }) {}

v1::StreamMessagesRequest MessageStream::Impl::RequestAsOfNow() const {
  v1::StreamMessagesRequest request = request_;
  if (!cursor_.empty()) request.set_cursor(cursor_);
  // A cut connection may be open for the daemon still.
  if (request.has_subscription() && !stream_id_.empty()) {
    request.mutable_subscription()->set_replaces_stream_id(stream_id_);
  }
  return request;
}

// The next event of the response; false if it has none left.
bool MessageStream::Impl::TakeEvent(v1::MessageEvent* event) {
  while (next_event_ < response_.events_size()) {
    event->Swap(response_.mutable_events(next_event_++));
    cursor_ = event->cursor();
    if (!event->has_sent() || recent_.Add(event->session_id(), event->sent().id())) return true;
  }
  return false;
}

bool MessageStream::Impl::Next(v1::MessageEvent* event) {
  for (;;) {
    if (TakeEvent(event)) return true;
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

Status MessageStream::Impl::Acknowledge() {
  if (!request_.has_subscription()) {
    Status status;
    status.code = Code::kInvalidArgument;
    status.message = "the stream has no named subscription; set one in its request";
    return status;
  }
  if (cursor_.empty()) return {};  // nothing has come that could be acknowledged
  v1::AcknowledgeRequest request;
  request.set_name(request_.subscription().name());
  request.set_stream_id(stream_id_);
  request.set_cursor(cursor_);
  v1::AcknowledgeResponse response;
  grpc::ClientContext context;
  connection_->Prepare(&context);
  context.set_deadline(std::chrono::system_clock::now() + call_timeout_);
  return connection_->FromGrpc(stub_->Acknowledge(&context, request, &response));
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
Status MessageStream::Acknowledge() { return impl_->Acknowledge(); }
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
