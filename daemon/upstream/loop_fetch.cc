#include "daemon/upstream/loop_fetch.h"

#include <utility>

namespace talkjsd::upstream {

void LoopFetch::Start(net::HttpRequest request, Done done) {
  newest_ = std::make_shared<bool>(true);
  http_.Fetch(std::move(request), [valid = std::weak_ptr<bool>(newest_), done = std::move(done),
                                   loop =
                                       loop_](absl::StatusOr<net::HttpResponse> response) mutable {
    loop->Post([valid = std::move(valid), done = std::move(done), response = std::move(response)] {
      if (!valid.expired()) done(response);
    });
  });
}

}  // namespace talkjsd::upstream
