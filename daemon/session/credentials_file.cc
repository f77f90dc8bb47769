#include "daemon/session/credentials_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/wire/json.h"
#include "daemon/wire/json_reader.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::session {
namespace {

namespace json = boost::json;
namespace v1 = talkjs::sidecar::v1;

constexpr std::array<std::pair<CredentialKind, std::string_view>, 7> kKinds = {{
    {CredentialKind::kNone, "none"},
    {CredentialKind::kToken, "token"},
    {CredentialKind::kSignature, "signature"},
    {CredentialKind::kSigningKey, "signing_key"},
    {CredentialKind::kHttpFetcher, "http_fetcher"},
    {CredentialKind::kFileFetcher, "file_fetcher"},
    {CredentialKind::kProviderFetcher, "provider_fetcher"},
}};

absl::Status Unusable(const std::string& path, std::string_view what, int error) {
  const bool full = error == ENOSPC || error == EDQUOT;
  const bool read_only = error == EROFS || error == EACCES || error == EPERM;
  std::string message = path;
  message.append(" cannot be ").append(what).append(": ").append(std::strerror(error));
  message.append(full        ? "; free space on the disk of the state directory"
                 : read_only ? "; make the state directory writable for the daemon's user"
                             : "; check the disk and the system's log");
  return MakeError(absl::StatusCode::kUnavailable,
                   full        ? v1::ERROR_REASON_JOURNAL_DISK_FULL
                   : read_only ? v1::ERROR_REASON_JOURNAL_READ_ONLY
                               : v1::ERROR_REASON_JOURNAL_UNAVAILABLE,
                   message);
}

std::string_view NameOf(upstream::PushProvider provider) {
  return provider == upstream::PushProvider::kApns ? "apns" : "fcm";
}

void EncodeExtras(const Extras& extras, json::object& object) {
  if (!extras.availability.empty()) {
    object["availability"] = wire::EncodeCustom(extras.availability);
  }
  if (extras.device.has_value()) {
    json::object& device = object["device"].emplace_object();
    device["provider"] = NameOf(extras.device->provider);
    device["registration_id"] = extras.device->registration_id.Expose();
  }
  if (extras.enable_push.has_value()) object["enable_push"] = *extras.enable_push;
}

absl::StatusOr<Extras> DecodeExtras(const json::value& value) {
  Extras extras;
  wire::ObjectReader reader(value);
  reader.OrDefault("availability", extras.availability);
  reader.IfPresent("enable_push", extras.enable_push);
  if (!reader.status().ok()) return reader.status();
  const json::value* device = value.as_object().if_contains("device");
  if (device == nullptr) return extras;
  std::string provider;
  std::string id;
  wire::ObjectReader of_device(*device);
  of_device.Required("provider", provider);
  of_device.Required("registration_id", id);
  extras.device.emplace();
  extras.device->registration_id = Secret(std::move(id));
  if (!of_device.status().ok()) return of_device.status();
  if (provider == NameOf(upstream::PushProvider::kApns)) {
    extras.device->provider = upstream::PushProvider::kApns;
  } else if (provider != NameOf(upstream::PushProvider::kFcm)) {
    return absl::DataLossError("a push provider that this version does not know");
  }
  return extras;
}

json::object EncodeFetcher(const upstream::TokenFetcher& fetcher) {
  json::object object;
  if (const auto* file = std::get_if<upstream::FileFetcher>(&fetcher)) {
    object["path"] = file->path;
  } else if (const auto* provider = std::get_if<upstream::ProviderFetcher>(&fetcher)) {
    object["provider_name"] = provider->provider_name;
  } else {
    const auto& http = std::get<upstream::HttpFetcher>(fetcher);
    object["url"] = http.url;
    object["method"] = http.method;
    json::object headers;
    for (const auto& [name, value] : http.headers) headers[name] = value.Expose();
    object["headers"] = std::move(headers);
    object["token_field"] = http.token_field;
    object["timeout_ms"] =
        std::chrono::duration_cast<std::chrono::milliseconds>(http.timeout).count();
  }
  return object;
}

absl::StatusOr<upstream::TokenFetcher> DecodeFetcher(CredentialKind kind,
                                                     const json::value& value) {
  wire::ObjectReader reader(value);
  if (kind == CredentialKind::kFileFetcher) {
    upstream::FileFetcher file;
    reader.Required("path", file.path);
    if (!reader.status().ok()) return reader.status();
    return file;
  }
  if (kind == CredentialKind::kProviderFetcher) {
    upstream::ProviderFetcher provider;
    reader.Required("provider_name", provider.provider_name);
    if (!reader.status().ok()) return reader.status();
    return provider;
  }
  upstream::HttpFetcher http;
  int64_t timeout = 0;
  reader.Required("url", http.url);
  reader.Required("method", http.method);
  reader.Required("token_field", http.token_field);
  reader.Required("timeout_ms", timeout);
  if (!reader.status().ok()) return reader.status();
  http.timeout = std::chrono::milliseconds(timeout);
  const json::value* headers = value.as_object().if_contains("headers");
  if (headers == nullptr || !headers->is_object()) return absl::DataLossError("headers: missing");
  for (const json::key_value_pair& header : headers->get_object()) {
    if (!header.value().is_string()) return absl::DataLossError("headers: not a string");
    http.headers.emplace(std::string(header.key()),
                         Secret(std::string(header.value().get_string())));
  }
  return http;
}

std::string Encode(const CredentialsFile& file) {
  json::object object;
  for (const auto& [kind, name] : kKinds) {
    if (kind == file.credentials.kind) object["kind"] = name;
  }
  object["secret"] = file.credentials.secret.Expose();
  object["token_lifetime_seconds"] =
      std::chrono::duration_cast<std::chrono::seconds>(file.credentials.token_lifetime).count();
  if (!file.credentials.first_token.empty()) {
    object["first_token"] = file.credentials.first_token.Expose();
  }
  if (IsFetcher(file.credentials.kind)) {
    object["fetcher"] = EncodeFetcher(file.credentials.fetcher);
  }
  if (file.user_attributes.has_value()) {
    // In TalkJS's own form, which knows absent, null and a value apart.
    object["user"] = json::parse(upstream::SetUser("", *file.user_attributes).data);
  }
  EncodeExtras(file.extras, object);
  return json::serialize(object);
}

absl::StatusOr<upstream::UserWrite> DecodeUser(const json::value& value) {
  upstream::UserWrite user;
  wire::ObjectReader reader(value);
  reader.IfPresent("name", user.name);
  reader.ReadPatch("custom", user.custom);
  reader.ReadPatch("locale", user.locale);
  reader.ReadPatch("photoUrl", user.photo_url);
  reader.ReadPatch("role", user.role);
  reader.ReadPatch("welcomeMessage", user.welcome_message);
  reader.ReadPatch("email", user.email);
  reader.ReadPatch("phone", user.phone);
  if (!reader.status().ok()) return reader.status();
  return user;
}

absl::StatusOr<CredentialsFile> Decode(std::string_view text) {
  const absl::StatusOr<json::value> value = wire::ParseJson(text);
  if (!value.ok()) return value.status();
  CredentialsFile file;
  std::string kind;
  std::string secret;
  int64_t lifetime = 0;
  wire::ObjectReader reader(*value);
  reader.Required("kind", kind);
  reader.Required("secret", secret);
  reader.Required("token_lifetime_seconds", lifetime);
  file.credentials.secret = Secret(std::move(secret));
  if (!reader.status().ok()) return reader.status();
  file.credentials.token_lifetime = std::chrono::seconds(lifetime);
  bool known = false;
  for (const auto& [candidate, name] : kKinds) {
    if (name != kind) continue;
    file.credentials.kind = candidate;
    known = true;
  }
  if (!known) return absl::DataLossError("a kind of credentials that this version does not know");
  if (const json::value* first = value->as_object().if_contains("first_token")) {
    if (!first->is_string()) return absl::DataLossError("first_token: not a string");
    file.credentials.first_token = Secret(std::string(first->get_string()));
  }
  if (IsFetcher(file.credentials.kind)) {
    const json::value* settings = value->as_object().if_contains("fetcher");
    if (settings == nullptr) return absl::DataLossError("fetcher: missing");
    auto fetcher = DecodeFetcher(file.credentials.kind, *settings);
    if (!fetcher.ok()) return fetcher.status();
    file.credentials.fetcher = *std::move(fetcher);
  }
  if (const json::value* user = value->as_object().if_contains("user")) {
    auto attributes = DecodeUser(*user);
    if (!attributes.ok()) return attributes.status();
    file.user_attributes = *std::move(attributes);
  }
  auto extras = DecodeExtras(*value);
  if (!extras.ok()) return extras.status();
  file.extras = *std::move(extras);
  return file;
}

// Returns the errno of what failed, or 0.
int WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    text.remove_prefix(static_cast<size_t>(written));
  }
  return ::fsync(fd) == 0 ? 0 : errno;
}

}  // namespace

absl::Status WriteCredentialsFile(const std::string& path, const CredentialsFile& file) {
  const std::string fresh = path + ".new";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return Unusable(fresh, "written", errno);
  // Whatever a leftover file allowed.
  int error = ::fchmod(fd, 0600) == 0 ? 0 : errno;
  // Wiped when it is done.
  const Secret text(Encode(file));
  if (error == 0) error = WriteAll(fd, text.Expose());
  ::close(fd);
  if (error == 0 && std::rename(fresh.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return absl::OkStatus();
  ::unlink(fresh.c_str());
  return Unusable(path, "written", error);
}

absl::StatusOr<CredentialsFile> ReadCredentialsFile(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    if (errno == ENOENT) {
      return MakeError(absl::StatusCode::kNotFound, v1::ERROR_REASON_CREDENTIALS_INVALID,
                       path + " is missing; create the session again with its credentials");
    }
    return Unusable(path, "read", errno);
  }
  std::string content(std::istreambuf_iterator<char>(stream), {});
  const Secret text(std::move(content));
  absl::StatusOr<CredentialsFile> file = Decode(text.Expose());
  if (file.ok()) return file;
  // Not the reason: it might quote what is in the file.
  return MakeError(absl::StatusCode::kDataLoss, v1::ERROR_REASON_CREDENTIALS_INVALID,
                   path +
                       " is damaged or of a newer version; create the session again with its "
                       "credentials and replace_credentials");
}

absl::Status RemoveCredentialsFile(const std::string& path) {
  ::unlink((path + ".new").c_str());
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return Unusable(path, "removed", errno);
}

}  // namespace talkjsd::session
