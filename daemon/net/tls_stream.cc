#include "daemon/net/tls_stream.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <boost/asio/ssl/error.hpp>
#include <cerrno>

namespace talkjsd::net {
namespace {

constexpr size_t kMaxCorked = 64 * 1024;
constexpr auto kLinger = std::chrono::seconds(2);

bool IsAddress(const std::string& host) {
  unsigned char bytes[sizeof(in6_addr)];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

error_code SystemError() { return {errno, boost::system::system_category()}; }

void BeforeCall() {
  ERR_clear_error();
  errno = 0;
}

}  // namespace

TlsStream::TlsStream(EventLoop& loop) : TlsStream(loop, Socket(loop.io().get_executor())) {}

TlsStream::TlsStream(EventLoop& loop, Socket socket) : loop_(loop), socket_(std::move(socket)) {}

TlsStream::~TlsStream() { SSL_free(ssl_); }

void TlsStream::StartTls(ssl_ctx_st* context, const std::string& host) {
  error_code ignored;
  socket_.native_non_blocking(true, ignored);
  ssl_ = SSL_new(context);
  if (ssl_ == nullptr) throw std::bad_alloc();
  SSL_set_fd(ssl_, socket_.native_handle());
  SSL_set_connect_state(ssl_);
  if (IsAddress(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), host.c_str());
  } else {
    SSL_set_hostflags(ssl_, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(ssl_, host.c_str());
    SSL_set_tlsext_host_name(ssl_, host.c_str());
  }
}

std::string TlsStream::CertificateError() const {
  const long result = ssl_ == nullptr ? X509_V_OK : SSL_get_verify_result(ssl_);
  return result == X509_V_OK ? "" : X509_verify_cert_error_string(result);
}

TlsStream::Want TlsStream::FromSsl(int result, error_code& error) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_NONE:
      return Want::kNothing;
    case SSL_ERROR_WANT_READ:
      return Want::kRead;
    case SSL_ERROR_WANT_WRITE:
      return Want::kWrite;
    case SSL_ERROR_ZERO_RETURN:
      error = asio::error::eof;
      return Want::kNothing;
    case SSL_ERROR_SYSCALL:
      error = errno == 0 ? error_code(asio::error::eof) : SystemError();
      return Want::kNothing;
    default:
      break;
  }
  const unsigned long code = ERR_get_error();
  if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    error = asio::error::eof;
  } else {
    error = error_code(static_cast<int>(code), asio::error::get_ssl_category());
  }
  return Want::kNothing;
}

TlsStream::Want TlsStream::HandshakeStep::operator()(TlsStream& stream, error_code& error,
                                                     size_t&) const {
  if (!stream.socket_.is_open()) {
    error = asio::error::operation_aborted;
    return Want::kNothing;
  }
  BeforeCall();
  return stream.FromSsl(SSL_do_handshake(stream.ssl_), error);
}

TlsStream::Want TlsStream::ReadStep::operator()(TlsStream& stream, error_code& error,
                                                size_t& bytes) const {
  // After Close() the descriptor's number may be another connection's.
  if (!stream.socket_.is_open()) {
    error = asio::error::operation_aborted;
    return Want::kNothing;
  }
  if (into.size() == 0) return Want::kNothing;
  BeforeCall();
  return stream.FromSsl(SSL_read_ex(stream.ssl_, into.data(), into.size(), &bytes), error);
}

TlsStream::Want TlsStream::WriteStep::operator()(TlsStream& stream, error_code& error,
                                                 size_t& bytes) const {
  if (!stream.socket_.is_open()) {
    error = asio::error::operation_aborted;
    return Want::kNothing;
  }
  const bool keep = stream.corked_ && stream.out_sent_ == 0 && stream.out_.size() < kMaxCorked;
  if (!keep) {
    const Want want = stream.ssl_ == nullptr ? stream.FlushPlain(error) : stream.FlushTls(error);
    if (want != Want::kNothing) return want;
    if (error) return Want::kNothing;
    stream.out_sent_ = 0;
    std::string().swap(stream.out_);  // an idle connection keeps no buffer
  }
  bytes = size;
  return Want::kNothing;
}

TlsStream::Want TlsStream::FlushPlain(error_code& error) {
  while (out_sent_ < out_.size()) {
    const ssize_t sent = ::send(socket_.native_handle(), out_.data() + out_sent_,
                                out_.size() - out_sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      out_sent_ += static_cast<size_t>(sent);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return Want::kWrite;
    } else if (errno != EINTR) {
      error = SystemError();
      return Want::kNothing;
    }
  }
  return Want::kNothing;
}

TlsStream::Want TlsStream::FlushTls(error_code& error) {
  while (out_sent_ < out_.size()) {
    BeforeCall();
    size_t sent = 0;
    const int result = SSL_write_ex(ssl_, out_.data() + out_sent_, out_.size() - out_sent_, &sent);
    const Want want = FromSsl(result, error);
    if (want != Want::kNothing || error) return want;
    out_sent_ += sent;
  }
  return Want::kNothing;
}

TlsStream::Want TlsStream::DrainStep::operator()(TlsStream& stream, error_code&, size_t&) const {
  char scratch[4096];
  for (int round = 0; stream.socket_.is_open(); ++round) {
    if (round == 64) return Want::kRead;  // let others have their turn
    const ssize_t got =
        ::recv(stream.socket_.native_handle(), scratch, sizeof(scratch), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Want::kRead;
    if (got == 0 || (got < 0 && errno != EINTR)) break;
  }
  stream.linger_.reset();
  return Want::kNothing;
}

void TlsStream::SayGoodbye() {
  if (!socket_.is_open()) return;
  if (ssl_ != nullptr && SSL_is_init_finished(ssl_)) {
    BeforeCall();
    SSL_shutdown(ssl_);
    ERR_clear_error();
  }
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  linger_ = std::make_unique<Timer>(loop_, [this] { Close(); });
  linger_->Set(SystemClock().Now() + kLinger);
}

void TlsStream::Close() {
  linger_.reset();
  error_code ignored;
  socket_.close(ignored);
}

void teardown(boost::beast::role_type, TlsStream& stream, error_code& error) {
  stream.Close();
  error = {};
}

void beast_close_socket(TlsStream& stream) { stream.Close(); }

}  // namespace talkjsd::net
