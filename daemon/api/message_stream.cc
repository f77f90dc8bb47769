#include "daemon/api/message_stream.h"

#include <prometheus/counter.h>

#include <algorithm>
#include <utility>

#include "daemon/api/batch.h"
#include "daemon/api/codec.h"
#include "daemon/api/convert.h"
#include "daemon/api/errors.h"
#include "daemon/api/limits.h"
#include "daemon/api/sessions.h"
#include "daemon/api/validate.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

v1::StreamStart HowStarted(const journal::StartPosition& start, const journal::Cursor& position,
                           bool gap) {
  using Kind = journal::StartPosition::Kind;
  if (gap) return v1::STREAM_START_EARLIEST;
  switch (start.kind) {
    case Kind::kNow:
      return v1::STREAM_START_NOW;
    case Kind::kCursor:
      return position.epoch == start.cursor.epoch && position.sequence < start.cursor.sequence
                 ? v1::STREAM_START_AFTER_ROLLBACK
                 : v1::STREAM_START_AFTER_CURSOR;
    case Kind::kTime:
      return v1::STREAM_START_FROM_TIME;
    case Kind::kEarliest:
      return v1::STREAM_START_EARLIEST;
  }
  return v1::STREAM_START_UNSPECIFIED;
}

v1::StreamMessagesResponse FirstResponse(const journal::Journal& journal,
                                         const journal::StartPosition& start,
                                         const journal::Cursor& position,
                                         const std::optional<journal::GapInfo>& gap) {
  v1::StreamMessagesResponse response;
  v1::Opened& opened = *response.mutable_opened();
  opened.set_cursor(journal::EncodeCursor(position));
  opened.set_start(HowStarted(start, position, gap.has_value()));
  opened.set_earliest_cursor(journal::EncodeCursor(journal.Earliest()));
  opened.mutable_retention()->set_seconds(
      std::chrono::duration_cast<std::chrono::seconds>(journal.retention().age).count());
  opened.set_max_events_per_response(kMaxEventsPerResponse);
  opened.set_max_bytes_per_response(kMaxBytesPerResponse);
  opened.mutable_progress_interval()->set_seconds(
      std::chrono::duration_cast<std::chrono::seconds>(kProgressInterval).count());
  if (gap.has_value()) *response.mutable_gap() = ToProto(*gap);
  return response;
}

}  // namespace

ByteStreamReactor* MessageStream::Open(Context& context, const v1::StreamMessagesRequest& request) {
  if (const absl::Status valid = Validate(request); !valid.ok()) return RefuseStream(valid);
  if (request.has_subscription()) {
    return RefuseStream(NotImplemented("StreamMessagesRequest.subscription"));
  }
  journal::Selection selection = ToSelection(request);
  const std::vector<std::string> session_ids = selection.session_ids;
  const absl::StatusOr<journal::StartPosition> start = ToStart(request);
  if (!start.ok()) return RefuseStream(start.status());

  std::optional<journal::GapInfo> gap;
  const auto on_gap =
      request.on_gap() == v1::ON_GAP_CONTINUE ? journal::OnGap::kContinue : journal::OnGap::kFail;
  absl::StatusOr<std::unique_ptr<journal::Reader>> reader =
      context.journal.OpenReader(std::move(selection), *start, on_gap, &gap);
  // After the reader is open, so that a session which ends from now on ends in the reader's sight.
  const absl::Status usable = CheckUsable(context.registry, session_ids);
  if (!usable.ok()) return RefuseStream(usable);
  if (!reader.ok()) return RefuseStream(reader.status());

  v1::StreamMessagesResponse first =
      FirstResponse(context.journal, *start, (*reader)->position(), gap);
  return Launch(std::make_shared<MessageStream>(
      context, *std::move(reader), std::move(first),
      session_ids.size() == 1 ? session_ids.front() : std::string()));
}

MessageStream::MessageStream(Context& context, std::unique_ptr<journal::Reader> reader,
                             v1::StreamMessagesResponse first, std::string only_session)
    : Stream(context, context.metrics.message_streams),
      reader_(std::move(reader)),
      first_(std::move(first)),
      only_session_(std::move(only_session)) {
  first_->mutable_opened()->set_stream_id(id_);
}

Stream::Step MessageStream::Next() {
  if (first_.has_value()) {
    Write write{Encode(*first_)};
    first_.reset();
    return write;
  }
  if (session_ended_) return SessionDestroyed(only_session_);
  absl::StatusOr<journal::Reader::Batch> batch =
      reader_->Read(kMaxEventsPerResponse, kMaxBytesPerResponse);
  if (!batch.ok()) return batch.status();
  if (!only_session_.empty()) LookForEnd(batch->events);

  if (batch->gap.has_value()) {
    // Retention has overtaken the stream: in the place of what is gone comes an event.
    v1::StreamMessagesResponse head;
    v1::MessageEvent& event = *head.add_events();
    event.set_cursor(journal::EncodeCursor(batch->gap->to));
    *event.mutable_event_time() = ToTimestamp(context_.clock.WallMillis());
    *event.mutable_gap() = ToProto(*batch->gap);
    context_.metrics.events_delivered->Increment(static_cast<double>(batch->events.size() + 1));
    return Write{EncodeBatch(&head, batch->events)};
  }
  if (!batch->events.empty()) {
    context_.metrics.events_delivered->Increment(static_cast<double>(batch->events.size()));
    return Write{EncodeBatch(nullptr, batch->events)};
  }
  if (session_ended_) return SessionDestroyed(only_session_);
  return NextWhenEmpty();
}

Stream::Step MessageStream::NextWhenEmpty() {
  v1::StreamMessagesResponse response;
  if (!caught_up_) {
    caught_up_ = true;
    response.mutable_caught_up()->set_cursor(journal::EncodeCursor(reader_->position()));
    return Write{Encode(response)};
  }
  if (IsQuiet()) {
    // The end comes as an event; this is for one that was appended while the stream opened.
    if (!only_session_.empty() && !context_.registry.GetAlive(only_session_).ok()) {
      return SessionDestroyed(only_session_);
    }
    response.mutable_progress()->set_cursor(journal::EncodeCursor(reader_->position()));
    return Write{Encode(response)};
  }
  return Idle{};
}

void MessageStream::LookForEnd(std::vector<journal::EventRef>& events) {
  const auto end = std::find_if(events.begin(), events.end(), [](const journal::EventRef& event) {
    return event->kind == journal::EventKind::kSessionDestroyed;
  });
  if (end == events.end()) return;
  session_ended_ = true;
  events.erase(end, events.end());
}

void MessageStream::Arm() {
  reader_->NotifyWhenReady([weak = weak_from_this()] {
    if (const std::shared_ptr<Stream> stream = weak.lock()) stream->Wake();
  });
}

void MessageStream::Release() { reader_.reset(); }

}  // namespace talkjsd::api
