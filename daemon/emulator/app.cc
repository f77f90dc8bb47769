#include "daemon/emulator/app.h"

namespace talkjsd::emulator {

App::App(net::EventLoop& loop, const Clock& clock, Random& random, std::string app_id,
         Secret secret_key, ContentRules content_rules)
    : loop_(loop),
      clock_(clock),
      authenticator_(std::move(app_id), std::move(secret_key), clock),
      content_rules_(content_rules),
      world_(clock, random),
      publisher_(world_),
      files_(random),
      typing_end_(loop, [this] {
        world_.ExpireTyping();
        Settle();
      }) {
  world_.OnChange([this](const Change& change) { publisher_.Publish(change); });
}

void App::Settle() {
  publisher_.Flush();
  typing_end_.Set(world_.NextTypingEnd());
}

}  // namespace talkjsd::emulator
