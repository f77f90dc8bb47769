#include "tests/unit/net/test_support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace talkjsd::net {

int ListenOnLoopback(uint16_t* port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(fd, 16), 0);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  *port = ntohs(address.sin_port);
  return fd;
}

RawServer::RawServer(std::function<void(int fd)> script) : listen_fd_(ListenOnLoopback(&port_)) {
  thread_ = std::thread([this, script = std::move(script)] {
    const int fd = accept(listen_fd_, nullptr, nullptr);
    if (fd < 0) return;
    const timeval timeout{10, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    script(fd);
    close(fd);
  });
}

RawServer::~RawServer() {
  shutdown(listen_fd_, SHUT_RDWR);
  thread_.join();
  close(listen_fd_);
}

RawClient::RawClient(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const timeval timeout{10, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
}

RawClient::~RawClient() { close(fd_); }

void RawClient::Send(std::string_view bytes) { SendAll(fd_, bytes); }

std::string RawClient::ReadUntil(std::string_view end) { return net::ReadUntil(fd_, end); }

void SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

std::string ReadUntil(int fd, std::string_view end) {
  std::string result;
  char buffer[4096];
  while (result.find(end) == std::string::npos) {
    const ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
    if (got <= 0) break;
    result.append(buffer, static_cast<size_t>(got));
  }
  return result;
}

void AnswerHandshake(int fd) {
  const std::string request = ReadUntil(fd, "\r\n\r\n");
  const std::string name = "Sec-WebSocket-Key: ";
  const size_t at = request.find(name);
  ASSERT_NE(at, std::string::npos) << request;
  const std::string key = request.substr(at + name.size(), 24);
  const std::string joined = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(joined.data()), joined.size(), digest);
  unsigned char text[64];
  const int length = EVP_EncodeBlock(text, digest, sizeof(digest));
  SendAll(fd,
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Accept: " +
              std::string(reinterpret_cast<char*>(text), static_cast<size_t>(length)) + "\r\n\r\n");
}

std::string ClientFrame(int opcode, std::string_view payload) {
  EXPECT_LT(payload.size(), 126u);
  std::string frame;
  frame.push_back(static_cast<char>(0x80 | opcode));
  frame.push_back(static_cast<char>(0x80 | payload.size()));
  frame.append(4, '\0');  // a mask of zeros changes nothing
  frame.append(payload);
  return frame;
}

Url LoopbackUrl(uint16_t port, bool tls) {
  Url url;
  url.tls = tls;
  url.host = "127.0.0.1";
  url.port = port;
  url.target = "/v1/demo/realtime";
  return url;
}

}  // namespace talkjsd::net
