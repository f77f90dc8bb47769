// HTTP requests of something that lives on an event loop.
#ifndef TALKJSD_UPSTREAM_LOOP_FETCH_H_
#define TALKJSD_UPSTREAM_LOOP_FETCH_H_

#include <functional>
#include <memory>

#include "daemon/net/event_loop.h"
#include "daemon/net/http_client.h"

namespace talkjsd::upstream {

// Lives on the loop, as part of the one who asks. One request at a time: a new one makes the former
// one's answer void. `http` outlives it; the loop need not.
class LoopFetch {
 public:
  // The errors are those of HttpClient::Fetch.
  using Done = std::function<void(const absl::StatusOr<net::HttpResponse>&)>;

  LoopFetch(net::EventLoop& loop, net::HttpClient& http) : loop_(loop.remote()), http_(http) {}

  // `done` runs at most once, on the loop, not from within; never after this object's destruction.
  void Start(net::HttpRequest request, Done done);

 private:
  const std::shared_ptr<net::EventLoop::Remote> loop_;
  net::HttpClient& http_;
  std::shared_ptr<bool> newest_;  // request; its answer is void without it
};

}  // namespace talkjsd::upstream

#endif  // TALKJSD_UPSTREAM_LOOP_FETCH_H_
