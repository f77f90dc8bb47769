#include "daemon/emulator/connection.h"

#include <algorithm>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/emulator/decisions.h"
#include "daemon/emulator/encode.h"
#include "daemon/emulator/refusal.h"
#include "daemon/emulator/request.h"
#include "daemon/wire/frame.h"
#include "daemon/wire/path.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

constexpr uint16_t kCloseProtocolError = 1002;
constexpr size_t kMaxCloseReason = 120;  // of 123 that fit into a close frame
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

Connection::Connection(App& app, std::string user_id, std::string client_id, bool known_app)
    : Subscriber(std::move(user_id), std::move(client_id)), app_(app), known_app_(known_app) {}

Connection::~Connection() { app_.publisher().Remove(*this); }

void Connection::OnClosed() {
  socket_ = nullptr;
  expiry_.reset();
  app_.publisher().Remove(*this);
  app_.Settle();
}

void Connection::OnText(std::string_view text) {
  if (closing_) return;
  auto frame = wire::DecodeClientFrame(text);
  if (!frame.ok()) {
    closing_ = true;
    socket_->Close(kCloseProtocolError, MessageOf(frame.status()).substr(0, kMaxCloseReason));
    return;
  }
  if (std::holds_alternative<wire::AckFrame>(*frame)) return;
  const auto& request = std::get<wire::RequestFrame>(*frame);
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
    expiry_ = std::make_unique<net::Timer>(app_.loop(), [this] { CheckExpiry(); });
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
  if (socket_ == nullptr) return;
  if (request.method == "GET" && request.path != "/ping") {
    gap_ = OpenGap{app_.clock().Now(), socket_->QueuedBytes() > 0};
  }
  if (result.ok()) {
    Send(wire::EncodeResponse(request.number, 200, *result), Duration::zero());
    return;
  }
  const Refusal refusal = RefusalOf(result.status());
  Send(wire::EncodeResponse(request.number, refusal.status, EncodeRefusal(refusal)),
       Duration::zero());
}

void Connection::Deliver(const std::vector<EventText>& events) {
  if (socket_ == nullptr) return;
  std::string text = "[" + std::to_string(next_publish_++) + ",\"PUBLISH\"";
  for (const EventText& event : events) text.append(",").append(*event);
  text.push_back(']');
  Duration delay = Duration::zero();
  if (gap_) {
    const bool long_ago = !gap_->was_held_up && socket_->QueuedBytes() == 0 &&
                          app_.clock().Now() - gap_->sent >= kGapAfterAnswer;
    if (!long_ago) delay = kGapAfterAnswer;
    gap_.reset();
  }
  Send(std::move(text), delay);
}

void Connection::Send(std::string text, Duration delay) {
  if (closing_) return;
  if (socket_->QueuedBytes() > kMaxQueuedBytes) {
    closing_ = true;
    LogWarning("client does not read, connection dropped", {{"user", user_id()}});
    socket_->Abort();
    return;
  }
  socket_->SendText(std::move(text), delay);
}

}  // namespace talkjsd::emulator
