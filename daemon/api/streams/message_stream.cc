#include "daemon/api/streams/message_stream.h"

#include <prometheus/counter.h>

#include <algorithm>
#include <utility>

#include "daemon/api/calls/sessions.h"
#include "daemon/api/codec.h"
#include "daemon/api/convert/convert.h"
#include "daemon/api/errors.h"
#include "daemon/api/limits.h"
#include "daemon/api/streams/batch.h"

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
      // Sequences grow over all epochs, and an epoch may have lost all of its events.
      return position.sequence < start.cursor.sequence ? v1::STREAM_START_AFTER_ROLLBACK
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

void CountGap(Metrics& metrics, journal::GapInfo::Reason reason) {
  using Reason = journal::GapInfo::Reason;
  (reason == Reason::kExpired       ? metrics.gaps_cursor_expired
   : reason == Reason::kJournalLost ? metrics.gaps_journal_lost
                                    : metrics.gaps_store_damaged)
      ->Increment();
}

// Events are lost, and the status says so.
void CountLoss(Metrics& metrics, const absl::Status& status) {
  using Reason = journal::GapInfo::Reason;
  if (!absl::IsOutOfRange(status)) return;
  const ErrorReason reason = ReasonOf(status);
  CountGap(metrics, reason == v1::ERROR_REASON_CURSOR_EXPIRED ? Reason::kExpired
                    : reason == v1::ERROR_REASON_JOURNAL_LOST ? Reason::kJournalLost
                                                              : Reason::kSegmentDamaged);
}

absl::StatusOr<Subscriptions::OpenedReader> OpenReader(Context& context,
                                                       const v1::StreamMessagesRequest& request,
                                                       const journal::StartPosition& start) {
  journal::Selection selection = ToSelection(request);
  const std::vector<std::string> session_ids = selection.session_ids;
  const auto on_gap =
      request.on_gap() == v1::ON_GAP_CONTINUE ? journal::OnGap::kContinue : journal::OnGap::kFail;
  Subscriptions::OpenedReader opened;
  absl::StatusOr<std::unique_ptr<journal::Reader>> reader =
      context.journal.OpenReader(std::move(selection), start, on_gap, &opened.gap);
  // After the reader is open, so that a session which ends from now on ends in the reader's sight.
  const absl::Status usable = CheckUsable(context.registry, session_ids);
  if (!usable.ok()) return usable;
  if (!reader.ok()) {
    CountLoss(context.metrics, reader.status());
    return reader.status();
  }
  opened.reader = *std::move(reader);
  return opened;
}

}  // namespace

ByteStreamReactor* MessageStream::Open(Context& context, const grpc::CallbackServerContext& call,
                                       const Admitted<v1::StreamMessagesRequest>& admitted) {
  const v1::StreamMessagesRequest& request = admitted.request;
  const absl::StatusOr<journal::StartPosition> start = ToStart(request);
  if (!start.ok()) return RefuseStream(start.status());
  std::string id = MakeId(context);

  const auto open_reader = [&](const journal::StartPosition& from) {
    return OpenReader(context, request, from);
  };
  Subscriptions::OpenedReader opened;
  journal::StartPosition from = *start;
  std::shared_ptr<SubscriptionHold> hold;
  if (!request.has_subscription()) {
    auto reader = open_reader(*start);
    if (!reader.ok()) return RefuseStream(reader.status());
    opened = *std::move(reader);
  } else {
    if (context.subscriptions == nullptr) {
      return RefuseStream(NotImplemented("StreamMessagesRequest.subscription"));
    }
    const bool has_start = request.start_case() != v1::StreamMessagesRequest::START_NOT_SET;
    auto subscribed = context.subscriptions->Open(
        request, has_start ? std::make_optional(*start) : std::nullopt, id, open_reader);
    if (!subscribed.ok()) return RefuseStream(subscribed.status());
    opened = std::move(subscribed->opened);
    from = subscribed->start;
    hold = std::move(subscribed->hold);
  }

  if (opened.gap.has_value()) CountGap(context.metrics, opened.gap->reason);
  v1::StreamMessagesResponse first =
      FirstResponse(context.journal, from, opened.reader->position(), opened.gap);
  first.mutable_opened()->set_stream_id(id);
  const std::vector<std::string> session_ids = ToSelection(request).session_ids;
  auto stream = std::make_shared<MessageStream>(
      context, std::move(id),
      Parts{.permit = admitted.permit,
            .reader = std::move(opened.reader),
            .hold = hold,
            .follows_all = session_ids.empty(),
            .only_session = session_ids.size() == 1 ? session_ids.front() : std::string(),
            .session_count = session_ids.size(),
            .first = std::move(first)});
  if (hold != nullptr) hold->Attach(stream);
  return Launch(std::move(stream), call);
}

MessageStream::MessageStream(Context& context, std::string id, Parts parts)
    : Stream(context, context.metrics.message_streams, "messages", std::move(id)),
      reader_(std::move(parts.reader)),
      hold_(std::move(parts.hold)),
      first_(std::move(parts.first)),
      only_session_(std::move(parts.only_session)),
      session_count_(parts.session_count),
      filter_(context.registry, parts.permit),
      follows_all_(parts.follows_all) {
  SetPermit(std::move(parts.permit));
}

void MessageStream::Describe(StreamInfo& info) const {
  info.session_count = session_count_;
  info.session_id = only_session_;
  if (hold_ != nullptr) info.subscription = hold_->name();
}

Stream::Step MessageStream::Next() {
  written_ = 0;
  Step step = NextResponse();
  NoteProgress(written_, reader_->position().sequence);
  // Before it is sent: its answer may be quick.
  if (hold_ != nullptr) hold_->NoteSent(reader_->position());
  return step;
}

Stream::Step MessageStream::NextResponse() {
  if (first_.has_value()) {
    Write write{Encode(*first_)};
    first_.reset();
    return write;
  }
  if (session_ended_) return SessionDestroyed(only_session_);
  absl::StatusOr<journal::Reader::Batch> batch =
      reader_->Read(kMaxEventsPerResponse, kMaxBytesPerResponse);
  if (!batch.ok()) {
    CountLoss(context_.metrics, batch.status());
    return batch.status();
  }
  const bool had_events = !batch->events.empty();
  if (follows_all_) LeaveOut(batch->events);
  if (!only_session_.empty()) LookForEnd(batch->events);

  if (batch->gap.has_value()) {
    // In the place of what is gone comes an event.
    CountGap(context_.metrics, batch->gap->reason);
    v1::StreamMessagesResponse head;
    v1::MessageEvent& event = *head.add_events();
    event.set_cursor(journal::EncodeCursor(batch->gap->to));
    *event.mutable_event_time() = ToTimestamp(context_.clock.WallMillis());
    *event.mutable_gap() = ToProto(*batch->gap);
    CountWritten(batch->events.size() + 1);
    return Write{EncodeBatch(&head, batch->events)};
  }
  if (!batch->events.empty()) {
    CountWritten(batch->events.size());
    return Write{EncodeBatch(nullptr, batch->events)};
  }
  if (session_ended_) return SessionDestroyed(only_session_);
  if (had_events) {
    // All of it was others'. Saying so keeps the client's cursor within retention, and this thread
    // free for others between two reads.
    v1::StreamMessagesResponse response;
    response.mutable_progress()->set_cursor(journal::EncodeCursor(reader_->position()));
    return Write{Encode(response)};
  }
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

void MessageStream::CountWritten(size_t events) {
  written_ = events;
  context_.metrics.events_delivered->Increment(static_cast<double>(events));
}

void MessageStream::LeaveOut(std::vector<journal::EventRef>& events) {
  if (filter_.PassesAll()) return;
  std::erase_if(events, [this](const journal::EventRef& event) {
    return !event->session_id.empty() && !filter_.Passes(event->session_id);
  });
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

void MessageStream::Release() {
  if (hold_ != nullptr) context_.subscriptions->Release(*hold_);
  reader_.reset();
}

}  // namespace talkjsd::api
