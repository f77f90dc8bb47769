// Messages in and out of raw methods.
//
// Every method of the API is a raw callback method: streams, because their bytes are encoded
// already; the others, so that a request which does not decode gets the answer that errors.proto
// promises.
#ifndef TALKJSD_API_CODEC_H_
#define TALKJSD_API_CODEC_H_

#include <absl/status/statusor.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include <memory>
#include <string>

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {

template <typename Message>
absl::StatusOr<Message> Decode(const grpc::ByteBuffer& bytes) {
  Message message;
  grpc::ByteBuffer copy(bytes);  // reading empties it
  if (grpc::SerializationTraits<Message>::Deserialize(&copy, &message).ok()) return message;
  return MakeError(absl::StatusCode::kInvalidArgument,
                   talkjs::sidecar::v1::ERROR_REASON_INVALID_REQUEST,
                   "the request is not a " + Message::descriptor()->full_name() +
                       ", or a string in it is not UTF-8; compare your copy of the protos");
}

template <typename Message>
grpc::ByteBuffer Encode(const Message& message) {
  grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

// Bytes that are shared, not copied.
inline grpc::ByteBuffer Share(std::shared_ptr<const std::string> bytes) {
  auto* owner = new std::shared_ptr<const std::string>(std::move(bytes));
  // gRPC takes a pointer that is not const and does not write to it.
  grpc::Slice slice(
      const_cast<char*>((*owner)->data()), (*owner)->size(),
      [](void* shared) { delete static_cast<std::shared_ptr<const std::string>*>(shared); }, owner);
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace talkjsd::api

#endif  // TALKJSD_API_CODEC_H_
