#include "daemon/emulator/app.h"

namespace talkjsd::emulator {

App::App(net::EventLoop& loop, const Clock& clock, Random& random, std::string app_id,
         Secret secret_key, ContentRules content_rules)
    : loop_(loop),
      clock_(loop, clock),
      authenticator_(std::move(app_id), std::move(secret_key), clock_),
      content_rules_(content_rules),
      world_(clock_, random),
      publisher_(world_),
      typing_end_(clock_, [this] {
        world_.ExpireTyping();
        Settle();
      }) {
  world_.OnChange([this](const Change& change) { publisher_.Publish(change); });
}

int64_t App::AddConnection(Connection& connection) {
  const int64_t id = next_connection_id_++;
  connections_[id] = &connection;
  return id;
}

void App::Settle() {
  publisher_.Flush();
  typing_end_.Set(world_.NextTypingEnd());
}

}  // namespace talkjsd::emulator
