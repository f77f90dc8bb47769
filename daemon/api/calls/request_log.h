// What has been asked under a request_id, so that a repeat does nothing twice.
#ifndef TALKJSD_API_CALLS_REQUEST_LOG_H_
#define TALKJSD_API_CALLS_REQUEST_LOG_H_

#include <absl/status/statusor.h>
#include <google/protobuf/message_lite.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"
#include "daemon/journal/database.h"

namespace talkjsd::api {

// A digest of all fields: equal exactly for equal content.
std::string ContentDigest(const google::protobuf::MessageLite& message);

// Thread-safe. Entries leave after kRequestIdMemory, the oldest earlier beyond `capacity`. A new
// one is on disk before Begin returns it, so that a repeat after a crash has the same key; calls
// wait for the disk.
class RequestLog {
 public:
  // In memory: it ends with the daemon.
  RequestLog(const Clock& clock, size_t capacity) : clock_(clock), capacity_(capacity) {}
  // Kept in `path`, which is made where there is none. Errors are those of journal::Database.
  static absl::StatusOr<std::unique_ptr<RequestLog>> Open(const std::string& path,
                                                          const Clock& clock, size_t capacity);

  struct Entry {
    // What the first request was given: the idempotency key.
    std::string key;
    // The first answer, once there is one: the message's or session's id.
    std::optional<std::string> answer;
  };
  // The entry of this id, made with `make_key` if it is new. INVALID_ARGUMENT (REQUEST_ID_REUSED)
  // if the id stands for other content; the error of journal::Database if a new one cannot be
  // written. `id` begins with what the id is unique in.
  absl::StatusOr<Entry> Begin(const std::string& id, std::string_view digest,
                              const std::function<std::string()>& make_key);
  void SetAnswer(const std::string& id, std::string_view answer);

 private:
  struct Remembered {
    Entry entry;
    std::string digest;
  };
  struct Aged {
    UnixMillis since;
    std::string id;
  };
  absl::Status Load() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Write(const std::string& id, const Remembered& remembered, UnixMillis since)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetOldest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What fails here costs a row that is of no use any more, or the answer of a repeat.
  void Run(std::string_view sql, std::string_view first, std::string_view second)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  const size_t capacity_;
  Mutex mutex_;
  std::unique_ptr<journal::Database> database_ ABSL_GUARDED_BY(mutex_);  // null: in memory
  std::unordered_map<std::string, Remembered> entries_ ABSL_GUARDED_BY(mutex_);
  std::deque<Aged> by_age_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_CALLS_REQUEST_LOG_H_
