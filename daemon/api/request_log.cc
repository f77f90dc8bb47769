#include "daemon/api/request_log.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <openssl/sha.h>

#include <utility>

#include "daemon/api/limits.h"
#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {

std::string ContentDigest(const google::protobuf::MessageLite& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);  // maps in the order of their keys
    message.SerializeToCodedStream(&out);
  }
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

absl::StatusOr<RequestLog::Entry> RequestLog::Begin(const std::string& id, std::string_view digest,
                                                    const std::function<std::string()>& make_key) {
  MutexLock lock(mutex_);
  const MonoTime now = clock_.Now();
  const auto forget_oldest = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    entries_.erase(by_age_.front().id);
    by_age_.pop_front();
  };
  while (!by_age_.empty() && now - by_age_.front().since >= kRequestIdMemory) forget_oldest();
  const auto known = entries_.find(id);
  if (known == entries_.end()) {
    while (entries_.size() >= capacity_) forget_oldest();
    Entry entry{make_key(), std::nullopt};
    entries_.emplace(id, Remembered{entry, std::string(digest)});
    by_age_.push_back({now, id});
    return entry;
  }
  if (known->second.digest != digest) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     talkjs::sidecar::v1::ERROR_REASON_REQUEST_ID_REUSED,
                     "this request_id was used within 24 hours with other content; give each "
                     "request an id of its own and repeat it unchanged");
  }
  return known->second.entry;
}

void RequestLog::SetAnswer(const std::string& id, std::string_view answer) {
  MutexLock lock(mutex_);
  const auto known = entries_.find(id);
  if (known != entries_.end()) known->second.entry.answer = std::string(answer);
}

}  // namespace talkjsd::api
