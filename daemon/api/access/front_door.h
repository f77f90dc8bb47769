// The listeners: sockets on which connections are accepted, looked at, and given to gRPC.
#ifndef TALKJSD_API_ACCESS_FRONT_DOOR_H_
#define TALKJSD_API_ACCESS_FRONT_DOOR_H_

#include <absl/status/statusor.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <string>
#include <vector>

#include "daemon/api/access/access.h"
#include "daemon/api/access/listener_options.h"
#include "daemon/net/acceptor.h"
#include "daemon/net/inherited_sockets.h"
#include "daemon/net/tcp_listener.h"
#include "daemon/net/unix_listener.h"

namespace talkjsd::api {

// Open, Prepare, Start, Stop: one thread, in this order.
class FrontDoor {
 public:
  // Listens; connections wait in the kernel. Errors are those of the sockets and CheckTlsFiles.
  // `access` outlives it. `inherited`: sockets that listen already; null: none.
  static absl::StatusOr<std::unique_ptr<FrontDoor>> Open(
      const std::vector<ListenerOptions>& listeners, Access& access,
      net::InheritedSockets* inherited);

  // Tells gRPC of the listeners with TLS.
  void Prepare(grpc::ServerBuilder& builder);
  // Lets connections in. `server` outlives Stop.
  absl::Status Start(grpc::Server& server);
  // Nobody comes in any more, and nobody can connect. Idempotent.
  void Stop();

  void SetPatience(Duration patience) { acceptor_.SetPatience(patience); }
  // Whether the certificates' files can be used as they are now.
  absl::Status CheckCertificates() const;
  const std::vector<std::string>& addresses() const { return addresses_; }

 private:
  // One of these.
  struct Socket {
    std::unique_ptr<net::UnixListener> unix;
    std::unique_ptr<net::TcpListener> tcp;
    TlsFiles tls;
    std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> handshaker;
    int fd() const { return unix != nullptr ? unix->fd() : tcp->fd(); }
  };
  explicit FrontDoor(Access& access)
      : access_(access), acceptor_({.patience = access.quotas().limits().idle_handshake}) {}

  absl::Status OpenUnix(const ListenerOptions& options, const std::string& path,
                        net::InheritedSockets* inherited);
  absl::Status OpenTcp(const ListenerOptions& options, const std::string& ip, uint16_t port);
  void Take(grpc::Server& server, size_t listener, int fd,
            std::optional<net::PeerCredentials> process);

  Access& access_;
  std::vector<Socket> sockets_;
  std::vector<std::string> addresses_;
  net::Acceptor acceptor_;
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_ACCESS_FRONT_DOOR_H_
