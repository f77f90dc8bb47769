#include "tests/unit/simulation/sim_upstream.h"

#include <algorithm>
#include <utility>

#include "daemon/emulator/decisions.h"

namespace talkjsd::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// How long a client waits for a socket to open that nobody answers, and the emulator for a silent
// client to go on.
constexpr Duration kConnectTimeout = seconds(10);

// The emulator's timers hang on a loop that does not run here.
constexpr Duration kEmulatorTick = seconds(1);

}  // namespace

// --- a socket ---

void SimSocket::Accept(const std::string& user) {
  if (owner_ == nullptr || broken_) return;
  if (upstream_.weather_ != SimUpstream::Weather::kFair) {
    TellOwner(absl::UnavailableError("connection reset"));
    return;
  }
  server_ = std::make_unique<emulator::Connection>(upstream_.app_, user, true, "sim");
  id_ = ++upstream_.last_id_;
  upstream_.sockets_.emplace(id_, shared_from_this());
  server_->OnOpen(this);
  last_down_ = upstream_.schedule_.Now() + upstream_.Latency();
  upstream_.schedule_.At(last_down_, [self = shared_from_this()] {
    if (!self->broken_ && self->owner_ != nullptr) self->owner_->OnSocketOpen();
  });
}

void SimSocket::Send(std::string text) {
  last_up_ = std::max(last_up_, upstream_.schedule_.Now() + upstream_.Latency());
  upstream_.schedule_.At(last_up_, [self = shared_from_this(), text = std::move(text)] {
    if (!self->broken_ && self->server_ != nullptr) self->server_->OnText(text);
  });
}

void SimSocket::SendText(std::string text, Duration delay) {
  last_down_ = std::max(last_down_, upstream_.schedule_.Now() + upstream_.Latency()) + delay;
  upstream_.schedule_.At(last_down_, [self = shared_from_this(), text = std::move(text)] {
    if (!self->broken_ && self->owner_ != nullptr) self->owner_->OnSocketText(text);
  });
}

void SimSocket::Abandon() {
  owner_ = nullptr;
  if (broken_) return;
  upstream_.schedule_.After(upstream_.Latency(), [self = shared_from_this()] {
    if (!self->broken_) self->CloseServer();
  });
}

void SimSocket::Break(bool silently) {
  if (broken_) return;
  broken_ = true;
  const Duration until_noticed = silently ? emulator::kIdleTimeout : Duration::zero();
  upstream_.schedule_.After(until_noticed, [self = shared_from_this()] { self->CloseServer(); });
  if (silently) return;
  upstream_.schedule_.After(upstream_.Latency(), [self = shared_from_this()] {
    self->TellOwner(absl::UnavailableError("connection reset"));
  });
}

void SimSocket::Close(uint16_t, std::string_view) { Break(/*silently=*/false); }

void SimSocket::CloseServer() {
  if (server_ == nullptr) return;
  server_->OnClosed();
  server_ = nullptr;
  upstream_.sockets_.erase(id_);
}

void SimSocket::TellOwner(const absl::Status& why) {
  if (owner_ == nullptr) return;
  std::exchange(owner_, nullptr)->OnSocketClosed(why);
}

// --- the upstream ---

SimUpstream::SimUpstream(Schedule& schedule, const Clock& clock, uint64_t seed)
    : schedule_(schedule),
      random_(seed),
      app_random_(seed + 1),
      app_(loop_, clock, app_random_, kAppId, Secret(kAppKey), emulator::ContentRules{}) {
  FireEmulatorTimers();
}

SimUpstream::~SimUpstream() {
  for (const auto& [id, socket] : std::map(sockets_)) {
    socket->owner_ = nullptr;
    socket->broken_ = true;
    socket->CloseServer();
  }
}

void SimUpstream::FireEmulatorTimers() {
  if (!sockets_.empty()) app_.virtual_clock().Advance(Duration::zero());
  schedule_.After(kEmulatorTick, [this] { FireEmulatorTimers(); });
}

Duration SimUpstream::Latency() { return random_.Between(milliseconds(5), milliseconds(50)); }

std::shared_ptr<SimSocket> SimUpstream::Connect(const std::string& user, SocketOwner* owner) {
  auto socket = std::make_shared<SimSocket>(*this, owner);
  switch (weather_) {
    case Weather::kFair:
      schedule_.After(Latency(), [socket, user] { socket->Accept(user); });
      break;
    case Weather::kRefuses:
    case Weather::kSwallows:
      socket->broken_ = true;
      schedule_.After(weather_ == Weather::kRefuses ? Latency() : kConnectTimeout, [socket] {
        socket->TellOwner(absl::UnavailableError("connection refused, or no answer"));
      });
      break;
  }
  return socket;
}

void SimUpstream::BreakAll(const std::function<bool()>& silently) {
  for (const auto& [id, socket] : std::map(sockets_)) socket->Break(silently());
}

}  // namespace talkjsd::simulation
