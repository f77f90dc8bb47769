// For the .cc files of net only: a TCP connection as Beast wants it, in clear or under TLS.
//
// OpenSSL works on the descriptor itself: asio::ssl::stream would hold 70 KiB of buffers a
// connection.
#ifndef TALKJSD_NET_TLS_STREAM_H_
#define TALKJSD_NET_TLS_STREAM_H_

#include <boost/beast/core/role.hpp>
#include <memory>
#include <string>

#include "daemon/net/asio.h"
#include "daemon/net/event_loop.h"

struct ssl_st;
struct ssl_ctx_st;

namespace talkjsd::net {

// Models Asio's AsyncStream. Lives on the loop's thread; at most one read and one write in flight,
// as Asio asks. Every operation completes as if posted. Close() ends what is in flight with
// operation_aborted; the stream must outlive it.
class TlsStream {
 public:
  using executor_type = Executor;
  using next_layer_type = Socket;

  explicit TlsStream(EventLoop& loop);
  TlsStream(EventLoop& loop, Socket socket);
  ~TlsStream();

  Executor get_executor() { return socket_.get_executor(); }
  Socket& next_layer() { return socket_; }
  const Socket& next_layer() const { return socket_; }

  // Puts TLS on the connected socket: every later operation goes through it, the handshake first.
  // The peer's certificate must be valid for `host`, a name or an address.
  void StartTls(ssl_ctx_st* context, const std::string& host);
  // void(error_code, size_t); the number is always 0.
  template <typename Token>
  auto AsyncHandshake(Token&& token) {
    return Compose(HandshakeStep{}, std::forward<Token>(token));
  }
  // After a failed handshake: what was wrong with the peer's certificate; empty if that was not the
  // cause.
  std::string CertificateError() const;

  // While corked, writes are kept (up to 64 KiB) and leave with the first one after uncorking.
  void SetCorked(bool corked) { corked_ = corked; }

  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    if (ssl_ == nullptr) return socket_.async_read_some(buffers, std::forward<Token>(token));
    return Compose(ReadStep{FirstOf(buffers)}, std::forward<Token>(token));
  }

  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    if (ssl_ == nullptr && !corked_ && out_.empty()) {
      return socket_.async_write_some(buffers, std::forward<Token>(token));
    }
    // One TLS record and one system call for what Beast gives in pieces.
    const size_t size = asio::buffer_size(buffers);
    const size_t old_size = out_.size();
    out_.resize(old_size + size);
    asio::buffer_copy(asio::buffer(out_.data() + old_size, size), buffers);
    return Compose(WriteStep{size}, std::forward<Token>(token));
  }

  // Says goodbye (TLS close, then FIN) and reads until the peer has closed too, for at most 2 s, so
  // that what was written last is not destroyed by a reset. void(error_code, size_t).
  template <typename Token>
  auto AsyncTeardown(Token&& token) {
    SayGoodbye();
    return Compose(DrainStep{}, std::forward<Token>(token));
  }

  // Closes the socket, whatever is in flight.
  void Close();

 private:
  enum class Want { kNothing, kRead, kWrite };
  // Each tries without blocking and says what to wait for before the next try.
  struct HandshakeStep {
    Want operator()(TlsStream& stream, error_code& error, size_t& bytes) const;
  };
  struct ReadStep {
    asio::mutable_buffer into;
    Want operator()(TlsStream& stream, error_code& error, size_t& bytes) const;
  };
  struct WriteStep {
    size_t size;
    Want operator()(TlsStream& stream, error_code& error, size_t& bytes) const;
  };
  struct DrainStep {
    Want operator()(TlsStream& stream, error_code& error, size_t& bytes) const;
  };

  template <typename Step>
  struct Operation {
    TlsStream* stream;
    Step step;
    error_code error{};
    size_t bytes = 0;
    enum { kStart, kWaited, kDone } state = kStart;

    template <typename Self>
    void operator()(Self& self, error_code wait_error = {}) {
      if (state == kDone) return self.complete(error, bytes);
      if (wait_error) return self.complete(wait_error, 0);
      const Want want = step(*stream, error, bytes);
      Socket& socket = stream->socket_;
      if (want != Want::kNothing) {
        state = kWaited;
        socket.async_wait(want == Want::kRead ? Socket::wait_read : Socket::wait_write,
                          std::move(self));
      } else if (state == kWaited) {
        self.complete(error, bytes);
      } else {
        state = kDone;
        asio::post(socket.get_executor(), std::move(self));
      }
    }
  };

  template <typename Step, typename Token>
  auto Compose(Step step, Token&& token) {
    return asio::async_compose<Token, void(error_code, size_t)>(Operation<Step>{this, step}, token,
                                                                socket_);
  }

  template <typename Buffers>
  static asio::mutable_buffer FirstOf(const Buffers& buffers) {
    for (auto it = asio::buffer_sequence_begin(buffers); it != asio::buffer_sequence_end(buffers);
         ++it) {
      const asio::mutable_buffer buffer(*it);
      if (buffer.size() > 0) return buffer;
    }
    return {};
  }

  Want FromSsl(int result, error_code& error);
  Want FlushPlain(error_code& error);
  Want FlushTls(error_code& error);
  void SayGoodbye();

  EventLoop& loop_;
  Socket socket_;
  ssl_st* ssl_ = nullptr;
  std::string out_;      // written, but not by the socket yet
  size_t out_sent_ = 0;  // of it, what has left
  bool corked_ = false;
  std::unique_ptr<Timer> linger_;
};

// Found by Beast through argument-dependent look-up.
void teardown(boost::beast::role_type role, TlsStream& stream, error_code& error);
void beast_close_socket(TlsStream& stream);

template <typename Handler>
void async_teardown(boost::beast::role_type, TlsStream& stream, Handler&& handler) {
  const auto executor = asio::get_associated_executor(handler, stream.get_executor());
  stream.AsyncTeardown(asio::bind_executor(
      executor, [handler = std::forward<Handler>(handler)](error_code error, size_t) mutable {
        std::move(handler)(error);
      }));
}

}  // namespace talkjsd::net

#endif  // TALKJSD_NET_TLS_STREAM_H_
