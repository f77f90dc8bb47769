#include "daemon/api/access/access.h"

#include <algorithm>
#include <set>
#include <utility>

#include "daemon/api/access/address.h"
#include "daemon/api/errors.h"
#include "daemon/base/log.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

constexpr char kAuthorization[] = "authorization";
constexpr std::string_view kBearer = "bearer ";
constexpr char kSanProperty[] = "x509_subject_alternative_name";

absl::Status Denied(absl::StatusCode code, const std::string& message) {
  return MakeError(code, v1::ERROR_REASON_ACCESS_DENIED, message);
}

// The token of "authorization: Bearer TOKEN"; nothing without such a header.
std::optional<std::string_view> PresentedToken(const grpc::ServerContextBase& call) {
  const auto& metadata = call.client_metadata();
  const auto found = metadata.find(kAuthorization);
  if (found == metadata.end()) return std::nullopt;
  const std::string_view value(found->second.data(), found->second.size());
  const bool is_bearer =
      value.size() > kBearer.size() && std::equal(kBearer.begin(), kBearer.end(), value.begin(),
                                                  [](char a, char b) { return a == (b | 0x20); });
  if (!is_bearer) return std::string_view();
  return value.substr(kBearer.size());
}

std::vector<std::string> SansOf(const grpc::ServerContextBase& call) {
  std::vector<std::string> sans;
  const auto context = call.auth_context();
  if (context == nullptr || !context->IsPeerAuthenticated()) return sans;
  for (const grpc::string_ref& san : context->FindPropertyValues(kSanProperty)) {
    sans.emplace_back(san.data(), san.size());
  }
  return sans;
}

std::string_view RightName(Right right) {
  switch (right) {
    case Right::kRead:
      return "reading";
    case Right::kWrite:
      return "writing (it is read-only)";
    case Right::kCreate:
      return "create_sessions";
    case Right::kSupplyTokens:
      return "supply_tokens";
  }
  return "";
}

std::vector<Policy> PoliciesOf(const ListenerOptions& options) {
  if (!options.policies.empty()) return options.policies;
  Policy all;
  all.name = "default";
  all.admin = true;
  return {all};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Access>> Access::Make(const std::vector<ListenerOptions>& listeners,
                                                     const Limits& limits,
                                                     const session::Registry& registry,
                                                     const Clock& clock) {
  std::unique_ptr<Access> access(new Access(limits, registry, clock));
  for (const ListenerOptions& options : listeners) {
    const absl::StatusOr<Address> address = CheckListener(options);
    if (!address.ok()) return address.status();
    Listener listener;
    listener.address = options.address;
    listener.demands_certificate = !options.tls.client_ca_file.empty();
    if (!options.bearer_tokens_file.empty()) {
      auto bearers = BearerTokens::Open(options.bearer_tokens_file);
      if (!bearers.ok()) return WithContext(bearers.status(), "listener " + options.address);
      listener.bearers = *std::move(bearers);
    }
    absl::StatusOr<PolicySet> policies = PolicySet::Make(PoliciesOf(options));
    if (!policies.ok()) return WithContext(policies.status(), "listener " + options.address);
    listener.policies = *std::move(policies);
    access->listeners_.push_back(std::move(listener));
  }
  return access;
}

bool Access::LetIn(const std::string& peer, Connection connection) {
  const size_t most = quotas_->limits().connections;
  size_t open = connections_.size();
  if (open >= most) open = connections_.Count();
  // A few more come in, to be told so.
  if (open >= most + most / 10 + 8) return false;
  connection.is_surplus = open >= most;
  connections_.Add(peer, std::move(connection));
  return true;
}

absl::Status Access::CheckConnection(const Connection& connection, const std::string& peer) {
  if (!connection.is_surplus) return absl::OkStatus();
  const size_t most = quotas_->limits().connections;
  if (connections_.Count() > most) {
    return LimitExceeded("connections", "the daemon's limit of " + std::to_string(most) +
                                            " connections is reached; close some or raise the "
                                            "limit");
  }
  connections_.ClearSurplus(peer);
  return absl::OkStatus();
}

std::shared_ptr<const ActivePolicy> Access::FindPolicy(size_t listener,
                                                       const Identity& identity) const {
  MutexLock lock(mutex_);
  return listeners_[listener].policies.Find(identity);
}

absl::StatusOr<PermitRef> Access::Begin(const grpc::ServerContextBase& call, const Method& method) {
  const std::string peer = call.peer();
  const std::optional<Connection> connection = connections_.Find(peer);
  if (!connection.has_value()) {
    return Denied(absl::StatusCode::kPermissionDenied,
                  "the daemon does not know this connection; connect anew");
  }
  if (const absl::Status status = CheckConnection(*connection, peer); !status.ok()) return status;
  const Listener& listener = listeners_[connection->listener];
  const uint64_t generation = generation_;  // before what it is a generation of
  Identity identity;
  identity.process = connection->process;
  if (!identity.process.has_value()) identity.address = peer;
  if (listener.demands_certificate) identity.sans = SansOf(call);
  std::optional<BearerTokens::Match> bearer;
  if (listener.bearers != nullptr) {
    const std::optional<std::string_view> token = PresentedToken(call);
    if (token.has_value()) bearer = listener.bearers->Find(*token);
    if (bearer.has_value()) identity.bearer = bearer->name;
    // A certificate is enough; a token that is not known is not passed over.
    if (token.has_value() ? !bearer.has_value() : identity.sans.empty()) {
      const char* const why = token.has_value() ? "unknown bearer token" : "no bearer token";
      Deny(connection->listener, identity, method, "", why).IgnoreError();
      return Denied(absl::StatusCode::kUnauthenticated,
                    token.has_value()
                        ? "the bearer token is not one of this listener's; it may have been revoked"
                        : "this listener wants the metadata authorization: Bearer TOKEN");
    }
  }
  std::shared_ptr<const ActivePolicy> policy = FindPolicy(connection->listener, identity);
  if (policy == nullptr) {
    return Deny(connection->listener, identity, method, "",
                "no policy of this listener admits you");
  }
  return std::make_shared<Permit>(connection->listener, std::move(identity), std::move(bearer),
                                  method, std::move(policy), generation);
}

absl::Status Access::Covers(const ActivePolicy& policy, const Subject& subject,
                            std::string* session) const {
  const auto outside = [](std::string_view what) {
    return absl::PermissionDeniedError("the policy does not cover " + std::string(what));
  };
  if (policy.CoversAll()) return absl::OkStatus();
  if (subject.needs_all) return outside("all sessions; name those that you mean");
  for (const std::string& id : subject.session_ids) {
    const absl::StatusOr<session::Info> info = registry_.Get(id);
    if (!info.ok()) continue;
    *session = id;
    if (!policy.Covers(info->app_id, info->user_id)) return outside("this session");
    if (subject.user_id.has_value() && !policy.Covers(info->app_id, subject.user_id)) {
      return outside("this user");
    }
    session->clear();
  }
  if (subject.app_id.has_value() && !policy.Covers(*subject.app_id, subject.user_id)) {
    return outside("sessions of this app and user");
  }
  return absl::OkStatus();
}

absl::Status Access::Grant(Permit& permit, Right right, Subject subject) {
  const std::shared_ptr<const ActivePolicy> policy = permit.policy();
  if (!policy->Has(right)) {
    return Deny(permit.listener(), permit.identity(), permit.method(), policy->name(),
                "the policy does not allow " + std::string(RightName(right)));
  }
  std::string session;
  if (const absl::Status covers = Covers(*policy, subject, &session); !covers.ok()) {
    return Deny(permit.listener(), permit.identity(), permit.method(), policy->name(),
                MessageOf(covers), session);
  }
  permit.SetGrant({right, std::move(subject)});
  return absl::OkStatus();
}

absl::Status Access::OpenStream(Permit& permit) {
  auto slot = quotas_->TakeStream(PeerKey(permit.identity()));
  if (!slot.ok()) return slot.status();
  permit.SetSlot(*std::move(slot));
  return absl::OkStatus();
}

absl::Status Access::Renew(Permit& permit) {
  const Listener& listener = listeners_[permit.listener()];
  if (permit.bearer().has_value() && !listener.bearers->Has(*permit.bearer())) {
    return Deny(permit.listener(), permit.identity(), permit.method(), "",
                "the bearer token was revoked");
  }
  const std::shared_ptr<const ActivePolicy> policy =
      FindPolicy(permit.listener(), permit.identity());
  if (policy == nullptr) {
    return Deny(permit.listener(), permit.identity(), permit.method(), "",
                "no policy of this listener admits you any more");
  }
  permit.SetPolicy(policy);
  const std::optional<Permit::Grant> grant = permit.grant();
  if (!grant.has_value()) return absl::OkStatus();
  return Grant(permit, grant->right, grant->subject);
}

absl::Status Access::RenewIfOld(Permit& permit) {
  return permit.generation() == generation_ ? absl::OkStatus() : Renew(permit);
}

absl::Status Access::SetPolicies(const std::vector<ListenerOptions>& listeners) {
  std::vector<std::pair<Listener*, PolicySet>> changes;
  std::set<const Listener*> found;  // several may have asked for any port
  for (const ListenerOptions& options : listeners) {
    const auto listener =
        std::find_if(listeners_.begin(), listeners_.end(), [&](const Listener& known) {
          return known.address == options.address && found.count(&known) == 0;
        });
    if (listener == listeners_.end()) continue;
    found.insert(&*listener);
    if (const auto address = CheckListener(options); !address.ok()) return address.status();
    absl::StatusOr<PolicySet> policies = PolicySet::Make(PoliciesOf(options));
    if (!policies.ok()) return WithContext(policies.status(), "listener " + options.address);
    changes.emplace_back(&*listener, *std::move(policies));
  }
  {
    MutexLock lock(mutex_);
    for (auto& [listener, policies] : changes) listener->policies = std::move(policies);
  }
  ++generation_;
  return absl::OkStatus();
}

absl::Status Access::RefreshTokens(bool force, bool* changed) {
  absl::Status trouble;
  for (const Listener& listener : listeners_) {
    if (listener.bearers == nullptr) continue;
    const absl::StatusOr<bool> refreshed = listener.bearers->Refresh(force);
    if (refreshed.ok()) {
      if (*refreshed) LogInfo("bearer tokens read again", {{"listener", listener.address}});
      *changed = *changed || *refreshed;
      continue;
    }
    if (!force) {
      LogWarning("bearer tokens stay as they were",
                 {{"listener", listener.address}, {"cause", MessageOf(refreshed.status())}});
    }
    trouble = refreshed.status();
  }
  if (*changed) ++generation_;
  return trouble;
}

absl::Status Access::Deny(size_t listener, const Identity& identity, const Method& method,
                          std::string_view policy, std::string_view why, std::string_view session) {
  audit_.Refused(identity, {.listener = listeners_[listener].address,
                            .policy = policy,
                            .method = method,
                            .why = why,
                            .session = session});
  absl::Status status =
      Denied(absl::StatusCode::kPermissionDenied,
             std::string(why) + "; the operator of talkjsd decides that in its configuration");
  if (!session.empty()) status = WithMetadata(std::move(status), "session_id", session);
  return policy.empty() ? status : WithMetadata(std::move(status), "policy", policy);
}

}  // namespace talkjsd::api
