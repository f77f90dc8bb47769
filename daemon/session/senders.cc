#include "daemon/session/senders.h"

#include <algorithm>
#include <utility>

namespace talkjsd::session {

Senders::Senders(SendersHost* host, std::function<void()> changed)
    : host_(host), changed_(std::move(changed)), alive_(std::make_shared<bool>(true)) {}

Senders::~Senders() = default;

bool Senders::IsResolved(const std::string& id) const {
  const auto it = entries_.find(id);
  return it != entries_.end() && it->second.resolved;
}

bool Senders::IsAbsent(const std::string& id) const {
  const auto it = entries_.find(id);
  return it != entries_.end() && it->second.resolved && it->second.user == nullptr;
}

const wire::User* Senders::Find(const std::string& id) const {
  const auto it = entries_.find(id);
  return it == entries_.end() ? nullptr : it->second.user.get();
}

void Senders::Want(const std::vector<std::string>& ids) {
  std::vector<std::string> fresh;
  for (const std::string& id : ids) {
    const auto it = entries_.find(id);
    if (it != entries_.end()) {
      by_age_.splice(by_age_.end(), by_age_, it->second.age);
      continue;
    }
    Entry entry;
    entry.age = by_age_.insert(by_age_.end(), id);
    entries_.emplace(id, std::move(entry));
    fresh.push_back(id);
  }
  if (fresh.empty()) return;
  MakeRoom(fresh.size());
  host_->SubscribeUsers(fresh);
  Ask(std::move(fresh));
}

void Senders::MakeRoom(size_t coming) {
  const size_t limit = std::max(kCapacity, coming);
  while (entries_.size() > limit) {
    const std::string oldest = by_age_.front();
    by_age_.pop_front();
    entries_.erase(oldest);
    host_->UnsubscribeUser(oldest);
  }
}

void Senders::Refresh() {
  std::vector<std::string> ids(by_age_.begin(), by_age_.end());
  if (!ids.empty()) Ask(std::move(ids));
}

void Senders::Ask(std::vector<std::string> ids) {
  upstream::Request request = upstream::GetUsers(ids);
  host_->Call(std::move(request), [this, alive = std::weak_ptr<bool>(alive_),
                                   ids = std::move(ids)](absl::StatusOr<upstream::Reply> reply) {
    if (alive.expired() || !reply.ok()) return;
    auto users = upstream::ParseUsers(*reply);
    if (!users.ok()) return;
    for (const std::string& id : ids) {
      const auto entry = entries_.find(id);
      if (entry == entries_.end()) continue;
      const auto user = users->find(id);
      entry->second.resolved = true;
      entry->second.user =
          user == users->end() ? nullptr : std::make_unique<wire::User>(std::move(user->second));
    }
    changed_();
  });
}

void Senders::On(const wire::UserCreated& event) {
  const auto it = entries_.find(event.state.id);
  if (it == entries_.end()) return;
  it->second.resolved = true;
  it->second.user = std::make_unique<wire::User>(event.state);
  changed_();
}

void Senders::On(const wire::UserEdited& event) {
  const auto it = entries_.find(event.user_id);
  if (it == entries_.end() || it->second.user == nullptr) return;
  event.diff.ApplyTo(*it->second.user);
}

}  // namespace talkjsd::session
