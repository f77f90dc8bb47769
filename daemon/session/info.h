// What a session is, for those outside its shard.
#ifndef TALKJSD_SESSION_INFO_H_
#define TALKJSD_SESSION_INFO_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/error.h"
#include "daemon/session/spec.h"

namespace talkjsd::session {

enum class State {
  kAwaitingMe,
  kWaitingForToken,
  kConnecting,
  kConnected,
  kReconnecting,
  kFailed,
  kDestroyed,
};

// "connected": the name in metrics, logs and tables.
std::string_view StateName(State state);

// A snapshot. Holds no secret.
struct Info {
  std::string session_id;
  std::string app_id;
  std::optional<std::string> user_id;
  State state = State::kConnecting;
  ErrorReason reason{};        // ERROR_REASON_UNSPECIFIED: no trouble
  std::string reason_message;  // for a person; empty exactly without a reason
  UnixMillis state_since = 0;
  UnixMillis created_at = 0;
  std::optional<UnixMillis> baseline_at;  // first complete login
  CredentialKind credential_kind = CredentialKind::kNone;
  std::optional<UnixMillis> token_expires_at;
  int64_t connect_attempts = 0;
  std::optional<UnixMillis> next_attempt_at;
  std::optional<UnixMillis> last_sync_at;
  std::optional<UnixMillis> expires_at;
  std::vector<std::string> warnings;
  // Grows with every change of any session: what Registry::ChangesSince compares.
  uint64_t version = 0;
};

struct CreateRequest : Spec {
  // Of `me`; TalkJS has no place for it.
  std::optional<std::string> availability_text;
  bool replace_credentials = false;
  // The device that push calls without arguments mean.
  std::optional<upstream::PushDevice> device;
  // At the first login: true registers `device`, false unregisters it. Only with `device`.
  std::optional<bool> enable_push;
};

}  // namespace talkjsd::session

#endif  // TALKJSD_SESSION_INFO_H_
