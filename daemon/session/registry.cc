#include "daemon/session/registry.h"

#include <utility>

#include "daemon/session/registry_impl.h"

namespace talkjsd::session {

Registry::Registry(Options options, Environment environment)
    : impl_(std::make_unique<Impl>(std::move(options), environment)) {
  impl_->Start();
}

Registry::~Registry() { Stop(); }

absl::Status Registry::Restore() { return impl_->Restore(); }

void Registry::SetMaxSessions(int count) { impl_->SetMaxSessions(count); }

absl::StatusOr<Registry::Created> Registry::Create(CreateRequest request) {
  return impl_->Create(std::move(request));
}
absl::StatusOr<Info> Registry::SetMe(const std::string& session_id, const std::string& user_id,
                                     std::optional<upstream::UserWrite> attributes) {
  return impl_->SetMe(session_id, user_id, std::move(attributes));
}
absl::StatusOr<Info> Registry::SetToken(const std::string& session_id, Secret token) {
  return impl_->SetToken(session_id, std::move(token));
}
absl::Status Registry::CheckProvider(const std::string& session_id,
                                     const std::string& provider_name) const {
  return impl_->CheckProvider(session_id, provider_name);
}
absl::StatusOr<Info> Registry::Get(const std::string& session_id) const {
  return impl_->Get(session_id);
}
absl::StatusOr<Info> Registry::GetAlive(const std::string& session_id) const {
  auto info = impl_->Get(session_id);
  if (info.ok() && info->state == State::kDestroyed) return SessionDestroyed();
  return info;
}
std::vector<Info> Registry::List() const { return impl_->List(); }
void Registry::Destroy(const std::string& session_id,
                       std::function<void(const absl::Status&)> done) {
  impl_->Destroy(session_id, std::move(done));
}
void Registry::Call(const std::string& session_id, upstream::Request request, Duration timeout,
                    CallDone done) {
  impl_->Call(session_id, std::move(request), timeout, std::move(done));
}
void Registry::CheckApp(const std::string& app_id, Duration timeout, upstream::AppCheckDone done) {
  impl_->CheckApp(app_id, timeout, std::move(done));
}
void Registry::KeepAvailability(const std::string& session_id, const std::string& user_id,
                                std::optional<std::string> text) {
  impl_->KeepAvailability(session_id, user_id, std::move(text));
}
std::optional<std::string> Registry::Availability(const std::string& session_id,
                                                  const std::string& user_id) const {
  return impl_->Availability(session_id, user_id);
}
std::optional<upstream::PushDevice> Registry::Device(const std::string& session_id) const {
  return impl_->Device(session_id);
}
std::vector<Info> Registry::ChangesSince(uint64_t* version) const {
  return impl_->ChangesSince(version);
}
uint64_t Registry::NotifyOfChange(uint64_t version, std::function<void()> ready) {
  return impl_->NotifyOfChange(version, std::move(ready));
}
void Registry::Cancel(uint64_t handle) { impl_->Cancel(handle); }
UnreadsBoard& Registry::unreads() { return impl_->unreads; }
upstream::TokenBroker& Registry::token_broker() { return impl_->token_broker(); }
void Registry::Ping(std::function<void()> alive) { impl_->Ping(std::move(alive)); }
void Registry::Stop() { impl_->Stop(); }

}  // namespace talkjsd::session
