#include <utility>

#include "daemon/session/registry_impl.h"

namespace talkjsd::session {

const Extras* Registry::Impl::FindExtras(const std::string& session_id) const {
  const auto it = entries_.find(session_id);
  return it == entries_.end() ? nullptr : it->second.extras.get();
}

void Registry::Impl::KeepAvailability(const std::string& session_id, const std::string& user_id,
                                      std::optional<std::string> text) {
  MutexLock lock(mutex_);
  const auto it = entries_.find(session_id);
  if (it == entries_.end() || it->second.info.state == State::kDestroyed) return;
  std::unique_ptr<Extras>& extras = it->second.extras;
  session::KeepAvailability(extras, user_id, std::move(text));
  // Under the lock, so that the newest is written last.
  if (extras != nullptr) keeper_.PutExtras(session_id, *extras);
}

std::optional<std::string> Registry::Impl::Availability(const std::string& session_id,
                                                        const std::string& user_id) const {
  MutexLock lock(mutex_);
  const Extras* extras = FindExtras(session_id);
  if (extras == nullptr) return std::nullopt;
  const auto found = extras->availability.find(user_id);
  if (found == extras->availability.end()) return std::nullopt;
  return found->second;
}

std::optional<upstream::PushDevice> Registry::Impl::Device(const std::string& session_id) const {
  MutexLock lock(mutex_);
  const Extras* extras = FindExtras(session_id);
  if (extras == nullptr) return std::nullopt;
  return extras->device;
}

}  // namespace talkjsd::session
