// Who gets in: at the door, at the start of each call, and again when the rules change.
#ifndef TALKJSD_API_ACCESS_ACCESS_H_
#define TALKJSD_API_ACCESS_ACCESS_H_

#include <absl/status/statusor.h>
#include <grpcpp/server_context.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/api/access/audit.h"
#include "daemon/api/access/bearer_tokens.h"
#include "daemon/api/access/connections.h"
#include "daemon/api/access/listener_options.h"
#include "daemon/api/access/permit.h"
#include "daemon/api/access/quotas.h"
#include "daemon/base/clock.h"

namespace talkjsd::api {

// Thread-safe. Every call of every service goes through Begin and Grant, by way of Admit
// (admit.h); nothing else decides about access. Refusals are PERMISSION_DENIED or, for want of a
// bearer token, UNAUTHENTICATED (both ACCESS_DENIED), and lines of the audit.
class Access {
 public:
  // INVALID_ARGUMENT names what is wrong with a listener, its policies or its tokens. `registry`
  // and `clock` outlive it.
  static absl::StatusOr<std::unique_ptr<Access>> Make(const std::vector<ListenerOptions>& listeners,
                                                      const Limits& limits,
                                                      const session::Registry& registry,
                                                      const Clock& clock);

  // At the door. False: there are far too many connections; close it.
  bool LetIn(const std::string& peer, Connection connection);

  // Who calls, and whether he may call the method at all.
  absl::StatusOr<PermitRef> Begin(const grpc::ServerContextBase& call, const Method& method);
  // Whether he has this right over the subject. A session that is not there is for others to
  // report.
  absl::Status Grant(Permit& permit, Right right, Subject subject);
  // For a stream, after Grant: counts it among those of its peer.
  absl::Status OpenStream(Permit& permit);
  // Whether a running stream may go on; it goes on under the policy as it is now. OK, or
  // PERMISSION_DENIED to end it with.
  absl::Status Renew(Permit& permit);

  // Renew, if something has changed since Begin: for a stream that has just become one of those
  // which are renewed at a change.
  absl::Status RenewIfOld(Permit& permit);

  // Replaces the policies of the listeners with these addresses, all or none; others stay as they
  // are. INVALID_ARGUMENT as Make.
  absl::Status SetPolicies(const std::vector<ListenerOptions>& listeners);
  // Reads the files of bearer tokens: if they have changed, or in any case with `force`. *changed
  // is set when tokens are not what they were. Where there is an error, tokens stay as they were;
  // the last one is returned, and without `force` all are logged.
  absl::Status RefreshTokens(bool force, bool* changed);

  Quotas& quotas() { return *quotas_; }
  ConnectionTable& connections() { return connections_; }

 private:
  struct Listener {
    std::string address;
    bool demands_certificate = false;
    std::unique_ptr<BearerTokens> bearers;  // null: none
    PolicySet policies;
  };
  Access(const Limits& limits, const session::Registry& registry, const Clock& clock)
      : registry_(registry), quotas_(std::make_shared<Quotas>(limits, clock)), audit_(clock) {}

  std::shared_ptr<const ActivePolicy> FindPolicy(size_t listener, const Identity& identity) const;
  absl::Status CheckConnection(const Connection& connection, const std::string& peer);
  // Whether the policy covers the subject; `session` is set to the id that it does not cover.
  absl::Status Covers(const ActivePolicy& policy, const Subject& subject,
                      std::string* session) const;
  absl::Status Deny(size_t listener, const Identity& identity, const Method& method,
                    std::string_view policy, std::string_view why, std::string_view session = {});

  const session::Registry& registry_;
  const std::shared_ptr<Quotas> quotas_;
  Audit audit_;
  ConnectionTable connections_;
  std::vector<Listener> listeners_;       // only `policies` changes
  mutable Mutex mutex_;                   // for that
  std::atomic<uint64_t> generation_ = 0;  // of policies and tokens
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_ACCESS_ACCESS_H_
