#include "daemon/journal/event.h"

#include <cstdlib>
#include <string_view>

#include "daemon/base/log.h"

namespace talkjsd::journal {
namespace {

// Field 1, length-delimited: the tag of StreamMessagesResponse.events and of MessageEvent.cursor
// alike.
constexpr char kFieldOne = 0x0a;
constexpr size_t kCursorFieldHeader = 2;  // tag and a length below 128

bool StartsWithCursor(std::string_view serialised) {
  return serialised.size() >= kCursorFieldHeader + kCursorBytes && serialised[0] == kFieldOne &&
         serialised[1] == static_cast<char>(kCursorBytes);
}

// Only our own encoders write these bytes: anything else in them is a fault of the program.
void Require(bool condition) {
  if (condition) return;
  LogError("an event does not start with the placeholder of its cursor");
  std::abort();
}

}  // namespace

std::string FrameEvent(std::string_view serialised) {
  Require(StartsWithCursor(serialised));
  std::string framed;
  framed.reserve(serialised.size() + 6);
  framed.push_back(kFieldOne);
  size_t length = serialised.size();
  while (length >= 0x80) {
    framed.push_back(static_cast<char>(0x80 | (length & 0x7f)));
    length >>= 7;
  }
  framed.push_back(static_cast<char>(length));
  framed.append(serialised);
  return framed;
}

std::string_view CursorPlaceholder() {
  static const std::string* const placeholder = new std::string(EncodeCursor({}));
  return *placeholder;
}

void PlaceCursor(Cursor cursor, std::string* framed) {
  size_t start = 1;
  while (start < framed->size() && ((*framed)[start] & 0x80) != 0) ++start;
  ++start;
  Require(start < framed->size() && StartsWithCursor(std::string_view(*framed).substr(start)));
  framed->replace(start + kCursorFieldHeader, kCursorBytes, EncodeCursor(cursor));
}

}  // namespace talkjsd::journal
