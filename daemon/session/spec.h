// What a session was asked to be: all that is needed to begin it, and to begin it anew.
#ifndef TALKJSD_SESSION_SPEC_H_
#define TALKJSD_SESSION_SPEC_H_

#include <optional>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/secret.h"
#include "daemon/upstream/call.h"
#include "daemon/upstream/token_fetcher.h"

namespace talkjsd::session {

enum class CredentialKind {
  kNone,
  kToken,
  kSignature,
  kSigningKey,
  kHttpFetcher,
  kFileFetcher,
  kProviderFetcher,
};

// Whether tokens come from a source outside the daemon.
inline bool IsFetcher(CredentialKind kind) { return kind >= CredentialKind::kHttpFetcher; }

struct Credentials {
  CredentialKind kind = CredentialKind::kNone;
  // The token, the signature or the app's secret key; empty for kNone and the fetchers.
  Secret secret;
  // Of kSigningKey and the fetchers: the token to use before they are asked; empty: none.
  Secret first_token;
  Duration token_lifetime = std::chrono::minutes(30);  // kSigningKey
  upstream::TokenFetcher fetcher;                      // the kinds that are one
  friend bool operator==(const Credentials&, const Credentials&) = default;
};

// Plain data without references, so that it can be written down and read again.
struct Spec {
  std::string app_id;
  // Absent: the session awaits its `me`.
  std::optional<std::string> user_id;
  // Attributes to write to TalkJS at login; absent: `me` is the id alone.
  std::optional<upstream::UserWrite> user_attributes;
  Credentials credentials;
};

}  // namespace talkjsd::session

#endif  // TALKJSD_SESSION_SPEC_H_
