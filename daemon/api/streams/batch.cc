#include "daemon/api/streams/batch.h"

#include <grpc/slice.h>

#include <cstring>

namespace talkjsd::api {

grpc::ByteBuffer EncodeBatch(const talkjs::sidecar::v1::StreamMessagesResponse* head,
                             const std::vector<journal::EventRef>& events) {
  const size_t head_bytes = head != nullptr ? head->ByteSizeLong() : 0;
  size_t size = head_bytes;
  for (const journal::EventRef& event : events) size += event->bytes.size();

  grpc_slice raw = grpc_slice_malloc(size);
  uint8_t* out = GRPC_SLICE_START_PTR(raw);
  if (head != nullptr) out = head->SerializeWithCachedSizesToArray(out);
  for (const journal::EventRef& event : events) {
    std::memcpy(out, event->bytes.data(), event->bytes.size());
    out += event->bytes.size();
  }
  grpc::Slice slice(raw, grpc::Slice::STEAL_REF);
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace talkjsd::api
