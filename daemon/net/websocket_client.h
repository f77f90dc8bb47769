// A WebSocket to TalkJS, over TCP or TLS, as callbacks.
#ifndef TALKJSD_NET_WEBSOCKET_CLIENT_H_
#define TALKJSD_NET_WEBSOCKET_CLIENT_H_

#include <absl/status/status.h>

#include <memory>
#include <string>
#include <string_view>

#include "daemon/net/event_loop.h"
#include "daemon/net/proxy.h"
#include "daemon/net/tls_context.h"
#include "daemon/net/url.h"

namespace talkjsd::net {

// Called on the loop's thread, never from within a call into the WebSocketClient.
class WebSocketHandler {
 public:
  virtual ~WebSocketHandler() = default;
  virtual void OnOpen() = 0;
  // One text message; the view is valid during the call.
  virtual void OnText(std::string_view text) = 0;
  // Once, also after a failed connect and after Close; never after Abort. OK for a close without
  // error; otherwise what happened, with the peer and the close code where there is one. A binary
  // message, one over the size limit and an answer that is no WebSocket are errors: the reason is
  // ERROR_REASON_UPSTREAM_PROTOCOL_ERROR; refused, unreachable, reset, certificate trouble:
  // ERROR_REASON_UPSTREAM_UNAVAILABLE.
  virtual void OnClosed(absl::Status why) = 0;
};

// One connection, from Connect to OnClosed. Lives on its loop's thread. Writes wait in order; the
// frames handed over in one turn of the loop leave together where the transport allows it.
// Compression is not offered; pings are answered.
class WebSocketClient {
 public:
  struct Options {
    Url url;
    const TlsContext* tls = nullptr;  // required when url.tls; outlives the client
    const Proxy* proxy = nullptr;     // reached through a tunnel (CONNECT); outlives the client
    size_t max_message_bytes = 8 << 20;
    Duration connect_timeout = std::chrono::seconds(20);  // name look-up to WebSocket handshake
    std::string user_agent;
  };

  // `handler` outlives the client or is forgotten by Abort.
  static std::unique_ptr<WebSocketClient> Connect(EventLoop& loop, Options options,
                                                  WebSocketHandler* handler);
  virtual ~WebSocketClient() = default;  // as Abort

  virtual void SendText(std::string text) = 0;
  // Bytes handed to SendText that have not left yet.
  virtual size_t QueuedBytes() const = 0;
  // Closing handshake with code 1000 behind what is queued, for at most 2 s; then OnClosed.
  virtual void Close() = 0;
  // Drops the connection and everything queued, without a handshake. The handler is not called any
  // more.
  virtual void Abort() = 0;
};

}  // namespace talkjsd::net

#endif  // TALKJSD_NET_WEBSOCKET_CLIENT_H_
