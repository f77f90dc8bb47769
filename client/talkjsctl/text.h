// How things look in a terminal: escaping, tables, times, cursors, JSON lines.
#ifndef TALKJSD_TALKJSCTL_TEXT_H_
#define TALKJSD_TALKJSCTL_TEXT_H_

#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace talkjsd::talkjsctl {

// `text` on one line and harmless: control characters (C0, C1, DEL), line separators, characters
// that change the direction of text and bytes that are no UTF-8 become \n, \t, \r, \xNN or \u{N}.
// What others write in a chat must not drive the reader's terminal.
std::string Escape(std::string_view text);

// Code points: what a terminal shows in that many columns, for most scripts.
size_t DisplayWidth(std::string_view text);

// A row of cells, each but the last filled up to its column's width and followed by two spaces.
// Cells are escaped here; a cell that is too long moves the rest.
std::string Row(const std::vector<std::string>& cells, const std::vector<size_t>& widths);

// Rows with columns as wide as their widest cell. `rows` includes the heading.
std::string Table(const std::vector<std::vector<std::string>>& rows);

// UTC, "2026-01-31 23:59:59.123Z", or "-" if it is not set.
std::string FormatTime(bool is_set, const google::protobuf::Timestamp& time);

// A message as one line of protobuf JSON: names as in the protos, values that are at their default
// written as well.
std::string ToJsonLine(const google::protobuf::Message& message);

// A cursor in the form that talkjsctl prints.
std::string CursorToHex(std::string_view cursor);

// A cursor from 34 hex digits, or from base64 as protobuf JSON has it.
std::optional<std::string> ParseCursor(std::string_view text);

// "CONNECTED" for an enum value named SESSION_STATE_CONNECTED with prefix "SESSION_STATE_".
std::string WithoutPrefix(const std::string& name, std::string_view prefix);

}  // namespace talkjsd::talkjsctl

#endif  // TALKJSD_TALKJSCTL_TEXT_H_
