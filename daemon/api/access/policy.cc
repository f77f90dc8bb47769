#include "daemon/api/access/policy.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

constexpr size_t kEntryBytes = 64 * 1024;

absl::Status Wrong(const Policy& policy, std::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   talkjs::sidecar::v1::ERROR_REASON_INVALID_FIELD,
                   "policy '" + policy.name + "': " + std::string(what));
}

template <typename Id>
std::optional<Id> ParseId(const std::string& text) {
  Id id = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, id);
  if (parsed.ec != std::errc() || parsed.ptr != end || text.empty()) return std::nullopt;
  return id;
}

std::optional<uid_t> FindUser(const std::string& user) {
  if (const auto id = ParseId<uid_t>(user)) return id;
  std::vector<char> buffer(kEntryBytes);
  passwd entry;
  passwd* found = nullptr;
  getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return std::nullopt;
  return found->pw_uid;
}

std::optional<gid_t> FindGroup(const std::string& name) {
  if (const auto id = ParseId<gid_t>(name)) return id;
  std::vector<char> buffer(kEntryBytes);
  group entry;
  group* found = nullptr;
  getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return std::nullopt;
  return found->gr_gid;
}

}  // namespace

bool MatchesSan(std::string_view pattern, std::string_view san) {
  // The usual walk with one point to come back to: the latest star, and how far it reaches.
  size_t p = 0, s = 0;
  std::optional<size_t> star;
  size_t reach = 0;
  while (s < san.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      reach = s;
    } else if (p < pattern.size() && pattern[p] == san[s]) {
      ++p;
      ++s;
    } else if (star.has_value() && san[reach] != '/' && san[reach] != '.') {
      p = *star + 1;
      s = ++reach;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

ActivePolicy::ActivePolicy(Policy policy)
    : policy_(std::move(policy)),
      apps_(policy_.apps.begin(), policy_.apps.end()),
      users_(policy_.users.begin(), policy_.users.end()) {}

absl::StatusOr<ActivePolicy> ActivePolicy::Make(const Policy& policy) {
  if (policy.name.empty()) return Wrong(policy, "a policy needs a name");
  if (policy.read_only && (policy.create_sessions || policy.supply_tokens || policy.admin)) {
    return Wrong(policy, "read_only and a right to change something exclude each other");
  }
  for (const auto* list :
       {&policy.uids, &policy.gids, &policy.sans, &policy.bearers, &policy.apps, &policy.users}) {
    if (std::find(list->begin(), list->end(), "") != list->end()) {
      return Wrong(policy, "an entry of a list is empty");
    }
  }
  ActivePolicy active(policy);
  for (const std::string& user : policy.uids) {
    const std::optional<uid_t> uid = FindUser(user);
    if (!uid.has_value()) return Wrong(policy, "there is no user " + user);
    active.uids_.insert(*uid);
  }
  for (const std::string& group : policy.gids) {
    const std::optional<gid_t> gid = FindGroup(group);
    if (!gid.has_value()) return Wrong(policy, "there is no group " + group);
    active.gids_.insert(*gid);
  }
  return active;
}

bool ActivePolicy::Admits(const Identity& identity) const {
  if (uids_.empty() && gids_.empty() && policy_.sans.empty() && policy_.bearers.empty()) {
    return true;
  }
  if (identity.process.has_value() &&
      (uids_.count(identity.process->uid) > 0 || gids_.count(identity.process->gid) > 0)) {
    return true;
  }
  const auto& bearers = policy_.bearers;
  if (identity.bearer.has_value() &&
      std::find(bearers.begin(), bearers.end(), *identity.bearer) != bearers.end()) {
    return true;
  }
  return std::any_of(policy_.sans.begin(), policy_.sans.end(), [&](const std::string& pattern) {
    return std::any_of(identity.sans.begin(), identity.sans.end(),
                       [&](const std::string& san) { return MatchesSan(pattern, san); });
  });
}

bool ActivePolicy::Has(Right right) const {
  if (policy_.admin) return true;
  switch (right) {
    case Right::kRead:
      return true;
    case Right::kWrite:
      return !policy_.read_only;
    case Right::kCreate:
      return policy_.create_sessions;
    case Right::kSupplyTokens:
      return policy_.supply_tokens;
  }
  return false;
}

bool ActivePolicy::Covers(std::string_view app_id,
                          const std::optional<std::string>& user_id) const {
  if (policy_.admin) return true;
  if (!apps_.empty() && apps_.count(app_id) == 0) return false;
  return users_.empty() || !user_id.has_value() || users_.count(*user_id) > 0;
}

absl::StatusOr<PolicySet> PolicySet::Make(const std::vector<Policy>& policies) {
  PolicySet set;
  std::set<std::string> names;
  for (const Policy& policy : policies) {
    if (!names.insert(policy.name).second) {
      return Wrong(policy, "another policy of this listener has the same name");
    }
    absl::StatusOr<ActivePolicy> active = ActivePolicy::Make(policy);
    if (!active.ok()) return active.status();
    set.policies_.push_back(std::make_shared<const ActivePolicy>(*std::move(active)));
  }
  return set;
}

std::shared_ptr<const ActivePolicy> PolicySet::Find(const Identity& identity) const {
  for (const auto& policy : policies_) {
    if (policy->Admits(identity)) return policy;
  }
  return nullptr;
}

std::string PeerKey(const Identity& identity) {
  if (identity.process.has_value()) return "uid:" + std::to_string(identity.process->uid);
  if (identity.bearer.has_value()) return "bearer:" + *identity.bearer;
  if (!identity.sans.empty()) return "san:" + identity.sans.front();
  return "local";
}

}  // namespace talkjsd::api
