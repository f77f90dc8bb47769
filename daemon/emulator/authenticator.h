// Tokens of the emulated app: who may log in as whom.
#ifndef TALKJSD_EMULATOR_AUTHENTICATOR_H_
#define TALKJSD_EMULATOR_AUTHENTICATOR_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/base/secret.h"
#include "daemon/wire/jwt.h"

namespace talkjsd::emulator {

// Immutable; thread-safe. The clock outlives it.
class Authenticator {
 public:
  Authenticator(std::string app_id, Secret secret_key, const Clock& clock);

  const std::string& app_id() const { return app_id_; }

  struct Login {
    std::string user_id;
    std::optional<int64_t> expires;  // seconds since the epoch; nullopt never
  };
  // A token of `user_id`. 400 for something that is no token at all, 401 for any other reason.
  absl::StatusOr<Login> CheckUser(std::string_view token, std::string_view user_id) const;
  // A token of whoever it names.
  absl::StatusOr<Login> CheckAnyUser(std::string_view token) const;

  // The secret key itself, or a token of the app's server (tokenType "app"). 401 for anything else.
  absl::Status CheckServer(std::string_view token) const;

  // A token in exchange for the legacy signature, or for none at all. 401 if the signature is
  // wrong.
  absl::StatusOr<Secret> Boken(std::string_view user_id, std::string_view signature) const;

 private:
  // The claims of a token of this app with that type.
  absl::StatusOr<wire::JwtClaims> Check(std::string_view token, std::string_view type) const;

  const std::string app_id_;
  const Secret secret_key_;
  const Clock& clock_;
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_AUTHENTICATOR_H_
