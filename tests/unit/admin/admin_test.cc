#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/counter.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <future>

#include "daemon/admin/endpoint.h"
#include "daemon/admin/service_manager.h"

namespace talkjsd::admin {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Over a connection, which it closes.
std::string Ask(int fd, const std::string& request_line, const std::string& host) {
  const std::string request =
      request_line + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(::write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  ssize_t got = 0;
  while ((got = ::read(fd, buffer, sizeof(buffer))) > 0) answer.append(buffer, got);
  ::close(fd);
  return answer;
}

// A client of a dozen lines, so that the test needs no other room's.
std::string Get(uint16_t port, const std::string& request_line,
                const std::string& host = "localhost") {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  return Ask(fd, request_line, host);
}

TEST(EndpointTest, ServesMetricsAndHealthAndNothingElse) {
  Metrics metrics;
  metrics.events_appended[0]->Increment(42);
  auto endpoint = Endpoint::Start("127.0.0.1", 0, metrics);
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  const uint16_t port = (*endpoint)->port();

  const std::string text = Get(port, "GET /metrics");
  EXPECT_THAT(text, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(text, HasSubstr("version=0.0.4"));
  EXPECT_THAT(text, HasSubstr("talkjsd_journal_events_total{kind=\"sent\"} 42"));
  EXPECT_THAT(text, HasSubstr("talkjsd_stream_write_seconds_bucket"));

  EXPECT_THAT(Get(port, "GET /healthz"), StartsWith("HTTP/1.1 503"));
  (*endpoint)->SetServing(true);
  EXPECT_THAT(Get(port, "GET /healthz?verbose"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Get(port, "GET /"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(Get(port, "DELETE /metrics"), StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(Get(port, "POST /"), StartsWith("HTTP/1.1 405"));
}

TEST(EndpointTest, ServesThePageThatOnlyItsOwnScriptRunsIn) {
  Metrics metrics;
  auto endpoint = Endpoint::Start("127.0.0.1", 0, metrics);
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  (*endpoint)->ShowStatus(
      {.session_changes = [](uint64_t*) { return std::vector<session::Info>(); },
       .streams = [] { return std::vector<StreamStatus>(); },
       .journal_health = [] { return absl::OkStatus(); },
       .upstream = "an emulator"});
  const uint16_t port = (*endpoint)->port();
  const std::string page = Get(port, "GET /");
  EXPECT_THAT(page, StartsWith("HTTP/1.1 200"));
  for (const char* header :
       {"Content-Type: text/html", "Cache-Control: no-store", "X-Content-Type-Options: nosniff",
        "default-src 'none'", "frame-ancestors 'none'"}) {
    EXPECT_THAT(page, HasSubstr(header));
  }
  const size_t nonce = page.find("'nonce-") + 7;
  const std::string value = page.substr(nonce, page.find('\'', nonce) - nonce);
  EXPECT_GE(value.size(), 20u);
  EXPECT_THAT(page, HasSubstr("<script nonce=\"" + value + "\">"));
  EXPECT_THAT(Get(port, "GET /"), testing::Not(HasSubstr(value))) << "a nonce is used once";
  EXPECT_THAT(Get(port, "GET /status.json?q=x"), HasSubstr("Content-Type: application/json"));
  EXPECT_THAT(Get(port, "GET /status.json"), HasSubstr("\"upstream\":\"an emulator\""));
}

TEST(EndpointTest, ServesOnAUnixSocketToo) {
  Metrics metrics;
  const std::string path = testing::TempDir() + "admin." + std::to_string(::getpid()) + ".sock";
  auto endpoint = Endpoint::StartUnix(path, "no such group", metrics);
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_THAT(Ask(fd, "GET /metrics", "localhost"), HasSubstr("talkjsd_build_info"));
  endpoint->reset();
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST(EndpointTest, OtherHostsNamesAreRefused) {
  Metrics metrics;
  auto endpoint = Endpoint::Start("127.0.0.1", 0, metrics);
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  const uint16_t port = (*endpoint)->port();
  for (const char* path : {"GET /", "GET /status.json", "GET /metrics"}) {
    EXPECT_THAT(Get(port, path, "rebound.example"), StartsWith("HTTP/1.1 403")) << path;
  }
  EXPECT_THAT(Get(port, "GET /metrics", "127.0.0.1:" + std::to_string(port)),
              StartsWith("HTTP/1.1 200"));
}

TEST(EndpointTest, AnAddressInUseIsNamed) {
  Metrics metrics;
  auto first = Endpoint::Start("127.0.0.1", 0, metrics);
  ASSERT_TRUE(first.ok());
  const auto second = Endpoint::Start("127.0.0.1", (*first)->port(), metrics);
  EXPECT_THAT(second.status().ToString(), HasSubstr(std::to_string((*first)->port())));
}

class ServiceManagerTest : public testing::Test {
 protected:
  ServiceManager::Options Options(Duration watchdog) {
    return {.notify =
                [this](const std::string& state) {
                  MutexLock lock(mutex_);
                  states_.push_back(state);
                  changed_.NotifyAll();
                },
            .watchdog = watchdog};
  }
  void WaitForStates(size_t count) {
    MutexLock lock(mutex_);
    while (states_.size() < count) changed_.Wait(mutex_);
  }
  std::vector<std::string> States() {
    MutexLock lock(mutex_);
    return states_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> states_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(ServiceManagerTest, TellsItsLife) {
  ServiceManager manager(Options(Duration::zero()));
  manager.Ready("serving");
  manager.Reloading();
  manager.Stopping(std::chrono::seconds(7));
  manager.StartWatchdog({[](auto) { FAIL() << "no watchdog is wanted"; }});
  EXPECT_THAT(States(), testing::ElementsAre(
                            "READY=1\nSTATUS=serving",
                            testing::ContainsRegex("^RELOADING=1\nMONOTONIC_USEC=[0-9]+\nSTATUS="),
                            StartsWith("STOPPING=1\nEXTEND_TIMEOUT_USEC=7000000\n")));
}

TEST_F(ServiceManagerTest, GivesSignsOfLifeWhileAllProbesAnswer) {
  ServiceManager manager(Options(std::chrono::milliseconds(2)));
  manager.StartWatchdog({[](auto alive) { alive(); }, [](auto alive) { alive(); }});
  WaitForStates(3);
  manager.StopWatchdog();
  EXPECT_THAT(States(), testing::Each("WATCHDOG=1"));
}

TEST_F(ServiceManagerTest, FallsSilentWhenOneThreadHangs) {
  ServiceManager manager(Options(std::chrono::milliseconds(2)));
  std::promise<void> asked;
  std::function<void()> late;
  manager.StartWatchdog({[](auto alive) { alive(); },
                         [&](auto alive) {
                           late = alive;
                           asked.set_value();
                         }});
  asked.get_future().wait();
  manager.StopWatchdog();
  EXPECT_THAT(States(), testing::ElementsAre("WATCHDOG=1"));
  late();  // after the end, harmless
}

}  // namespace
}  // namespace talkjsd::admin
