// Who may do what: the policies of one listener, in the order in which they are asked.
#ifndef TALKJSD_API_ACCESS_POLICY_H_
#define TALKJSD_API_ACCESS_POLICY_H_

#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/access/listener_options.h"
#include "daemon/net/acceptor.h"

namespace talkjsd::api {

// Who is at the other end of a call, as far as that is proved. Holds no secret.
struct Identity {
  std::optional<net::PeerCredentials> process;  // of a Unix socket
  std::vector<std::string> sans;                // of a client certificate that was verified
  std::optional<std::string> bearer;            // the name of a token that was presented
  std::string address;                          // of TCP: "ipv4:10.0.0.7:40312"
};

// What a method needs.
enum class Right {
  kRead,          // changes nothing, neither here nor at TalkJS
  kWrite,         // changes something in a session that exists
  kCreate,        // creates or destroys sessions, or gives one its user
  kSupplyTokens,  // gives credentials to a session that exists
};

// A policy with its users and groups looked up. Immutable.
class ActivePolicy {
 public:
  // INVALID_ARGUMENT (INVALID_FIELD) names the policy and what is wrong with it: no name, an
  // unknown user or group, a contradiction.
  static absl::StatusOr<ActivePolicy> Make(const Policy& policy);

  const std::string& name() const { return policy_.name; }
  bool Admits(const Identity& identity) const;
  bool Has(Right right) const;
  // Whether sessions of the app and user may be used; no user = one that has none yet.
  bool Covers(std::string_view app_id, const std::optional<std::string>& user_id) const;
  // Whether it covers every session that there is and will be.
  bool CoversAll() const { return policy_.admin || (apps_.empty() && users_.empty()); }

 private:
  explicit ActivePolicy(Policy policy);

  Policy policy_;
  std::set<uid_t> uids_;
  std::set<gid_t> gids_;
  std::set<std::string, std::less<>> apps_;
  std::set<std::string, std::less<>> users_;
};

// Immutable.
class PolicySet {
 public:
  // INVALID_ARGUMENT as ActivePolicy::Make, or two of one name.
  static absl::StatusOr<PolicySet> Make(const std::vector<Policy>& policies);

  // The first that admits it; null: none.
  std::shared_ptr<const ActivePolicy> Find(const Identity& identity) const;

 private:
  std::vector<std::shared_ptr<const ActivePolicy>> policies_;
};

// "uid:1000", "bearer:shop", "san:spiffe://shop/web", "local": for logs, and what is counted
// together as one peer.
std::string PeerKey(const Identity& identity);

// Whether a subject alternative name is like the pattern.
bool MatchesSan(std::string_view pattern, std::string_view san);

}  // namespace talkjsd::api

#endif  // TALKJSD_API_ACCESS_POLICY_H_
