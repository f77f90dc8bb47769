#include <algorithm>
#include <utility>

#include "daemon/emulator/realtime/connection.h"
#include "daemon/wire/frame.h"

namespace talkjsd::emulator {
namespace {

constexpr size_t kMaxCloseReason = 120;  // of 123 that fit into a close frame

std::string RefusalText(int64_t number, const FaultAction& action) {
  return wire::EncodeResponse(number, action.status,
                              wire::EncodeErrorData(action.error_code, action.reasons));
}

// The events are written by us: the type comes first.
std::string_view TypeOf(std::string_view event) {
  constexpr std::string_view kBefore = R"({"type":")";
  if (!event.starts_with(kBefore)) return {};
  event.remove_prefix(kBefore.size());
  return event.substr(0, event.find('"'));
}

// The first half, in whole characters: always a broken JSON array.
std::string FirstHalf(const std::string& text) {
  size_t size = text.size() / 2;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return text.substr(0, size);
}

}  // namespace

// --- what faults and the control endpoint do to a socket ---

std::string_view Connection::state() const {
  if (closing_) return "closing";
  if (wire_ != nullptr && wire_->half_open()) return "half_open";
  return wire_ != nullptr && wire_->stalled() ? "stalled" : "open";
}

void Connection::Close(uint16_t code, std::string_view reason) {
  if (socket_ == nullptr || closing_) return;
  acked_ = next_publish_ - 1;  // nothing is waited for any more
  SendHeld();
  closing_ = true;
  socket_->Close(code, reason.substr(0, kMaxCloseReason));
}

void Connection::Drop(bool reset) {
  if (socket_ == nullptr) return;
  closing_ = true;
  if (reset) return socket_->Reset();
  socket_->Abort();
}

void Connection::Stall(Duration time) { Wire().Stall(time); }

void Connection::HalfOpen() { Wire().HalfOpen(); }

void Connection::Resume() {
  if (wire_ == nullptr) return;
  wire_->Resume();
  Pump();
}

void Connection::AnnounceRestart(Duration time) {
  if (socket_ == nullptr || closing_ || restart_ != nullptr) return;
  restart_ = std::make_unique<net::Timer>(app_.loop(), [this] { Drop(false); });
  restart_->Set(app_.wire_clock().Now() + time);
  Deliver({std::make_shared<const std::string>(R"({"type":"upstream.restarting"})")});
}

FaultWire& Connection::Wire() {
  if (wire_ == nullptr) {
    wire_ = std::make_unique<FaultWire>(app_.loop(), app_.wire_clock(), [this] { Pump(); });
  }
  return *wire_;
}

void Connection::Pump() {
  while (!closing_) {
    auto frame = wire_->TakeOut();
    if (!frame) break;
    socket_->SendText(std::move(frame->text), frame->gap);
  }
  while (!closing_) {
    const auto frame = wire_->TakeIn();
    if (!frame) break;
    Handle(frame->text, frame->examined);
  }
}

void Connection::Defer(std::function<void(Connection&)> action) {
  app_.loop().Post([&app = app_, id = id_, action = std::move(action)] {
    const auto found = app.connections().find(id);
    if (found != app.connections().end()) action(*found->second);
  });
}

// --- faults at frames ---

Connection::Verdict Connection::FaultOfSocket(const FaultAction& action) {
  switch (action.kind) {
    case FaultKind::kDrop:
    case FaultKind::kReset:
      Drop(action.kind == FaultKind::kReset);
      return Verdict::kDone;
    case FaultKind::kClose:
      Close(action.code, action.reason);
      return Verdict::kDone;
    case FaultKind::kHalfOpen:
      HalfOpen();
      return Verdict::kDone;
    case FaultKind::kStall:
      Stall(action.time);
      return Verdict::kGoOn;
    case FaultKind::kRestart:
      // Behind the frame at which it happens.
      Defer([time = action.time](Connection& connection) { connection.AnnounceRestart(time); });
      return Verdict::kGoOn;
    default:
      return Verdict::kGoOn;
  }
}

Connection::Verdict Connection::FaultAtRequest(const wire::RequestFrame& request,
                                               std::string_view text) {
  const auto fault =
      app_.faults().Find({FaultPoint::kRequest, user_id(), request.method, request.path, nullptr});
  if (!fault) return Verdict::kGoOn;
  switch (fault->kind) {
    case FaultKind::kLose:
      return Verdict::kDone;
    case FaultKind::kDuplicate:
      Perform(request);
      return Verdict::kGoOn;
    case FaultKind::kDelay:
    case FaultKind::kStall:
      if (fault->kind == FaultKind::kStall) Stall(fault->time);
      Wire().KeepIn(std::string(text), true, fault->time);
      return Verdict::kDone;
    case FaultKind::kExpire:
      ExpireSession();
      return Verdict::kGoOn;
    case FaultKind::kStatus:
      Send(RefusalText(request.number, *fault), Duration::zero());
      return Verdict::kDone;
    default:
      return FaultOfSocket(*fault);
  }
}

Connection::Verdict Connection::FaultAtAnswer(const wire::RequestFrame& request,
                                              std::string& text) {
  const auto fault =
      app_.faults().Find({FaultPoint::kAnswer, user_id(), request.method, request.path, nullptr});
  if (!fault) return Verdict::kGoOn;
  if (fault->kind != FaultKind::kStatus) return FaultAtSent(*fault, text, Duration::zero());
  text = RefusalText(request.number, *fault);
  return Verdict::kGoOn;
}

void Connection::DeliverWithFaults(const std::vector<EventText>& events) {
  std::vector<std::string_view> types;
  for (const EventText& event : events) types.push_back(TypeOf(*event));
  const auto fault = app_.faults().Find({FaultPoint::kPublish, user_id(), "", "", &types});
  if (fault && fault->kind == FaultKind::kLose) {
    std::vector<EventText> left;
    for (size_t i = 0; i < events.size() && !fault->event.empty(); ++i) {
      if (!GlobMatches(fault->event, types[i])) left.push_back(events[i]);
    }
    if (!left.empty()) Send(PublishText(left), GapBeforePublish());
    return;
  }
  if (fault && fault->renumber) Send(PublishText(events), GapBeforePublish());
  const int64_t behind = AckToAwait();
  std::string text = PublishText(events);
  const Duration gap = GapBeforePublish();
  if (fault && !fault->renumber && FaultAtSent(*fault, text, gap) == Verdict::kDone) return;
  Send(std::move(text), gap, behind);
}

Connection::Verdict Connection::FaultAtSent(const FaultAction& action, std::string& text,
                                            Duration gap) {
  switch (action.kind) {
    case FaultKind::kLose:
      return Verdict::kDone;
    case FaultKind::kDuplicate:
      Send(text, gap);
      return Verdict::kGoOn;
    case FaultKind::kDelay:
      Wire().KeepOut(std::move(text), gap, action.time);
      return Verdict::kDone;
    case FaultKind::kTear:
      if (!closing_) socket_->SendTorn(std::move(text));
      closing_ = true;
      return Verdict::kDone;
    case FaultKind::kCorrupt:
      text = FirstHalf(text);
      return Verdict::kGoOn;
    case FaultKind::kExpire:
      // A flush must not change who is subscribed.
      Defer([](Connection& connection) { connection.ExpireSession(); });
      return Verdict::kGoOn;
    default:
      return FaultOfSocket(action);
  }
}

}  // namespace talkjsd::emulator
