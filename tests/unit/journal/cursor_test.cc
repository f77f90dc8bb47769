#include "daemon/journal/cursor.h"

#include <gtest/gtest.h>

#include "daemon/base/error.h"
#include "daemon/journal/epochs.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::journal {
namespace {

using namespace std::string_literals;

TEST(CursorTest, HasADocumentedLayout) {
  const struct {
    Cursor cursor;
    std::string bytes;
  } kTable[] = {
      {{0, 0}, "\x01"s + std::string(16, '\0')},
      {{0x0102030405060708, 0x1112131415161718},
       "\x01\x01\x02\x03\x04\x05\x06\x07\x08\x11\x12\x13\x14\x15\x16\x17\x18"s},
      {{UINT64_MAX, 1}, "\x01"s + std::string(8, '\xff') + std::string(7, '\0') + "\x01"s},
      {{1, UINT64_MAX}, "\x01"s + std::string(7, '\0') + "\x01"s + std::string(8, '\xff')},
  };
  for (const auto& row : kTable) {
    EXPECT_EQ(EncodeCursor(row.cursor), row.bytes);
    EXPECT_EQ(row.bytes.size(), kCursorBytes);
    const absl::StatusOr<Cursor> decoded = DecodeCursor(row.bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, row.cursor);
  }
}

TEST(CursorTest, RefusesOtherLengthsAndVersions) {
  const std::string good = EncodeCursor({5, 6});
  for (const std::string& bad :
       {""s, "\x01"s, good.substr(1), good.substr(0, 16), good + "\0"s, "\0"s + good.substr(1),
        "\x02"s + good.substr(1), "\xff"s + good.substr(1), std::string(1 << 20, '\x01')}) {
    const absl::Status status = DecodeCursor(bad).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(ReasonOf(status), talkjs::sidecar::v1::ERROR_REASON_CURSOR_MALFORMED);
  }
}

TEST(EpochsTest, NamesTheEpochThatWroteAnEvent) {
  // 22 wrote nothing.
  const Epochs epochs({{11, 1}, {22, 11}, {33, 11}, {44, 21}});
  EXPECT_EQ(epochs.At(0), (Cursor{11, 0}));
  EXPECT_EQ(epochs.At(1), (Cursor{11, 1}));
  EXPECT_EQ(epochs.At(10), (Cursor{11, 10}));
  EXPECT_EQ(epochs.At(11), (Cursor{33, 11}));
  EXPECT_EQ(epochs.At(20), (Cursor{33, 20}));
  EXPECT_EQ(epochs.At(21), (Cursor{44, 21}));
  EXPECT_EQ(epochs.present(), 44u);
}

TEST(EpochsTest, ResolvesWithinWhatSurvivesOfAnEpoch) {
  const Epochs epochs({{11, 1}, {22, 11}, {33, 11}, {44, 21}});
  const struct {
    Cursor cursor;
    std::optional<uint64_t> sequence;
  } kTable[] = {
      {{11, 0}, 0},   {{11, 10}, 10}, {{11, 11}, 10}, {{11, UINT64_MAX}, 10},
      {{22, 15}, 10}, {{33, 15}, 15}, {{33, 25}, 20}, {{44, 20}, 20},
      {{44, 25}, 25}, {{44, 30}, 30}, {{44, 31}, 30}, {{44, UINT64_MAX}, 30},
      {{55, 5}, {}},  {{0, 0}, {}},
  };
  for (const auto& row : kTable) {
    EXPECT_EQ(epochs.Resolve(row.cursor, 30), row.sequence)
        << row.cursor.epoch << ", " << row.cursor.sequence;
  }
}

}  // namespace
}  // namespace talkjsd::journal
