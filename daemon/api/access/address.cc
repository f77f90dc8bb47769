#include "daemon/api/access/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <charconv>
#include <string_view>

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

constexpr size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;

absl::Status WrongListener(const std::string& address, const std::string& what) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   talkjs::sidecar::v1::ERROR_REASON_INVALID_FIELD,
                   "cannot listen on '" + address + "': " + what);
}

absl::StatusOr<Address> ParseUnix(const std::string& address, std::string path) {
  if (path.size() < 2 || path.front() != '/' || path.back() == '/') {
    return WrongListener(address, "give an absolute path with three slashes, as unix:///path");
  }
  if (path.size() > kMaxPath) {
    return WrongListener(address,
                         "a socket's path has at most " + std::to_string(kMaxPath) + " bytes");
  }
  Address parsed;
  parsed.path = std::move(path);
  return parsed;
}

bool IsIp(const std::string& text) {
  in6_addr bytes;
  return inet_pton(AF_INET, text.c_str(), &bytes) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &bytes) == 1;
}

absl::Status CheckUnix(const ListenerOptions& options) {
  if (!options.tls.certificate_file.empty() || !options.tls.key_file.empty() ||
      !options.tls.client_ca_file.empty() || !options.bearer_tokens_file.empty() ||
      options.plaintext_on_loopback) {
    return WrongListener(
        options.address,
        "TLS, bearer tokens and plaintext_on_loopback are for TCP; a Unix socket knows "
        "its peers by uid and gid");
  }
  for (const Policy& policy : options.policies) {
    if (policy.sans.empty() && policy.bearers.empty()) continue;
    return WrongListener(options.address, "policy '" + policy.name +
                                              "': peers of a Unix socket have uids and gids, no "
                                              "certificates and no bearer tokens");
  }
  return absl::OkStatus();
}

absl::Status CheckTls(const ListenerOptions& options, bool is_loopback) {
  const TlsFiles& tls = options.tls;
  if (tls.certificate_file.empty() != tls.key_file.empty()) {
    return WrongListener(options.address, "TLS needs both a certificate_file and a key_file");
  }
  if (!tls.certificate_file.empty()) {
    if (tls.client_ca_file.empty() && options.bearer_tokens_file.empty()) {
      return WrongListener(
          options.address,
          "clients must prove who they are: set client_ca_file, bearer_tokens_file, or "
          "both");
    }
    return absl::OkStatus();
  }
  if (!tls.client_ca_file.empty()) {
    return WrongListener(options.address, "client_ca_file needs a certificate_file and a key_file");
  }
  if (!is_loopback) {
    return WrongListener(options.address,
                         "TCP without TLS is for loopback addresses only; set tls");
  }
  if (!options.plaintext_on_loopback) {
    return WrongListener(options.address,
                         "TCP without TLS, and every process of this host may connect: set tls, or "
                         "plaintext_on_loopback if that is what you want");
  }
  return absl::OkStatus();
}

absl::Status CheckTcp(const ListenerOptions& options, bool is_loopback) {
  if (const absl::Status tls = CheckTls(options, is_loopback); !tls.ok()) return tls;
  if (options.policies.empty())
    return WrongListener(options.address, "a TCP listener needs a policy");
  for (const Policy& policy : options.policies) {
    const std::string name = "policy '" + policy.name + "': ";
    if (!policy.uids.empty() || !policy.gids.empty()) {
      return WrongListener(options.address, name + "uids and gids are for Unix sockets");
    }
    if (!policy.sans.empty() && options.tls.client_ca_file.empty()) {
      return WrongListener(options.address, name + "sans need tls.client_ca_file");
    }
    if (!policy.bearers.empty() && options.bearer_tokens_file.empty()) {
      return WrongListener(options.address, name + "bearers need a bearer_tokens_file");
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool Address::is_loopback() const { return is_unix() || ip.starts_with("127.") || ip == "::1"; }

absl::StatusOr<Address> ParseAddress(const std::string& address) {
  constexpr std::string_view kScheme = "unix://";
  if (address.starts_with(kScheme)) return ParseUnix(address, address.substr(kScheme.size()));
  const size_t colon = address.rfind(':');
  Address parsed;
  if (colon != std::string::npos) {
    parsed.ip = address.substr(0, colon);
    if (parsed.ip.starts_with('[') && parsed.ip.ends_with(']')) {
      parsed.ip = parsed.ip.substr(1, parsed.ip.size() - 2);
    } else if (parsed.ip.find(':') != std::string::npos) {
      parsed.ip.clear();  // IPv6 without brackets
    }
    if (parsed.ip == "localhost") parsed.ip = "127.0.0.1";
    const char* const end = address.data() + address.size();
    const auto port = std::from_chars(address.data() + colon + 1, end, parsed.port);
    if (port.ec == std::errc() && port.ptr == end && IsIp(parsed.ip)) return parsed;
  }
  return WrongListener(
      address,
      "give unix:///path, or an IP address or localhost with a port, as 127.0.0.1:7070 or "
      "[::1]:7070");
}

absl::StatusOr<Address> CheckListener(const ListenerOptions& options) {
  absl::StatusOr<Address> address = ParseAddress(options.address);
  if (!address.ok()) return address;
  const absl::Status status =
      address->is_unix() ? CheckUnix(options) : CheckTcp(options, address->is_loopback());
  if (!status.ok()) return status;
  return address;
}

std::string FormatTcp(const std::string& ip, uint16_t port) {
  const bool is_v6 = ip.find(':') != std::string::npos;
  return (is_v6 ? "[" + ip + "]" : ip) + ":" + std::to_string(port);
}

}  // namespace talkjsd::api
