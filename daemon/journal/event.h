// Events as the journal holds them: bytes encoded once, and the few facts that selections look at.
#ifndef TALKJSD_JOURNAL_EVENT_H_
#define TALKJSD_JOURNAL_EVENT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/journal/cursor.h"

namespace talkjsd::journal {

enum class EventKind : uint8_t {
  kSent,
  kEdited,
  kDeleted,
  kGap,               // messages may be missing: passes every selection of the session
  kUncertainEdits,    // edits and deletions may be missing: passes where those are followed
  kSessionState,      // a change of state: passes where those are followed
  kSessionDestroyed,  // the last event of a session: passes every selection of it
};

// On its way into the journal.
struct NewEvent {
  std::string session_id;
  std::string conversation_id;  // empty for events of the session as a whole
  EventKind kind = EventKind::kSent;
  bool by_me = false;
  // FrameEvent of the serialised MessageEvent.
  std::string bytes;
};

// Turns a serialised MessageEvent, whose first field must be a `cursor` of kCursorBytes bytes
// (kCursorPlaceholder), into the form in which it is stored and sent: field 1 of
// StreamMessagesResponse, tag and length first. The journal patches epoch and sequence in.
std::string FrameEvent(std::string_view serialised);

// What the encoder puts into MessageEvent.cursor.
std::string_view CursorPlaceholder();

// Overwrites the cursor in the result of FrameEvent. Its length does not change.
void PlaceCursor(Cursor cursor, std::string* framed);

// In the journal: immutable, shared by ring, store and every stream.
struct StoredEvent {
  Cursor cursor;
  UnixMillis append_time = 0;
  std::string session_id;
  std::string conversation_id;
  EventKind kind = EventKind::kSent;
  bool by_me = false;
  std::string bytes;  // framed, with the cursor in place

  // What the event costs in memory: its budget in the ring.
  size_t Cost() const { return sizeof(StoredEvent) + 64 + bytes.size(); }
};

using EventRef = std::shared_ptr<const StoredEvent>;

}  // namespace talkjsd::journal

#endif  // TALKJSD_JOURNAL_EVENT_H_
