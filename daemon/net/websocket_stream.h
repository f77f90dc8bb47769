// For the .cc files of net only: what both ends of a WebSocket have in common.
#ifndef TALKJSD_NET_WEBSOCKET_STREAM_H_
#define TALKJSD_NET_WEBSOCKET_STREAM_H_

#include <boost/beast/websocket.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/net/tls_stream.h"

namespace talkjsd::net {

namespace websocket = boost::beast::websocket;

// The stream, its write queue, its closing handshake and its one timer. Lives on the loop's thread.
// Operations in flight own it (shared_ptr), so its user may let go of it at any time after Drop().
//
// Memory of an idle one: no compression, a write buffer of 512 bytes to 4 KiB (as the last
// message), a read buffer of one TCP segment.
class WebSocketStream : public std::enable_shared_from_this<WebSocketStream> {
 public:
  WebSocketStream(EventLoop& loop, Socket socket, size_t max_message_bytes);
  virtual ~WebSocketStream() = default;
  WebSocketStream(const WebSocketStream&) = delete;
  WebSocketStream& operator=(const WebSocketStream&) = delete;

  // One write is in flight at a time; what has no delay and is queued behind it leaves together
  // after it. `delay` holds this message back for at least that long after the one before it was
  // written. Nothing leaves before StartWriting.
  void Send(std::string text, Duration delay);
  // Half of the message's frame as a server writes it, behind what is queued; then Drop.
  void SendTorn(std::string text);
  size_t queued_bytes() const { return queued_bytes_; }
  // A close frame behind what is queued; later messages are dropped. ReadMessages ends when the
  // peer has answered.
  void StartClose(websocket::close_reason reason);
  // Closes the TCP connection: everything in flight ends.
  virtual void Drop();

 protected:
  using Stream = websocket::stream<TlsStream, false>;
  enum class ReadEnd { kClosed, kBinary, kFailed };  // kFailed: see read_error()

  // The handshake is done.
  void StartWriting();
  // Reads until the connection ends; the caller's `self` keeps the stream alive.
  Task<ReadEnd> ReadMessages();
  virtual void OnMessage(std::string_view text) = 0;
  virtual void OnTimer() = 0;
  // The close frame is on its way: the time for the peer's answer begins.
  virtual void OnCloseSent() {}

  EventLoop& loop() { return loop_; }
  Stream& ws() { return ws_; }
  TlsStream& transport() { return ws_.next_layer(); }
  Timer& timer() { return timer_; }
  bool dropped() const { return dropped_; }
  bool closing() const { return closing_; }
  bool close_sent() const { return close_sent_; }
  // Of the read, or of an earlier write that failed.
  const error_code& read_error() const { return read_error_; }

 private:
  struct Item {
    std::string text;
    Duration delay;
    bool torn = false;
  };

  void Kick();
  void WriteNext();
  bool WaitsForDelay(Item& item);
  void WriteTorn(Item& item);
  void Written(const error_code& error);
  void WriteClose();

  EventLoop& loop_;
  Stream ws_;
  Timer timer_;
  std::vector<Item> waiting_;  // handed over while batch_ is being written
  std::vector<Item> batch_;
  size_t next_ = 0;  // in batch_
  size_t queued_bytes_ = 0;
  std::unique_ptr<AsioTimer> delay_timer_;
  MonoTime last_written_{};
  websocket::close_reason close_reason_;
  error_code read_error_;
  bool open_ = false;
  bool writing_ = false;
  bool closing_ = false;
  bool close_sent_ = false;
  bool dropped_ = false;
};

}  // namespace talkjsd::net

#endif  // TALKJSD_NET_WEBSOCKET_STREAM_H_
