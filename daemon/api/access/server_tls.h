// TLS of a listener: its certificate, and those of its clients.
#ifndef TALKJSD_API_ACCESS_SERVER_TLS_H_
#define TALKJSD_API_ACCESS_SERVER_TLS_H_

#include <absl/status/status.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "daemon/api/access/listener_options.h"

namespace talkjsd::api {

// Whether the files can be used: they can be read, the key is nobody else's and belongs to the
// certificate, there are authorities in the file of authorities. INVALID_ARGUMENT (INVALID_FIELD)
// names the file.
absl::Status CheckTlsFiles(const TlsFiles& files);

// TLS 1.2 at least; with client_ca_file clients must present a certificate of it. The files are
// looked at once a second: what changes holds for new connections.
std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(const TlsFiles& files);

}  // namespace talkjsd::api

#endif  // TALKJSD_API_ACCESS_SERVER_TLS_H_
