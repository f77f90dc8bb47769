// What has been asked under a request_id, so that a repeat does nothing twice.
#ifndef TALKJSD_API_REQUEST_LOG_H_
#define TALKJSD_API_REQUEST_LOG_H_

#include <absl/status/statusor.h>
#include <google/protobuf/message_lite.h>

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"

namespace talkjsd::api {

// A digest of all fields: equal exactly for equal content.
std::string ContentDigest(const google::protobuf::MessageLite& message);

// Thread-safe. In memory: it ends with the daemon. Entries leave after kRequestIdMemory, the oldest
// earlier beyond `capacity`.
class RequestLog {
 public:
  RequestLog(const Clock& clock, size_t capacity) : clock_(clock), capacity_(capacity) {}

  struct Entry {
    // What the first request was given: the idempotency key.
    std::string key;
    // The first answer, once there is one: the message's or session's id.
    std::optional<std::string> answer;
  };
  // The entry of this id, made with `make_key` if it is new. INVALID_ARGUMENT (REQUEST_ID_REUSED)
  // if the id stands for other content. `id` begins with what the id is unique in.
  absl::StatusOr<Entry> Begin(const std::string& id, std::string_view digest,
                              const std::function<std::string()>& make_key);
  void SetAnswer(const std::string& id, std::string_view answer);

 private:
  struct Remembered {
    Entry entry;
    std::string digest;
  };
  struct Aged {
    MonoTime since;
    std::string id;
  };
  const Clock& clock_;
  const size_t capacity_;
  Mutex mutex_;
  std::unordered_map<std::string, Remembered> entries_ ABSL_GUARDED_BY(mutex_);
  std::deque<Aged> by_age_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_REQUEST_LOG_H_
