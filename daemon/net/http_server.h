// A small HTTP/1.1 and WebSocket server on one event loop: the emulator's front and the admin
// listener.
#ifndef TALKJSD_NET_HTTP_SERVER_H_
#define TALKJSD_NET_HTTP_SERVER_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/net/event_loop.h"

namespace talkjsd::net {

struct ServerRequest {
  std::string method;
  std::string target;  // path and query, as received
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  // First value of a header, name in any case; empty if absent.
  std::string_view Header(std::string_view name) const;
};

struct ServerResponse {
  // What becomes of the connection: anything but kAnswer closes it without an answer, kReset with a
  // TCP reset. For servers that play a broken one.
  enum class Fate { kAnswer, kDrop, kReset };

  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  Fate fate = Fate::kAnswer;
};

// The server's end of a WebSocket. Lives on the server's loop. Owned by the connection: valid until
// OnClosed returns.
class ServerSocket {
 public:
  virtual ~ServerSocket() = default;
  // Text messages leave in order. `delay` holds this one and those behind it back for at least that
  // long after the message before it was written.
  virtual void SendText(std::string text, Duration delay = Duration::zero()) = 0;
  virtual size_t QueuedBytes() const = 0;
  // Closing handshake with this code behind what is queued.
  virtual void Close(uint16_t code, std::string_view reason) = 0;
  // Drops the TCP connection.
  virtual void Abort() = 0;

  // For servers that play a broken one: drops the connection with a TCP reset; sends half of a
  // message's frame behind what is queued, and drops the connection.
  virtual void Reset() = 0;
  virtual void SendTorn(std::string text) = 0;
};

// Called on the server's loop.
class ServerSocketHandler {
 public:
  virtual ~ServerSocketHandler() = default;
  // Before anything else.
  virtual void OnOpen(ServerSocket* socket) = 0;
  virtual void OnText(std::string_view text) = 0;
  // Once. Binary messages and messages over the limit close the socket (1003, 1009) before the
  // handler sees them.
  virtual void OnClosed() = 0;
};

// Lives on `loop`: Start and destruction happen on its thread, or before it runs and after it has
// stopped.
class HttpServer {
 public:
  struct Options {
    std::string host = "127.0.0.1";  // empty: listens nowhere, see Serve
    uint16_t port = 0;               // 0 picks one
    size_t max_body_bytes = 1 << 20;
    // Instead of max_body_bytes, where set: the limit for one request, asked before its body is
    // read. `head` has no body yet.
    std::function<size_t(const ServerRequest& head)> body_limit;
    // What to answer where the server itself refuses a request (400, 413, 431); plain text without
    // it.
    std::function<ServerResponse(int status, std::string_view reason)> refuse;
    size_t max_message_bytes = 1 << 20;
    // Requests must arrive within this time; also how long a kept-alive connection may be idle.
    Duration request_timeout = std::chrono::seconds(60);
    // A WebSocket without any frame from the peer for so long is closed; zero: never.
    Duration socket_idle_timeout = Duration::zero();
    int max_connections = 100'000;
  };
  using Respond = std::function<void(ServerResponse)>;
  // Exactly one call of `respond`, at once or later, on the loop.
  using RequestHandler = std::function<void(ServerRequest request, Respond respond)>;
  // A WebSocket upgrade: a handler, or nullptr to have it answered by `on_request` as an ordinary
  // request.
  using UpgradeHandler =
      std::function<std::unique_ptr<ServerSocketHandler>(const ServerRequest& request)>;

  HttpServer(EventLoop& loop, Options options, RequestHandler on_request,
             UpgradeHandler on_upgrade = nullptr);
  ~HttpServer();  // drops all connections; OnClosed is called for open sockets

  // Binds and listens. UNAVAILABLE naming the address if that fails.
  absl::Status Start();
  // Serves a stream socket that somebody else has accepted, of any family; non-blocking. Takes
  // ownership of `fd`. On the loop.
  void Serve(int fd);
  uint16_t port() const;  // after Start
  int connections() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace talkjsd::net

#endif  // TALKJSD_NET_HTTP_SERVER_H_
