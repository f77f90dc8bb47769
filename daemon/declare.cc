#include "daemon/declare.h"

#include <utility>

#include "daemon/config/config.h"

namespace talkjsd {
namespace {

namespace settings = talkjs::sidecar::config::v1;

absl::StatusOr<session::Credentials> ToCredentials(const settings::DeclaredSession& declared) {
  session::Credentials credentials;
  std::string secret_file;
  switch (declared.credentials_case()) {
    case settings::DeclaredSession::kTokenFile:
      credentials.kind = session::CredentialKind::kFileFetcher;
      credentials.fetcher = upstream::FileFetcher{declared.token_file()};
      break;
    case settings::DeclaredSession::kTokenUrl: {
      credentials.kind = session::CredentialKind::kHttpFetcher;
      upstream::HttpFetcher http;
      http.url = declared.token_url();
      if (!declared.token_url_authorization_file().empty()) {
        absl::StatusOr<Secret> header =
            config::ReadSecretFile(declared.token_url_authorization_file());
        if (!header.ok()) return header.status();
        http.headers.emplace("Authorization", *std::move(header));
      }
      credentials.fetcher = std::move(http);
      break;
    }
    case settings::DeclaredSession::kSigningKeyFile:
      credentials.kind = session::CredentialKind::kSigningKey;
      secret_file = declared.signing_key_file();
      break;
    case settings::DeclaredSession::kSignatureFile:
      credentials.kind = session::CredentialKind::kSignature;
      secret_file = declared.signature_file();
      break;
    case settings::DeclaredSession::CREDENTIALS_NOT_SET:
      break;
  }
  if (!secret_file.empty()) {
    absl::StatusOr<Secret> secret = config::ReadSecretFile(secret_file);
    if (!secret.ok()) return secret.status();
    credentials.secret = *std::move(secret);
  }
  return credentials;
}

absl::StatusOr<session::CreateRequest> ToRequest(const settings::DeclaredSession& declared) {
  absl::StatusOr<session::Credentials> credentials = ToCredentials(declared);
  if (!credentials.ok()) return credentials.status();
  session::CreateRequest request;
  request.app_id = declared.app_id();
  request.user_id = declared.user_id();
  request.credentials = *std::move(credentials);
  if (!declared.user_name().empty()) {
    upstream::UserWrite user;
    user.name = declared.user_name();
    if (!declared.user_role().empty())
      user.role = wire::Patch<std::string>::Of(declared.user_role());
    request.user_attributes = std::move(user);
  }
  return request;
}

}  // namespace

std::vector<session::Declaration> ToDeclarations(const settings::Config& values) {
  std::vector<session::Declaration> declarations;
  for (const settings::DeclaredSession& declared : values.sessions()) {
    declarations.push_back({declared.app_id(), declared.user_id(), ToRequest(declared)});
  }
  return declarations;
}

}  // namespace talkjsd
