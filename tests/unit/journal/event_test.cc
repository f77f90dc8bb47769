#include "daemon/journal/event.h"

#include <gtest/gtest.h>

#include "daemon/journal/journal.h"
#include "talkjs/sidecar/v1/event_service.pb.h"

namespace talkjsd::journal {
namespace {

namespace pb = talkjs::sidecar::v1;

std::string Framed(const std::string& session_id) {
  pb::MessageEvent event;
  event.set_cursor(std::string(CursorPlaceholder()));
  event.set_session_id(session_id);
  return FrameEvent(event.SerializeAsString());
}

TEST(EventTest, FramedEventsSideBySideAreOneResponse) {
  std::string response;
  const size_t sizes[] = {1, 50, 105, 106, 107, 127, 128, 300, 16'383, 16'384, 100'000};
  uint64_t sequence = 0;
  for (const size_t size : sizes) {
    std::string framed = Framed(std::string(size, 's'));
    PlaceCursor({42, ++sequence}, &framed);
    response.append(framed);
  }
  pb::StreamMessagesResponse parsed;
  ASSERT_TRUE(parsed.ParseFromString(response));
  ASSERT_EQ(parsed.events_size(), static_cast<int>(std::size(sizes)));
  for (int i = 0; i < parsed.events_size(); ++i) {
    EXPECT_EQ(parsed.events(i).session_id().size(), sizes[i]);
    const absl::StatusOr<Cursor> cursor = DecodeCursor(parsed.events(i).cursor());
    ASSERT_TRUE(cursor.ok());
    EXPECT_EQ(*cursor, (Cursor{42, static_cast<uint64_t>(i) + 1}));
  }
}

TEST(EventDeathTest, AnEventWithoutRoomForItsCursorIsAFaultOfTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  pb::MessageEvent event;
  event.set_session_id("s");
  EXPECT_DEATH(FrameEvent(event.SerializeAsString()), "placeholder");
}

TEST(SelectionTest, KindsPassAsTheySay) {
  const auto selection = [](bool sent, bool edited, bool deleted, bool state) {
    Selection result;
    result.sent = sent;
    result.edited = edited;
    result.deleted = deleted;
    result.session_state = state;
    return result;
  };
  const Selection none = selection(false, false, false, false);
  const Selection sent = selection(true, false, false, false);
  const Selection edited = selection(false, true, false, false);
  const Selection deleted = selection(false, false, true, false);
  const Selection state = selection(false, false, false, true);
  const struct {
    EventKind kind;
    bool none, sent, edited, deleted, state;
  } kTable[] = {
      {EventKind::kSent, false, true, false, false, false},
      {EventKind::kEdited, false, false, true, false, false},
      {EventKind::kDeleted, false, false, false, true, false},
      {EventKind::kGap, true, true, true, true, true},
      {EventKind::kUncertainEdits, false, false, true, true, false},
      {EventKind::kSessionState, false, false, false, false, true},
      {EventKind::kSessionDestroyed, true, true, true, true, true},
  };
  for (const auto& row : kTable) {
    StoredEvent event;
    event.kind = row.kind;
    EXPECT_EQ(none.Matches(event), row.none);
    EXPECT_EQ(sent.Matches(event), row.sent);
    EXPECT_EQ(edited.Matches(event), row.edited);
    EXPECT_EQ(deleted.Matches(event), row.deleted);
    EXPECT_EQ(state.Matches(event), row.state);
  }
}

TEST(SelectionTest, ConversationsAndAuthorNarrowMessagesOnly) {
  Selection selection;
  selection.session_ids = {"s1", "s2"};
  selection.conversation_ids = {"c1", "c2"};
  selection.exclude_by_me = true;
  selection.session_state = true;
  StoredEvent event;
  event.session_id = "s2";
  event.conversation_id = "c2";
  EXPECT_TRUE(selection.Matches(event));
  event.by_me = true;
  EXPECT_FALSE(selection.Matches(event));
  event.by_me = false;
  event.conversation_id = "c3";
  EXPECT_FALSE(selection.Matches(event));
  event.by_me = true;
  event.kind = EventKind::kSessionState;
  EXPECT_TRUE(selection.Matches(event));
  event.kind = EventKind::kGap;
  EXPECT_TRUE(selection.Matches(event));
  event.session_id = "s3";
  EXPECT_FALSE(selection.Matches(event));
}

}  // namespace
}  // namespace talkjsd::journal
