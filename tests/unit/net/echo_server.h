// An HttpServer for tests: WebSockets echo, requests are answered with what was asked.
#ifndef TALKJSD_TESTS_UNIT_NET_ECHO_SERVER_H_
#define TALKJSD_TESTS_UNIT_NET_ECHO_SERVER_H_

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/net/http_server.h"
#include "tests/unit/net/test_support.h"

namespace talkjsd::net {

// A text of the form "burst N" is answered by N numbered messages, "delay" by three messages 5 ms
// apart, "close" by a close with 4321, "abort" by a lost connection, "reset" by one that is reset,
// "tear N" by a whole message and half of one of N bytes; everything else comes back.
class EchoServer {
 public:
  EchoServer(EventLoop& loop, HttpServer::Options options) : loop_(loop) {
    loop_.PostAndWait([&] {
      server_ = std::make_unique<HttpServer>(
          loop_, options,
          [this](ServerRequest request, HttpServer::Respond respond) {
            Answer(std::move(request), std::move(respond));
          },
          [this](const ServerRequest& request) { return Upgrade(request); });
      status_ = server_->Start();
      port_ = server_->port();
    });
    EXPECT_TRUE(status_.ok()) << status_;
  }
  explicit EchoServer(EventLoop& loop) : EchoServer(loop, HttpServer::Options()) {}
  ~EchoServer() { Destroy(); }

  void Destroy() {
    loop_.PostAndWait([&] { server_.reset(); });
  }
  uint16_t port() const { return port_; }
  int connections() {
    int count = 0;
    loop_.PostAndWait([&] { count = server_->connections(); });
    return count;
  }
  // Open WebSockets; on the loop.
  std::vector<ServerSocket*> sockets;
  // Answers that the test gives itself (target "/later").
  std::vector<HttpServer::Respond> later;
  Monitor monitor;
  int closed = 0;

 private:
  class Echo : public ServerSocketHandler {
   public:
    explicit Echo(EchoServer* server) : server_(server) {}
    void OnOpen(ServerSocket* socket) override {
      socket_ = socket;
      server_->monitor.Update([&] { server_->sockets.push_back(socket); });
    }
    void OnText(std::string_view text) override {
      if (text.substr(0, 6) == "burst ") {
        const int count = std::stoi(std::string(text.substr(6)));
        for (int i = 0; i < count; ++i) socket_->SendText(std::to_string(i));
      } else if (text == "delay") {
        for (int i = 0; i < 3; ++i) socket_->SendText("tick", std::chrono::milliseconds(5));
      } else if (text == "close") {
        socket_->SendText("last words");
        socket_->Close(4321, "as asked");
      } else if (text == "abort") {
        socket_->Abort();
      } else if (text == "reset") {
        socket_->Reset();
      } else if (text.starts_with("tear ")) {
        socket_->SendText("whole");
        socket_->SendTorn(std::string(std::stoul(std::string(text.substr(5))), 't'));
      } else {
        socket_->SendText(std::string(text));
      }
    }
    void OnClosed() override {
      server_->monitor.Update([&] {
        ++server_->closed;
        auto& sockets = server_->sockets;
        sockets.erase(std::find(sockets.begin(), sockets.end(), socket_));
      });
    }

   private:
    EchoServer* const server_;
    ServerSocket* socket_ = nullptr;
  };

  void Answer(ServerRequest request, HttpServer::Respond respond) {
    if (request.target == "/later") {
      monitor.Update([&] { later.push_back(std::move(respond)); });
      return;
    }
    ServerResponse response;
    if (request.target == "/redirect") {
      response.status = 302;
      response.headers.emplace_back("Location", "/elsewhere");
    } else if (request.target == "/large") {
      response.body = std::string(3 << 20, 'L');
    } else if (request.target == "/drop") {
      response.fate = ServerResponse::Fate::kDrop;
    } else if (request.target == "/reset") {
      response.fate = ServerResponse::Fate::kReset;
    } else if (request.target == "/empty") {
      response.status = 204;
    } else if (request.target == "/teapot") {
      response.status = 418;
      response.content_type = "text/plain";
    }
    if (response.body.empty() && response.status != 204) {
      response.body = request.method + " " + request.target + " " +
                      std::string(request.Header("x-TEST")) + " " + request.body;
    }
    respond(std::move(response));
  }

  std::unique_ptr<ServerSocketHandler> Upgrade(const ServerRequest& request) {
    if (request.target == "/no-upgrade") return nullptr;
    return std::make_unique<Echo>(this);
  }

  EventLoop& loop_;
  std::unique_ptr<HttpServer> server_;
  absl::Status status_;
  uint16_t port_ = 0;
};

}  // namespace talkjsd::net

#endif  // TALKJSD_TESTS_UNIT_NET_ECHO_SERVER_H_
