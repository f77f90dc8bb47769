#include "daemon/upstream/loop_fetch.h"

#include <gtest/gtest.h>

#include <future>
#include <map>
#include <thread>

#include "daemon/net/http_server.h"

namespace talkjsd::upstream {
namespace {

class LoopFetchTest : public testing::Test {
 protected:
  LoopFetchTest()
      : loop_("test"),
        http_(""),
        server_(loop_, {},
                [this](const net::ServerRequest& request, net::HttpServer::Respond respond) {
                  held_[request.target] = std::move(respond);
                }) {
    EXPECT_TRUE(server_.Start().ok());
    loop_.Start();
    loop_.PostAndWait([this] { fetch_ = std::make_unique<LoopFetch>(loop_, http_); });
  }
  ~LoopFetchTest() override {
    loop_.PostAndWait([this] { fetch_.reset(); });
    loop_.Stop();
  }

  net::HttpRequest To(const std::string& target) const {
    net::HttpRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(server_.port()) + target;
    return request;
  }
  void WaitForRequest(const std::string& target) {
    for (bool there = false; !there; std::this_thread::yield()) {
      loop_.PostAndWait([&] { there = held_.count(target) != 0; });
    }
  }

  net::EventLoop loop_;
  net::HttpClient http_;
  net::HttpServer server_;
  std::map<std::string, net::HttpServer::Respond> held_;  // requests without an answer yet
  std::unique_ptr<LoopFetch> fetch_;                      // on the loop
};

TEST_F(LoopFetchTest, ANewRequestMakesTheAnswerOfTheFormerVoid) {
  std::promise<std::string> answered;
  loop_.PostAndWait([&] {
    fetch_->Start(To("/first"), [](const auto&) { ADD_FAILURE() << "the former was answered"; });
    fetch_->Start(To("/second"), [&](const absl::StatusOr<net::HttpResponse>& response) {
      EXPECT_TRUE(loop_.InLoop());
      answered.set_value(response.ok() ? response->body : response.status().ToString());
    });
  });
  WaitForRequest("/first");
  WaitForRequest("/second");
  net::ServerResponse response;
  response.body = "second";
  loop_.PostAndWait([&] {
    held_["/first"]({});
    held_["/second"](response);
  });
  EXPECT_EQ(answered.get_future().get(), "second");
}

TEST_F(LoopFetchTest, NothingIsHeardAfterItsEnd) {
  loop_.PostAndWait(
      [&] { fetch_->Start(To("/gone"), [](const auto&) { ADD_FAILURE() << "it was heard of"; }); });
  WaitForRequest("/gone");
  std::promise<void> later;
  loop_.PostAndWait([&] {
    fetch_ = std::make_unique<LoopFetch>(loop_, http_);
    held_["/gone"]({});
    fetch_->Start(To("/later"), [&](const auto&) { later.set_value(); });
  });
  WaitForRequest("/later");
  loop_.PostAndWait([&] { held_["/later"]({}); });
  later.get_future().get();
}

}  // namespace
}  // namespace talkjsd::upstream
