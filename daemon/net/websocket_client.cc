#include "daemon/net/websocket_client.h"

#include <absl/strings/escaping.h>
#include <openssl/err.h>

#include <boost/asio/ssl/error.hpp>
#include <boost/beast/core/flat_static_buffer.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <vector>

#include "daemon/base/error.h"
#include "daemon/net/resolver.h"
#include "daemon/net/websocket_stream.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::net {
namespace {

namespace http = boost::beast::http;
namespace v1 = talkjs::sidecar::v1;

constexpr auto kCloseTimeout = std::chrono::seconds(2);

// "host:port", also where the port is the scheme's own.
std::string Authority(const Url& url) {
  const std::string host =
      url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  return host + ":" + std::to_string(url.port);
}

std::string PeerName(const Url& url) { return (url.tls ? "wss://" : "ws://") + Authority(url); }

bool IsProtocolError(const error_code& error) {
  static const auto& websocket_category =
      websocket::make_error_code(websocket::error::closed).category();
  static const auto& http_category = http::make_error_code(http::error::bad_version).category();
  if (error == http::error::end_of_stream) return false;  // closed without an answer
  return error.category() == websocket_category || error.category() == http_category;
}

std::string Describe(const error_code& error) {
  if (error == asio::error::eof || error == http::error::end_of_stream) {
    return "the peer closed the connection";
  }
  if (error.category() == asio::error::get_ssl_category()) {
    const char* reason =
        ERR_reason_error_string(static_cast<unsigned long>(static_cast<unsigned>(error.value())));
    return std::string("TLS: ") + (reason == nullptr ? "failed" : reason);
  }
  return error.message();
}

// The header of a proxy's answer to CONNECT.
constexpr size_t kMaxProxyAnswer = 4096;

// One connection: shared by the client object and by what is in flight.
class Connection final : public WebSocketStream {
 public:
  Connection(EventLoop& loop, WebSocketClient::Options options, WebSocketHandler* handler)
      : WebSocketStream(loop, Socket(loop.io().get_executor()), options.max_message_bytes),
        options_(std::move(options)),
        handler_(handler) {}

  void Start() {
    asio::post(transport().get_executor(),
               [self = Self()] { Spawn(self->transport().get_executor(), Live(self)); });
  }

  void Close() {
    if (closing() || dropped()) return;
    if (!open_) {
      closed_by_us_ = true;
      Drop();
      return;
    }
    closed_by_us_ = true;
    timer().Set(SystemClock().Now() + kCloseTimeout);
    StartClose(websocket::close_code::normal);
  }

  void Abort() {
    handler_ = nullptr;
    Drop();
  }

  void Drop() override {
    WebSocketStream::Drop();
    if (resolving_ != nullptr) resolving_->cancel();
  }

 private:
  std::shared_ptr<Connection> Self() {
    return std::static_pointer_cast<Connection>(shared_from_this());
  }

  // The life of the connection.
  static Task<void> Live(std::shared_ptr<Connection> self) {
    absl::Status why = co_await self->Open();
    if (why.ok() && !self->dropped()) {
      self->open_ = true;
      self->timer().Set(kNever);
      self->StartWriting();
      if (self->handler_ != nullptr) self->handler_->OnOpen();
      const ReadEnd end = co_await self->ReadMessages();
      why = self->WhyEnded(end);
    }
    self->WebSocketStream::Drop();
    if (self->closed_by_us_) why = absl::OkStatus();
    WebSocketHandler* handler = std::exchange(self->handler_, nullptr);
    if (handler != nullptr) handler->OnClosed(why);
  }

  Task<absl::Status> Open() {
    if (dropped()) co_return Unreachable("the connection was given up");
    deadline_ = SystemClock().Now() + options_.connect_timeout;
    timer().Set(deadline_);
    absl::Status reached = co_await Reach();
    if (!reached.ok()) co_return reached;
    if (options_.proxy != nullptr) {
      absl::Status tunneled = co_await Tunnel();
      if (!tunneled.ok()) co_return tunneled;
    }
    error_code error;
    if (options_.url.tls) {
      transport().StartTls(options_.tls->get().get(), options_.url.host);
      co_await transport().AsyncHandshake(Into(error));
      if (error) co_return WhyNoTls(error);
    }
    ws().set_option(websocket::stream_base::decorator(
        [agent = options_.user_agent](websocket::request_type& request) {
          if (!agent.empty()) request.set(http::field::user_agent, agent);
        }));
    websocket::response_type answer;
    const std::string host = options_.url.HostHeader();
    co_await ws().async_handshake(answer, host, options_.url.target, Into(error));
    if (error == websocket::error::upgrade_declined) {
      co_return Broken("it answered HTTP status " + std::to_string(answer.result_int()) +
                       " instead of a WebSocket");
    }
    if (error) co_return WhyNoWebSocket(error);
    co_return absl::OkStatus();
  }

  // Name look-up and TCP: the addresses in turn, each with its share of the time that is left.
  Task<absl::Status> Reach() {
    resolving_ = std::make_unique<AsioTimer>(transport().get_executor(), kNever);
    const Proxy* const proxy = options_.proxy;
    Resolve(loop().io(), proxy == nullptr ? options_.url.host : proxy->host,
            proxy == nullptr ? options_.url.port : proxy->port,
            [weak = std::weak_ptr<Connection>(Self())](Resolved answer) {
              const std::shared_ptr<Connection> self = weak.lock();
              if (self == nullptr || self->resolving_ == nullptr) return;
              self->resolved_ = std::move(answer);
              self->resolving_->cancel();
            });
    error_code error;
    co_await resolving_->async_wait(Into(error));
    resolving_.reset();
    Resolved found = std::exchange(resolved_, {});
    if (!found.error.empty()) co_return NotReached("its name was not found: " + found.error);
    error = asio::error::timed_out;
    for (size_t i = 0; i < found.endpoints.size() && !dropped(); ++i) {
      const MonoTime now = SystemClock().Now();
      if (now >= deadline_) break;
      timer().Set(now + (deadline_ - now) / static_cast<int>(found.endpoints.size() - i));
      expired_ = false;
      Socket& socket = transport().next_layer();
      const Tcp::endpoint endpoint = found.endpoints[i];
      socket.close(error);
      socket.open(endpoint.protocol(), error);
      if (!error) co_await socket.async_connect(endpoint, Into(error));
      if (error) continue;
      socket.set_option(Tcp::no_delay(true), error);
      timer().Set(deadline_);
      co_return absl::OkStatus();
    }
    if (expired_) error = asio::error::timed_out;
    co_return NotReached(error.message());
  }

  // Asks the proxy for a connection to the peer.
  Task<absl::Status> Tunnel() {
    const std::string authority = Authority(options_.url);
    http::request<http::empty_body> request(http::verb::connect, authority, 11);
    request.set(http::field::host, authority);
    if (!options_.user_agent.empty()) request.set(http::field::user_agent, options_.user_agent);
    const Secret& credentials = options_.proxy->credentials;
    if (!credentials.empty()) {
      request.set(http::field::proxy_authorization,
                  "Basic " + absl::Base64Escape(std::string(credentials.Expose())));
    }
    error_code error;
    co_await http::async_write(transport(), request, Into(error));
    if (error) co_return NotReached(Describe(error));
    // The peer says nothing before it is spoken to: what follows the answer's header is not its.
    boost::beast::flat_static_buffer<kMaxProxyAnswer> buffer;
    http::response_parser<http::empty_body> answer;
    answer.skip(true);
    co_await http::async_read_header(transport(), buffer, answer, Into(error));
    if (expired_) co_return NotReached("no answer in time");
    if (error) co_return NotReached(Describe(error));
    const int status = static_cast<int>(answer.get().result_int());
    if (status / 100 != 2) {
      co_return Fail(v1::ERROR_REASON_UPSTREAM_UNAVAILABLE,
                     "cannot be reached: ", ProxyRefused(*options_.proxy, status), "");
    }
    if (buffer.size() > 0) co_return NotReached("it sent more than an answer");
    co_return absl::OkStatus();
  }

  void OnMessage(std::string_view text) override {
    if (handler_ != nullptr) handler_->OnText(text);
  }

  void OnTimer() override {
    expired_ = true;
    if (resolving_ != nullptr) resolving_->cancel();
    transport().Close();
  }

  absl::Status Unreachable(std::string_view what) const {
    return Fail(v1::ERROR_REASON_UPSTREAM_UNAVAILABLE, "cannot be reached: ", what,
                "; check the host, the network and the proxy in between");
  }

  // Of whom is spoken to first: the proxy where there is one.
  absl::Status NotReached(const std::string& what) const {
    if (options_.proxy == nullptr) return Unreachable(what);
    return Fail(v1::ERROR_REASON_UPSTREAM_UNAVAILABLE,
                "cannot be reached: ", ProxyUnreachable(*options_.proxy, what), "");
  }

  absl::Status Broken(std::string_view what) const {
    return Fail(v1::ERROR_REASON_UPSTREAM_PROTOCOL_ERROR,
                "does not speak TalkJS's protocol: ", what, "; check that the host is TalkJS's");
  }

  absl::Status Fail(ErrorReason reason, std::string_view verdict, std::string_view what,
                    std::string_view advice) const {
    std::string text = PeerName(options_.url) + " ";
    text.append(verdict).append(what).append(advice);
    return MakeError(absl::StatusCode::kUnavailable, reason, text);
  }

  absl::Status WhyNoTls(const error_code& error) {
    if (expired_) return Unreachable("no answer to the TLS handshake in time");
    const std::string certificate = ws().next_layer().CertificateError();
    if (certificate.empty()) return Unreachable(Describe(error));
    return Fail(v1::ERROR_REASON_UPSTREAM_UNAVAILABLE,
                "has a certificate that is not trusted: ", certificate,
                "; check the host, and give the daemon the CA's certificate");
  }

  absl::Status WhyNoWebSocket(const error_code& error) const {
    if (expired_) return Unreachable("no answer to the WebSocket handshake in time");
    return IsProtocolError(error) ? Broken(Describe(error)) : Unreachable(Describe(error));
  }

  absl::Status WhyEnded(ReadEnd end) {
    if (end == ReadEnd::kBinary) return Broken("it sent a binary message");
    if (end == ReadEnd::kClosed) return WhyClosed(ws().reason());
    if (IsProtocolError(read_error())) return Broken(Describe(read_error()));
    return Fail(v1::ERROR_REASON_UPSTREAM_UNAVAILABLE, "was lost: ", Describe(read_error()), "");
  }

  absl::Status WhyClosed(const websocket::close_reason& reason) const {
    if (reason.code == websocket::close_code::normal ||
        reason.code == websocket::close_code::going_away ||
        reason.code == websocket::close_code::none) {
      return absl::OkStatus();
    }
    std::string what = "with code " + std::to_string(reason.code);
    if (!reason.reason.empty()) {
      what.append(" (").append(reason.reason.data(), reason.reason.size()).append(")");
    }
    return Fail(v1::ERROR_REASON_UPSTREAM_UNAVAILABLE, "closed the connection ", what, "");
  }

  const WebSocketClient::Options options_;
  WebSocketHandler* handler_;  // null once it must not be called any more
  MonoTime deadline_{};
  std::unique_ptr<AsioTimer> resolving_;  // cancelled when the look-up is over, whatever its end
  Resolved resolved_;
  bool open_ = false;
  bool expired_ = false;
  bool closed_by_us_ = false;
};

class Client final : public WebSocketClient {
 public:
  explicit Client(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {
    connection_->Start();
  }
  ~Client() override { connection_->Abort(); }

  void SendText(std::string text) override { connection_->Send(std::move(text), Duration::zero()); }
  size_t QueuedBytes() const override { return connection_->queued_bytes(); }
  void Close() override { connection_->Close(); }
  void Abort() override { connection_->Abort(); }

 private:
  const std::shared_ptr<Connection> connection_;
};

}  // namespace

std::unique_ptr<WebSocketClient> WebSocketClient::Connect(EventLoop& loop, Options options,
                                                          WebSocketHandler* handler) {
  return std::make_unique<Client>(std::make_shared<Connection>(loop, std::move(options), handler));
}

}  // namespace talkjsd::net
