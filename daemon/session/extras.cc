#include "daemon/session/extras.h"

#include <utility>

namespace talkjsd::session {
namespace {

constexpr size_t kMaxAvailabilities = 1000;

}  // namespace

std::unique_ptr<Extras> MakeExtras(const CreateRequest& request) {
  std::unique_ptr<Extras> extras;
  if (request.user_id.has_value()) {
    KeepAvailability(extras, *request.user_id, request.availability_text);
  }
  if (request.device.has_value()) {
    if (extras == nullptr) extras = std::make_unique<Extras>();
    extras->device = request.device;
    extras->enable_push = request.enable_push;
  }
  return extras;
}

void KeepAvailability(std::unique_ptr<Extras>& extras, const std::string& user_id,
                      std::optional<std::string> text) {
  if (!text.has_value()) {
    if (extras != nullptr) extras->availability.erase(user_id);
    return;
  }
  if (extras == nullptr) extras = std::make_unique<Extras>();
  auto& availability = extras->availability;
  if (availability.size() >= kMaxAvailabilities && !availability.contains(user_id)) {
    availability.erase(availability.begin());
  }
  availability[user_id] = *std::move(text);
}

}  // namespace talkjsd::session
