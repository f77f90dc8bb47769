#include "daemon/emulator/realtime/connection.h"

#include <algorithm>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/emulator/calls/request.h"
#include "daemon/emulator/decisions.h"
#include "daemon/emulator/model/encode.h"
#include "daemon/emulator/refusal.h"
#include "daemon/wire/frame.h"
#include "daemon/wire/path.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

constexpr uint16_t kCloseProtocolError = 1002;
// Tokens may be valid for centuries; timers are set for so long at most, and then again.
constexpr int64_t kLongestTimerMillis = int64_t{24} * 60 * 60 * 1000;

bool ChangesWorld(const wire::RequestFrame& request) {
  return request.method != "GET" && !request.method.ends_with("SUBSCRIBE") &&
         request.path != "/session/renew";
}

bool IsSubscription(std::string_view method) {
  return method == "SUBSCRIBE" || method == "UNSUBSCRIBE";
}

}  // namespace

Connection::Connection(App& app, std::string user_id, bool known_app, std::string client_id)
    : Subscriber(std::move(user_id), std::move(client_id)), app_(app), known_app_(known_app) {}

Connection::~Connection() {
  app_.RemoveConnection(id_);
  app_.publisher().Remove(*this);
}

void Connection::OnOpen(net::ServerSocket* socket) {
  socket_ = socket;
  id_ = app_.AddConnection(*this);
  opened_at_ = app_.clock().WallMillis();
  if (fault_at_open_ != nullptr) FaultOfSocket(*fault_at_open_);
}

void Connection::OnClosed() {
  app_.RemoveConnection(id_);
  socket_ = nullptr;
  expiry_.reset();
  restart_.reset();
  wire_.reset();
  held_.reset();
  app_.publisher().Remove(*this);
  app_.Settle();
}

void Connection::OnText(std::string_view text) {
  if (closing_) return;
  if (wire_ == nullptr || wire_->PassesIn()) return Handle(text, false);
  if (wire_->kept_bytes() > kMaxQueuedBytes) return Drop(false);
  wire_->KeepIn(std::string(text), false, Duration::zero());
}

void Connection::Handle(std::string_view text, bool examined) {
  auto frame = wire::DecodeClientFrame(text);
  if (!frame.ok()) return Close(kCloseProtocolError, MessageOf(frame.status()));
  if (const auto* ack = std::get_if<wire::AckFrame>(&*frame)) return OnAck(ack->number);
  const auto& request = std::get<wire::RequestFrame>(*frame);
  if (!examined && app_.faults().Watches(FaultPoint::kRequest) &&
      FaultAtRequest(request, text) == Verdict::kDone) {
    return;
  }
  Perform(request);
}

void Connection::Perform(const wire::RequestFrame& request) {
  const CallResult result = app_.Perform(ChangesWorld(request), [&] { return Answer(request); });
  SendAnswer(request, result);
}

CallResult Connection::Answer(const wire::RequestFrame& request) {
  if (request.path == "/ping" && request.method == "GET") return json::object();
  if (request.path == "/session/renew" && request.method == "POST") return RenewSession(request);
  if (!logged_in_) return Unauthorized("not logged in");
  const auto path = wire::SplitPath(request.path);
  if (!path.has_value()) return BadRequest("the path is not percent-encoded UTF-8");
  if (IsSubscription(request.method)) return ChangeSubscription(request, *path);
  Call call{app_.world(), app_.content_rules(), app_.files(), user_id(), {}, request.data};
  return app_.realtime().Route(request.method, *path, call);
}

// --- login ---

CallResult Connection::RenewSession(const wire::RequestFrame& request) {
  const auto token = RequiredText(request.data, "token");
  if (!token.ok()) return token.status();
  if (!known_app_) return Unauthorized("there is no app with that id");
  const auto login = app_.authenticator().CheckUser(*token, user_id());
  if (!login.ok()) return login.status();
  logged_in_ = true;
  app_.publisher().Add(*this);
  SetExpiry(login->expires);
  json::object answer;
  answer["expiresInSeconds"] = nullptr;
  if (login->expires) {
    const int64_t millis = *login->expires * 1000 - app_.clock().WallMillis();
    answer["expiresInSeconds"] = std::max<int64_t>(0, millis / 1000);
  }
  return answer;
}

void Connection::SetExpiry(std::optional<int64_t> expires) {
  expires_ = expires;
  if (expires_ && expiry_ == nullptr) {
    expiry_ = std::make_unique<VirtualTimer>(app_.virtual_clock(), [this] { CheckExpiry(); });
  }
  if (expiry_ != nullptr) CheckExpiry();
}

void Connection::CheckExpiry() {
  if (!logged_in_ || !expires_) return expiry_->Set(kNever);
  const int64_t left = *expires_ * 1000 - app_.clock().WallMillis();
  if (left <= 0) return ExpireSession();
  expiry_->Set(app_.clock().Now() + std::chrono::milliseconds(std::min(left, kLongestTimerMillis)));
}

void Connection::ExpireSession() {
  if (!logged_in_ || socket_ == nullptr) return;
  logged_in_ = false;
  app_.publisher().Remove(*this);
  app_.Settle();
  Deliver({std::make_shared<const std::string>(R"({"type":"session.expired"})")});
}

// --- subscriptions ---

CallResult Connection::ChangeSubscription(const wire::RequestFrame& request,
                                          const std::vector<std::string>& path) {
  std::vector<Topic> topics;
  if (path.size() == 1 && path[0] == "users") {
    const auto ids = TextList(request.data, "ids");
    if (!ids.ok()) return ids.status();
    if (ids->size() > kMaxUserIdsPerCall) return BadRequest("ids: at most 1000");
    for (const std::string& id : *ids) topics.push_back({Topic::Kind::kUser, id});
  } else if (auto topic = ParseTopic(path)) {
    topics.push_back(*std::move(topic));
  } else {
    return Refuse(405, "METHOD_NOT_ALLOWED", "nothing that one could subscribe to");
  }
  for (const Topic& topic : topics) {
    if (request.method == "SUBSCRIBE") {
      app_.publisher().Subscribe(*this, topic);
    } else {
      app_.publisher().Unsubscribe(*this, topic);
    }
  }
  return json::object();
}

// --- writing ---

void Connection::SendAnswer(const wire::RequestFrame& request, const CallResult& result) {
  if (socket_ == nullptr || closing_) return;
  if (request.method == "GET" && request.path != "/ping") {
    gap_ = OpenGap{app_.wire_clock().Now(), socket_->QueuedBytes() > 0};
  }
  std::string text;
  if (result.ok()) {
    text = wire::EncodeResponse(request.number, 200, *result);
  } else {
    const Refusal refusal = RefusalOf(result.status());
    text = wire::EncodeResponse(request.number, refusal.status, EncodeRefusal(refusal));
  }
  if (app_.faults().Watches(FaultPoint::kAnswer) &&
      FaultAtAnswer(request, text) == Verdict::kDone) {
    return;
  }
  Send(std::move(text), Duration::zero());
}

void Connection::Deliver(const std::vector<EventText>& events) {
  if (socket_ == nullptr || closing_) return;
  if (app_.faults().Watches(FaultPoint::kPublish)) return DeliverWithFaults(events);
  const int64_t behind = AckToAwait();
  Send(PublishText(events), GapBeforePublish(), behind);
}

// The ACK shows that the client has read what these events build on. It is waited for only if this
// client is known to send any.
int64_t Connection::AckToAwait() const {
  const int64_t newest = next_publish_ - 1;
  return builds_on_fresh() && acked_ > 0 && acked_ < newest ? newest : 0;
}

std::string Connection::PublishText(const std::vector<EventText>& events) {
  std::string text = "[" + std::to_string(next_publish_++) + ",\"PUBLISH\"";
  for (const EventText& event : events) text.append(",").append(*event);
  text.push_back(']');
  return text;
}

Duration Connection::GapBeforePublish() {
  if (!gap_) return builds_on_fresh() ? kGapBetweenReads : Duration::zero();
  const bool long_ago = !gap_->was_held_up && socket_->QueuedBytes() == 0 &&
                        app_.wire_clock().Now() - gap_->sent >= kGapBetweenReads;
  gap_.reset();
  return long_ago && !builds_on_fresh() ? Duration::zero() : kGapBetweenReads;
}

void Connection::OnAck(int64_t number) {
  if (number >= next_publish_) return;
  acked_ = std::max(acked_, number);
  SendHeld();
}

void Connection::SendHeld() {
  while (held_ != nullptr && !held_->frames.empty() && held_->frames.front().behind <= acked_) {
    Held::Frame frame = std::move(held_->frames.front());
    held_->frames.pop_front();
    held_->bytes -= frame.text.size();
    SendNow(std::move(frame.text), frame.gap);
  }
}

void Connection::Send(std::string text, Duration gap, int64_t behind) {
  if (closing_) return;
  const size_t kept = (wire_ == nullptr ? 0 : wire_->kept_bytes()) + (held_ ? held_->bytes : 0);
  if (socket_->QueuedBytes() + kept > kMaxQueuedBytes) {
    LogWarning("client does not read, connection dropped", {{"user", user_id()}});
    return Drop(false);
  }
  const bool holds = held_ != nullptr && !held_->frames.empty();
  if (!holds && behind <= acked_) return SendNow(std::move(text), gap);
  if (held_ == nullptr) {
    held_ = std::make_unique<Held>(app_.loop(), [this] {
      // This client does not acknowledge after all: nothing more is waited for until it does.
      acked_ = next_publish_ - 1;
      SendHeld();
      acked_ = 0;
    });
  }
  if (!holds) held_->timer.Set(app_.wire_clock().Now() + kLongestWaitForAck);
  held_->bytes += text.size();
  held_->frames.push_back({std::move(text), gap, behind});
}

void Connection::SendNow(std::string text, Duration gap) {
  if (closing_) return;
  if (wire_ != nullptr && !wire_->PassesOut()) {
    return wire_->KeepOut(std::move(text), gap, Duration::zero());
  }
  socket_->SendText(std::move(text), gap);
}

}  // namespace talkjsd::emulator
