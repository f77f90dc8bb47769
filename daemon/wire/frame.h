// Realtime frames (realtime.md section 2), as the server writes and the client reads them. For .cc
// files: knows JSON.
#ifndef TALKJSD_WIRE_FRAME_H_
#define TALKJSD_WIRE_FRAME_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/wire/json.h"

namespace talkjsd::wire {

// Largest frame either side accepts, in bytes (realtime.md 9 #16 proposes 1 MB for a client's
// frame; a page of 100 messages of 10,000 characters fits into 8 MiB).
inline constexpr size_t kMaxClientFrame = 1 << 20;
inline constexpr size_t kMaxServerFrame = 8 << 20;

// --- client -> server ---

struct RequestFrame {
  int64_t number = 0;
  std::string method;
  std::string path;
  json::object data;
};

struct AckFrame {
  int64_t number = 0;
};

using ClientFrame = std::variant<RequestFrame, AckFrame>;

// `data` must be a JSON object as text ("{}" for nothing).
std::string EncodeRequest(int64_t number, std::string_view method, std::string_view path,
                          std::string_view data);
std::string EncodeAck(int64_t number);
absl::StatusOr<ClientFrame> DecodeClientFrame(std::string_view text);

// --- server -> client ---

struct ResponseFrame {
  int64_t number = 0;
  int status = 0;
  json::value data;
};

struct PublishFrame {
  int64_t number = 0;
  std::vector<json::object> events;
};

using ServerFrame = std::variant<ResponseFrame, PublishFrame>;

std::string EncodeResponse(int64_t number, int status, const json::value& data);
std::string EncodePublish(int64_t number, const std::vector<json::object>& events);
absl::StatusOr<ServerFrame> DecodeServerFrame(std::string_view text,
                                              json::storage_ptr storage = {});

// The data of an error response.
struct ErrorData {
  std::string code;                  // errorCode; empty if the server sent none
  std::vector<std::string> reasons;  // anything but strings as JSON text
};
ErrorData DecodeErrorData(const json::value& data);
json::object EncodeErrorData(std::string_view code, const std::vector<std::string>& reasons);

}  // namespace talkjsd::wire

#endif  // TALKJSD_WIRE_FRAME_H_
