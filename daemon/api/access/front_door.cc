#include "daemon/api/access/front_door.h"

#include <grpcpp/server_posix.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "daemon/api/access/address.h"
#include "daemon/api/access/server_tls.h"
#include "daemon/base/error.h"

namespace talkjsd::api {
namespace {

constexpr char kDefaultGroup[] = "talkjsd";

// The socket's own directory, one level: whoever configures a deeper path makes it.
void MakeParent(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  // Failure shows when the socket is bound, with path and cause.
  static_cast<void>(::mkdir(parent.c_str(), 0755));
}

}  // namespace

absl::StatusOr<std::unique_ptr<FrontDoor>> FrontDoor::Open(
    const std::vector<ListenerOptions>& listeners, Access& access,
    net::InheritedSockets* inherited) {
  std::unique_ptr<FrontDoor> door(new FrontDoor(access));
  for (const ListenerOptions& options : listeners) {
    const absl::StatusOr<Address> address = CheckListener(options);
    if (!address.ok()) return address.status();
    const absl::Status opened = address->is_unix()
                                    ? door->OpenUnix(options, address->path, inherited)
                                    : door->OpenTcp(options, address->ip, address->port);
    if (!opened.ok()) return opened;
  }
  return door;
}

absl::Status FrontDoor::OpenUnix(const ListenerOptions& options, const std::string& path,
                                 net::InheritedSockets* inherited) {
  absl::StatusOr<std::unique_ptr<net::UnixListener>> listener;
  const int fd = inherited == nullptr ? -1 : inherited->Take(path);
  if (fd >= 0) {
    listener = net::UnixListener::Adopt(fd, path);
  } else {
    MakeParent(path);
    net::UnixListener::Options unix_options;
    unix_options.mode = options.mode;
    unix_options.group_required = !options.group.empty();
    unix_options.group = options.group.empty() ? kDefaultGroup : options.group;
    listener = net::UnixListener::Open(path, unix_options);
  }
  if (!listener.ok()) return listener.status();
  sockets_.push_back({*std::move(listener), nullptr, {}, nullptr});
  addresses_.push_back(options.address);
  return absl::OkStatus();
}

absl::Status FrontDoor::OpenTcp(const ListenerOptions& options, const std::string& ip,
                                uint16_t port) {
  if (!options.tls.certificate_file.empty()) {
    const absl::Status files = CheckTlsFiles(options.tls);
    if (!files.ok()) return WithContext(files, "listener " + options.address);
  }
  absl::StatusOr<std::unique_ptr<net::TcpListener>> listener = net::TcpListener::Open(ip, port);
  if (!listener.ok()) return listener.status();
  addresses_.push_back(FormatTcp(ip, (*listener)->port()));
  sockets_.push_back({nullptr, *std::move(listener), options.tls, nullptr});
  return absl::OkStatus();
}

void FrontDoor::Prepare(grpc::ServerBuilder& builder) {
  using Type = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
  for (Socket& socket : sockets_) {
    if (socket.tls.certificate_file.empty()) continue;
    socket.handshaker = builder.experimental().AddExternalConnectionAcceptor(
        Type::FROM_FD, MakeServerCredentials(socket.tls));
  }
}

absl::Status FrontDoor::Start(grpc::Server& server) {
  std::vector<int> listening;
  for (const Socket& socket : sockets_) listening.push_back(socket.fd());
  return acceptor_.Start(std::move(listening),
                         [this, &server](size_t listener, int fd, auto process) {
                           Take(server, listener, fd, process);
                         });
}

void FrontDoor::Take(grpc::Server& server, size_t listener, int fd,
                     std::optional<net::PeerCredentials> process) {
  Socket& socket = sockets_[listener];
  const bool has_tls = socket.handshaker != nullptr;
  const std::string peer = has_tls ? PeerOfAddress(fd) : PeerOfHandedOver(fd);
  if (peer.empty() || !access_.LetIn(peer, {.listener = listener, .fd = fd, .process = process})) {
    ::close(fd);
    return;
  }
  if (socket.tcp != nullptr) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  if (has_tls) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.fd = fd;
    socket.handshaker->HandleNewConnection(&connection);
  } else {
    grpc::AddInsecureChannelFromFd(&server, fd);
  }
}

absl::Status FrontDoor::CheckCertificates() const {
  for (size_t i = 0; i < sockets_.size(); ++i) {
    if (sockets_[i].tls.certificate_file.empty()) continue;
    const absl::Status files = CheckTlsFiles(sockets_[i].tls);
    if (!files.ok()) return WithContext(files, "listener " + addresses_[i]);
  }
  return absl::OkStatus();
}

void FrontDoor::Stop() {
  acceptor_.Stop();
  for (Socket& socket : sockets_) {
    if (socket.unix != nullptr) socket.unix->Close();
    if (socket.tcp != nullptr) socket.tcp->Close();
  }
}

}  // namespace talkjsd::api
