// The whole of a world as one JSON document, and back: snapshots, which a program writes, and
// seeds, which a person writes and which may leave out everything that has a default. Both have one
// format, described in docs/emulator.md. For .cc files: knows JSON.
#ifndef TALKJSD_EMULATOR_STORE_SNAPSHOT_H_
#define TALKJSD_EMULATOR_STORE_SNAPSHOT_H_

#include <absl/status/statusor.h>

#include "daemon/base/clock.h"
#include "daemon/emulator/model/records.h"
#include "daemon/emulator/model/world.h"
#include "daemon/wire/json.h"

namespace talkjsd::emulator {

inline constexpr int64_t kSnapshotFormat = 1;

// Everything that has an order by itself is in order, so that equal worlds give equal documents.
wire::json::object EncodeSnapshot(const World& world);

// For World::Replace. 400 BAD_REQUEST naming the place for whatever the document has that cannot
// be: an unknown property, a wrong type, an id that names nothing, an id twice. `now`: messages
// without a time are the newest.
absl::StatusOr<WorldRecords> ReadSnapshot(const wire::json::object& document, UnixMillis now);

// For World::Merge: the users and conversations that `world` lacks or has otherwise. What the
// document says about something that exists changes it, what it does not say stays. Reading the
// same document again changes nothing: a message without id has one that follows from its content
// and its place.
absl::StatusOr<WorldRecords> ReadSeed(const wire::json::object& document, const World& world,
                                      UnixMillis now);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_STORE_SNAPSHOT_H_
