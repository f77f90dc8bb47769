#include "daemon/net/http_server.h"

#include <absl/strings/match.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <unordered_set>

#include "daemon/base/log.h"
#include "daemon/net/websocket_stream.h"

namespace talkjsd::net {
namespace {

namespace http = boost::beast::http;

constexpr uint32_t kMaxHeaderBytes = 32 * 1024;
constexpr auto kAcceptBackOff = std::chrono::milliseconds(100);
constexpr auto kCloseTimeout = std::chrono::seconds(2);
constexpr std::string_view kFull =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

using HttpRequestMessage = http::request<http::string_body>;

absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

std::string ToString(boost::beast::string_view text) { return {text.data(), text.size()}; }

void ResetOnClose(Socket& socket) {
  error_code ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
}

// Anything the server has to drop when it goes.
class Tracked {
 public:
  virtual ~Tracked() = default;
  virtual void Shutdown() = 0;
};

// What connections share. Outlives the server while their coroutines unwind.
struct Shared {
  Shared(EventLoop& event_loop, HttpServer::Options server_options,
         HttpServer::RequestHandler request_handler, HttpServer::UpgradeHandler upgrade_handler)
      : loop(event_loop),
        options(std::move(server_options)),
        on_request(std::move(request_handler)),
        on_upgrade(std::move(upgrade_handler)) {}

  EventLoop& loop;
  const HttpServer::Options options;
  const HttpServer::RequestHandler on_request;
  const HttpServer::UpgradeHandler on_upgrade;
  std::unordered_set<Tracked*> connections;
  bool stopped = false;
};

// Membership in Shared::connections.
class Registration {
 public:
  Registration(std::shared_ptr<Shared> shared, Tracked* tracked)
      : shared_(std::move(shared)), tracked_(tracked) {
    shared_->connections.insert(tracked_);
  }
  ~Registration() { shared_->connections.erase(tracked_); }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;
  Shared& operator*() const { return *shared_; }
  Shared* operator->() const { return shared_.get(); }
  const std::shared_ptr<Shared>& get() const { return shared_; }

 private:
  const std::shared_ptr<Shared> shared_;
  Tracked* const tracked_;
};

// A connection after its upgrade.
class SocketConnection final : public WebSocketStream, public ServerSocket, public Tracked {
 public:
  SocketConnection(const std::shared_ptr<Shared>& shared, Socket socket,
                   std::unique_ptr<ServerSocketHandler> handler)
      : WebSocketStream(shared->loop, std::move(socket), shared->options.max_message_bytes),
        shared_(shared, this),
        handler_(std::move(handler)) {}

  // The life of the WebSocket.
  static Task<void> Live(std::shared_ptr<SocketConnection> self,
                         std::unique_ptr<HttpRequestMessage> request) {
    self->timer().Set(SystemClock().Now() + self->shared_->options.request_timeout);
    error_code error;
    co_await self->ws().async_accept(*request, Into(error));
    request.reset();
    if (!error && !self->dropped()) {
      self->Opened();
      const ReadEnd end = co_await self->ReadMessages();
      if (end == ReadEnd::kBinary && !self->dropped()) {
        const websocket::close_reason reason(websocket::close_code::unknown_data);
        self->timer().Set(SystemClock().Now() + kCloseTimeout);
        co_await self->ws().async_close(reason, Into(error));
      }
    }
    self->Finish();
  }

  void SendText(std::string text, Duration delay) override { Send(std::move(text), delay); }
  size_t QueuedBytes() const override { return queued_bytes(); }
  void Abort() override { Drop(); }
  void Reset() override {
    ResetOnClose(transport().next_layer());
    Drop();
  }
  void SendTorn(std::string text) override { WebSocketStream::SendTorn(std::move(text)); }
  void Close(uint16_t code, std::string_view reason) override {
    if (closing() || dropped()) return;
    constexpr size_t kMaxReason = 123;
    websocket::close_reason why;
    why.code = code;
    why.reason.assign(reason.data(), std::min(reason.size(), kMaxReason));
    StartClose(std::move(why));
  }

  void Shutdown() override { Finish(); }

 private:
  void Opened() {
    open_ = true;
    last_frame_ = SystemClock().Now();
    const Duration idle = shared_->options.socket_idle_timeout;
    timer().Set(idle == Duration::zero() ? kNever : last_frame_ + idle);
    if (idle != Duration::zero()) {
      ws().control_callback([this](websocket::frame_type, boost::beast::string_view) {
        last_frame_ = SystemClock().Now();
      });
    }
    StartWriting();
    handler_->OnOpen(this);
  }

  void Finish() {
    Drop();
    const std::unique_ptr<ServerSocketHandler> handler = std::move(handler_);
    if (open_ && handler != nullptr) handler->OnClosed();
  }

  void OnMessage(std::string_view text) override {
    last_frame_ = SystemClock().Now();
    if (handler_ != nullptr) handler_->OnText(text);
  }

  void OnCloseSent() override { timer().Set(SystemClock().Now() + kCloseTimeout); }

  void OnTimer() override {
    const Duration idle = shared_->options.socket_idle_timeout;
    const bool was_active = open_ && !close_sent() && idle != Duration::zero() &&
                            last_frame_ + idle > SystemClock().Now();
    if (was_active) {
      timer().Set(last_frame_ + idle);
    } else {
      Drop();
    }
  }

  const Registration shared_;
  std::unique_ptr<ServerSocketHandler> handler_;
  MonoTime last_frame_{};
  bool open_ = false;
};

// A connection that speaks HTTP: requests in turn until it ends or becomes a WebSocket.
class HttpConnection final : public Tracked, public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(const std::shared_ptr<Shared>& shared, Socket socket)
      : shared_(shared, this),
        stream_(shared->loop, std::move(socket)),
        timer_(shared->loop, [this] { stream_.Close(); }) {}

  // The life of the connection.
  static Task<void> Live(std::shared_ptr<HttpConnection> self) {
    boost::beast::flat_buffer buffer;
    bool more = true;
    while (more) {
      self->timer_.Set(SystemClock().Now() + self->shared_->options.request_timeout);
      error_code error;
      // An idle connection holds no buffers.
      if (buffer.size() == 0) {
        buffer.shrink_to_fit();
        co_await self->stream_.next_layer().async_wait(Socket::wait_read, Into(error));
      }
      if (error || self->stopped()) break;
      more = co_await self->ServeOne(buffer);
    }
    self->timer_.Set(kNever);
    if (self->upgraded_ || self->stopped()) co_return;
    error_code ignored;
    co_await self->stream_.AsyncTeardown(Into(ignored));
    self->stream_.Close();
  }

  void Shutdown() override {
    timer_.Set(kNever);
    stream_.Close();
  }

 private:
  using Parser = http::request_parser<http::string_body>;

  bool stopped() const { return shared_->stopped; }

  // One request and its response. False when it was the last of this connection.
  Task<bool> ServeOne(boost::beast::flat_buffer& buffer) {
    timer_.Set(SystemClock().Now() + shared_->options.request_timeout);
    Parser parser;
    parser.header_limit(kMaxHeaderBytes);
    parser.body_limit(boost::none);
    error_code error;
    co_await http::async_read_header(stream_, buffer, parser, Into(error));
    if (!error) error = LimitBody(parser);
    if (!error && boost::beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      http::response<http::empty_body> go_on(http::status::continue_, parser.get().version());
      co_await http::async_write(stream_, go_on, Into(error));
    }
    if (!error) co_await http::async_read(stream_, buffer, parser, Into(error));
    if (stopped()) co_return false;
    if (error) {
      ServerResponse refusal = RefusalOf(error);
      if (refusal.status != 0) co_await Write(refusal, false, false, 11);
      co_return false;
    }
    timer_.Set(kNever);  // the handler may take its time
    const bool head = parser.get().method() == http::verb::head;
    const bool keep_alive = parser.get().keep_alive();
    const unsigned version = parser.get().version();
    const bool upgrade = shared_->on_upgrade != nullptr && websocket::is_upgrade(parser.get());
    ServerRequest request = Convert(parser.get());
    if (upgrade) {
      std::unique_ptr<ServerSocketHandler> handler = shared_->on_upgrade(request);
      if (handler != nullptr && buffer.size() == 0) {
        Upgrade(parser.release(), std::move(handler));
        co_return false;
      }
      // A WebSocket client must wait for the answer before it sends frames (RFC 6455, 4.1).
      if (handler != nullptr) {
        ServerResponse early = Refuse(400, "frames before the handshake");
        co_await Write(early, false, false, version);
        co_return false;
      }
    }
    const bool answered = co_await Ask(std::move(request));
    if (!answered) co_return false;
    timer_.Set(SystemClock().Now() + shared_->options.request_timeout);
    ServerResponse response = std::exchange(answer_, std::nullopt).value();
    if (response.fate != ServerResponse::Fate::kAnswer) {
      if (response.fate == ServerResponse::Fate::kReset) ResetOnClose(stream_.next_layer());
      stream_.Close();
      co_return false;
    }
    const bool written = co_await Write(response, head, keep_alive, version);
    co_return written&& keep_alive;
  }

  // After the header, before the body.
  error_code LimitBody(Parser& parser) {
    uint64_t limit = shared_->options.max_body_bytes;
    if (shared_->options.body_limit != nullptr) {
      limit = shared_->options.body_limit(ConvertHead(parser.get()));
    }
    const auto announced = parser.content_length();
    if (announced.has_value() && *announced > limit) return http::error::body_limit;
    parser.body_limit(limit);
    return {};
  }

  // Waits for the handler's answer, which is then in answer_. False if the server has gone.
  Task<bool> Ask(ServerRequest request) {
    answer_.reset();
    shared_->on_request(std::move(request), [weak = weak_from_this()](ServerResponse response) {
      const std::shared_ptr<HttpConnection> self = weak.lock();
      if (self == nullptr || self->answer_.has_value()) return;
      self->answer_ = std::move(response);
      if (self->answered_ != nullptr) self->answered_->cancel();
    });
    if (!answer_.has_value() && !stopped()) {
      answered_ = std::make_unique<AsioTimer>(stream_.get_executor(), kNever);
      error_code error;
      co_await answered_->async_wait(Into(error));
      answered_.reset();
    }
    co_return answer_.has_value() && !stopped();
  }

  // Takes the body out of `response`.
  Task<bool> Write(ServerResponse& response, bool head, bool keep_alive, unsigned version) {
    http::response<http::string_body> message;
    message.version(version);
    message.result(static_cast<unsigned>(response.status));
    for (const auto& [name, value] : response.headers) message.insert(name, value);
    const bool bodiless = response.status == 204 || response.status == 304;
    if (!bodiless) {
      if (!response.content_type.empty()) {
        message.set(http::field::content_type, response.content_type);
      }
      message.content_length(response.body.size());
      if (!head) message.body() = std::move(response.body);
    }
    message.keep_alive(keep_alive);
    error_code error;
    co_await http::async_write(stream_, message, Into(error));
    co_return !error;
  }

  void Upgrade(HttpRequestMessage request, std::unique_ptr<ServerSocketHandler> handler) {
    upgraded_ = true;
    auto socket = std::make_shared<SocketConnection>(shared_.get(), std::move(stream_.next_layer()),
                                                     std::move(handler));
    auto kept = std::make_unique<HttpRequestMessage>(std::move(request));
    const Executor executor = shared_->loop.io().get_executor();
    Spawn(executor, SocketConnection::Live(std::move(socket), std::move(kept)));
  }

  ServerResponse Refuse(int status, std::string_view reason) const {
    if (shared_->options.refuse != nullptr) return shared_->options.refuse(status, reason);
    ServerResponse response;
    response.status = status;
    response.content_type = "text/plain";
    response.body.append(reason).push_back('\n');
    return response;
  }

  // Status 0: there is nobody to answer.
  ServerResponse RefusalOf(const error_code& error) const {
    static const auto& category = http::make_error_code(http::error::bad_version).category();
    if (error == http::error::body_limit) return Refuse(413, "the body is too large");
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return Refuse(431, "the header is too large");
    }
    if (error == http::error::end_of_stream || error == http::error::partial_message ||
        error.category() != category) {
      ServerResponse nothing;
      nothing.status = 0;
      return nothing;
    }
    return Refuse(400, "not an HTTP/1.1 request");
  }

  static ServerRequest ConvertHead(const HttpRequestMessage& message) {
    ServerRequest request;
    request.method = ToString(message.method_string());
    request.target = ToString(message.target());
    for (const auto& field : message) {
      request.headers.emplace_back(ToString(field.name_string()), ToString(field.value()));
    }
    return request;
  }

  static ServerRequest Convert(HttpRequestMessage& message) {
    ServerRequest request = ConvertHead(message);
    request.body = std::move(message.body());
    return request;
  }

  const Registration shared_;
  TlsStream stream_;
  Timer timer_;
  std::optional<ServerResponse> answer_;
  std::unique_ptr<AsioTimer> answered_;  // cancelled when the answer is there
  bool upgraded_ = false;
};

using TcpAcceptor = asio::basic_socket_acceptor<Tcp, Executor>;

}  // namespace

struct HttpServer::Impl : Shared {
  using Shared::Shared;

  static Task<void> Accept(std::shared_ptr<Impl> self);
  void Admit(Socket socket, const std::shared_ptr<Shared>& shared);
  void Stop();

  std::optional<TcpAcceptor> acceptor;
  std::optional<AsioTimer> back_off;
  uint16_t port = 0;
};

Task<void> HttpServer::Impl::Accept(std::shared_ptr<Impl> self) {
  while (!self->stopped) {
    error_code error;
    Socket socket(self->loop.io().get_executor());
    co_await self->acceptor->async_accept(socket, Into(error));
    if (self->stopped) co_return;
    if (!error) {
      self->Admit(std::move(socket), self);
    } else if (error != asio::error::connection_aborted) {
      // Out of descriptors or memory: the connection stays in the backlog, and trying at once would
      // spin.
      LogWarning("a connection was not accepted",
                 {{"port", self->port}, {"cause", error.message()}});
      self->back_off->expires_after(kAcceptBackOff);
      co_await self->back_off->async_wait(Into(error));
    }
  }
}

void HttpServer::Impl::Admit(Socket socket, const std::shared_ptr<Shared>& shared) {
  error_code ignored;
  if (connections.size() >= static_cast<size_t>(options.max_connections)) {
    ::send(socket.native_handle(), kFull.data(), kFull.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    socket.close(ignored);
    return;
  }
  socket.set_option(Tcp::no_delay(true), ignored);
  auto connection = std::make_shared<HttpConnection>(shared, std::move(socket));
  Spawn(loop.io().get_executor(), HttpConnection::Live(std::move(connection)));
}

void HttpServer::Impl::Stop() {
  stopped = true;
  if (acceptor.has_value()) {
    error_code ignored;
    acceptor->close(ignored);
    back_off->cancel();
  }
  const std::vector<Tracked*> open(connections.begin(), connections.end());
  for (Tracked* connection : open) connection->Shutdown();
}

std::string_view ServerRequest::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (absl::EqualsIgnoreCase(key, ToAbsl(name))) return value;
  }
  return {};
}

HttpServer::HttpServer(EventLoop& loop, Options options, RequestHandler on_request,
                       UpgradeHandler on_upgrade)
    : impl_(std::make_shared<Impl>(loop, std::move(options), std::move(on_request),
                                   std::move(on_upgrade))) {}

HttpServer::~HttpServer() { impl_->Stop(); }

absl::Status HttpServer::Start() {
  if (impl_->options.host.empty()) return absl::OkStatus();
  const std::string where = impl_->options.host + ":" + std::to_string(impl_->options.port);
  const auto failed = [&where](const error_code& error) {
    return absl::UnavailableError("cannot listen on " + where + ": " + error.message());
  };
  error_code error;
  const std::string host = impl_->options.host == "localhost" ? "127.0.0.1" : impl_->options.host;
  const asio::ip::address address = asio::ip::make_address(host, error);
  if (error) return failed(error);
  const Tcp::endpoint endpoint(address, impl_->options.port);
  impl_->back_off.emplace(impl_->loop.io().get_executor());
  TcpAcceptor& acceptor = impl_->acceptor.emplace(impl_->loop.io().get_executor());
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(TcpAcceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(TcpAcceptor::max_listen_connections, error);
  if (error) return failed(error);
  impl_->port = acceptor.local_endpoint().port();
  Spawn(impl_->loop.io().get_executor(), Impl::Accept(impl_));
  return absl::OkStatus();
}

void HttpServer::Serve(int fd) {
  Socket socket(impl_->loop.io().get_executor());
  error_code error;
  // Asio asks nothing of the family but at connecting and binding.
  socket.assign(Tcp::v4(), fd, error);
  if (error) {
    ::close(fd);
  } else {
    impl_->Admit(std::move(socket), impl_);
  }
}

uint16_t HttpServer::port() const { return impl_->port; }

int HttpServer::connections() const { return static_cast<int>(impl_->connections.size()); }

}  // namespace talkjsd::net
