#include "daemon/access_settings.h"

#include <charconv>
#include <chrono>

namespace talkjsd {
namespace {

namespace settings = talkjs::sidecar::config::v1;

std::vector<std::string> ToVector(const google::protobuf::RepeatedPtrField<std::string>& field) {
  return {field.begin(), field.end()};
}

api::Policy ToPolicy(const settings::Policy& policy) {
  api::Policy to;
  to.name = policy.name();
  to.uids = ToVector(policy.uids());
  to.gids = ToVector(policy.gids());
  to.sans = ToVector(policy.sans());
  to.bearers = ToVector(policy.bearers());
  to.apps = ToVector(policy.apps());
  to.users = ToVector(policy.users());
  to.read_only = policy.read_only();
  to.create_sessions = policy.create_sessions();
  to.supply_tokens = policy.supply_tokens();
  to.admin = policy.admin();
  return to;
}

// Absent or checked: four octal digits.
mode_t ToMode(const std::string& octal) {
  mode_t mode = api::ListenerOptions().mode;
  std::from_chars(octal.data(), octal.data() + octal.size(), mode, 8);
  return mode;
}

api::ListenerOptions ToListener(const settings::Listener& listener) {
  api::ListenerOptions to;
  to.address = listener.address();
  to.mode = ToMode(listener.mode());
  to.group = listener.group();
  to.tls.certificate_file = listener.tls().certificate_file();
  to.tls.key_file = listener.tls().key_file();
  to.tls.client_ca_file = listener.tls().client_ca_file();
  to.bearer_tokens_file = listener.bearer_tokens_file();
  to.plaintext_on_loopback = listener.plaintext_on_loopback();
  for (const settings::Policy& policy : listener.policies()) {
    to.policies.push_back(ToPolicy(policy));
  }
  return to;
}

}  // namespace

std::vector<api::ListenerOptions> ToListeners(const settings::Config& values) {
  std::vector<api::ListenerOptions> listeners;
  for (const settings::Listener& listener : values.listeners()) {
    listeners.push_back(ToListener(listener));
  }
  return listeners;
}

api::Limits ToLimits(const settings::Config& values) {
  const settings::Limits& limits = values.limits();
  api::Limits to;
  if (limits.sessions() > 0) to.sessions = limits.sessions();
  if (limits.streams() > 0) to.streams = static_cast<size_t>(limits.streams());
  if (limits.streams_opened_per_second() > 0) {
    to.streams_opened_per_second = limits.streams_opened_per_second();
  }
  if (limits.connections() > 0) to.connections = static_cast<size_t>(limits.connections());
  if (limits.request_bytes() > 0) to.request_bytes = limits.request_bytes();
  if (limits.has_idle_handshake()) {
    to.idle_handshake = std::chrono::seconds(limits.idle_handshake().seconds()) +
                        std::chrono::nanoseconds(limits.idle_handshake().nanos());
  }
  to.memory_bytes = limits.memory_bytes();
  return to;
}

}  // namespace talkjsd
