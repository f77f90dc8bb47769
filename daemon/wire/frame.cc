#include "daemon/wire/frame.h"

#include "daemon/wire/json_reader.h"

namespace talkjsd::wire {
namespace {

constexpr std::string_view kPublish = "PUBLISH";
constexpr std::string_view kAck = "ACK";

absl::Status BadFrame(std::string_view what) {
  return absl::InvalidArgumentError("bad frame: " + std::string(what));
}

std::string Quote(std::string_view text) { return json::serialize(json::string_view(text)); }

// The array of a frame with a valid number in its first element and something in its second.
absl::StatusOr<json::array> ReadArray(std::string_view text, size_t max_bytes,
                                      json::storage_ptr storage, int64_t& number) {
  absl::StatusOr<json::value> value = ParseJson(text, max_bytes, std::move(storage));
  if (!value.ok()) return value.status();
  json::array* array = value->if_array();
  if (array == nullptr) return BadFrame("not an array");
  if (array->size() < 2) return BadFrame("fewer than two elements");
  if (!wire::ReadValue((*array)[0], number).ok() || number < 0) {
    return BadFrame("element 0 is not a number of a frame");
  }
  return std::move(*array);
}

absl::StatusOr<ServerFrame> ReadPublish(int64_t number, json::array& array) {
  if (array.size() < 3) return BadFrame("PUBLISH without an event");
  PublishFrame frame;
  frame.number = number;
  frame.events.reserve(array.size() - 2);
  for (size_t i = 2; i < array.size(); ++i) {
    json::object* event = array[i].if_object();
    if (event == nullptr) {
      return BadFrame("element " + std::to_string(i) + " is not an event object");
    }
    frame.events.push_back(std::move(*event));
  }
  return frame;
}

}  // namespace

std::string EncodeRequest(int64_t number, std::string_view method, std::string_view path,
                          std::string_view data) {
  std::string out = "[" + std::to_string(number) + ",";
  out += Quote(method);
  out += ',';
  out += Quote(path);
  out += ',';
  out += data;
  out += ",{}]";
  return out;
}

std::string EncodeAck(int64_t number) { return "[" + std::to_string(number) + ",\"ACK\"]"; }

absl::StatusOr<ClientFrame> DecodeClientFrame(std::string_view text) {
  int64_t number = 0;
  absl::StatusOr<json::array> array = ReadArray(text, kMaxClientFrame, {}, number);
  if (!array.ok()) return array.status();
  RequestFrame request;
  request.number = number;
  if (!ReadValue((*array)[1], request.method).ok()) return BadFrame("element 1 is not a method");
  if (request.method == kAck && array->size() == 2) return AckFrame{number};
  if (array->size() < 4) return BadFrame("a request has a number, a method, a path and data");
  if (!ReadValue((*array)[2], request.path).ok() || !request.path.starts_with('/')) {
    return BadFrame("element 2 is not a path");
  }
  json::object* data = (*array)[3].if_object();
  if (data == nullptr) return BadFrame("element 3, the data, is not an object");
  if (array->size() > 4 && !(*array)[4].is_object()) {
    return BadFrame("element 4, the headers, is not an object");
  }
  request.data = std::move(*data);
  return request;
}

std::string EncodeResponse(int64_t number, int status, const json::value& data) {
  std::string out = "[" + std::to_string(number) + "," + std::to_string(status) + ",";
  out += json::serialize(data);
  out += ']';
  return out;
}

std::string EncodePublish(int64_t number, const std::vector<json::object>& events) {
  std::string out = "[" + std::to_string(number) + ",\"PUBLISH\"";
  for (const json::object& event : events) {
    out += ',';
    out += json::serialize(event);
  }
  out += ']';
  return out;
}

absl::StatusOr<ServerFrame> DecodeServerFrame(std::string_view text, json::storage_ptr storage) {
  int64_t number = 0;
  absl::StatusOr<json::array> array = ReadArray(text, kMaxServerFrame, std::move(storage), number);
  if (!array.ok()) return array.status();
  json::value& second = (*array)[1];
  if (const json::string* kind = second.if_string()) {
    if (*kind != kPublish) return BadFrame("element 1 is neither a status nor \"PUBLISH\"");
    return ReadPublish(number, *array);
  }
  int64_t status = 0;
  if (!ReadValue(second, status).ok() || status < 0 || status > 999) {
    return BadFrame("element 1 is neither a status nor \"PUBLISH\"");
  }
  ResponseFrame response;
  response.number = number;
  response.status = static_cast<int>(status);
  // Left out by some error answers; elements past the third are of a newer TalkJS.
  if (array->size() > 2) response.data = std::move((*array)[2]);
  return response;
}

ErrorData DecodeErrorData(const json::value& data) {
  ErrorData out;
  const json::object* object = data.if_object();
  if (object == nullptr) return out;
  if (const json::value* code = object->if_contains("errorCode"); code && code->is_string()) {
    out.code = std::string(code->get_string());
  }
  const json::value* reasons = object->if_contains("reasons");
  const json::array* list = reasons == nullptr ? nullptr : reasons->if_array();
  if (list == nullptr) {
    if (reasons != nullptr && !reasons->is_null()) out.reasons.push_back(json::serialize(*reasons));
    return out;
  }
  for (const json::value& reason : *list) {
    const json::string* text = reason.if_string();
    out.reasons.push_back(text != nullptr ? std::string(*text) : json::serialize(reason));
  }
  return out;
}

json::object EncodeErrorData(std::string_view code, const std::vector<std::string>& reasons) {
  return json::object{{"errorCode", code}, {"reasons", json::value_from(reasons)}};
}

}  // namespace talkjsd::wire
