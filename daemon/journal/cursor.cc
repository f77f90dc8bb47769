#include "daemon/journal/cursor.h"

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::journal {
namespace {

constexpr char kVersion = 1;

void PutBigEndian(uint64_t value, std::string* out) {
  for (int shift = 56; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

uint64_t GetBigEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

absl::Status Malformed(std::string_view what) {
  std::string message = "not a cursor: ";
  message.append(what).append(
      "; send the bytes of a cursor from this daemon unchanged, or open the stream with earliest "
      "or now");
  return MakeError(absl::StatusCode::kInvalidArgument,
                   talkjs::sidecar::v1::ERROR_REASON_CURSOR_MALFORMED, message);
}

}  // namespace

std::string EncodeCursor(Cursor cursor) {
  std::string bytes;
  bytes.reserve(kCursorBytes);
  bytes.push_back(kVersion);
  PutBigEndian(cursor.epoch, &bytes);
  PutBigEndian(cursor.sequence, &bytes);
  return bytes;
}

absl::StatusOr<Cursor> DecodeCursor(std::string_view bytes) {
  if (bytes.size() != kCursorBytes) {
    return Malformed("it has " + std::to_string(bytes.size()) + " bytes and a cursor has " +
                     std::to_string(kCursorBytes));
  }
  if (bytes[0] != kVersion) {
    return Malformed("its version is " + std::to_string(static_cast<unsigned char>(bytes[0])) +
                     " and this daemon knows version 1");
  }
  return Cursor{GetBigEndian(bytes.substr(1, 8)), GetBigEndian(bytes.substr(9, 8))};
}

}  // namespace talkjsd::journal
