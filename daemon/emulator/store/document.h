// Reading a JSON document that a person may have written: strict about every property, and exact
// about where something is wrong. For .cc files: knows JSON.
#ifndef TALKJSD_EMULATOR_STORE_DOCUMENT_H_
#define TALKJSD_EMULATOR_STORE_DOCUMENT_H_

#include <absl/status/status.h>

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/wire/json.h"

namespace talkjsd::emulator {

// A place in a document; written out only for an error. Points at its parent, which outlives it.
class Place {
 public:
  Place() = default;  // the whole document
  Place(const Place& parent, std::string_view key) : parent_(&parent), key_(key) {}
  Place(const Place& parent, size_t index) : parent_(&parent), index_(index) {}

  // $.conversations.c1.messages[3], and ["a b"] for a key that is no plain word.
  std::string Text() const;
  // 400 BAD_REQUEST: the place, and what is wrong there.
  absl::Status Wrong(std::string_view what) const;

 private:
  const Place* parent_ = nullptr;
  std::string_view key_;
  std::optional<size_t> index_;
};

// Reads the properties of one object. An absent property leaves the target as it is; the first
// thing wrong is kept and turns the rest into nothing. Value and place outlive the reader.
class ObjectReader {
 public:
  ObjectReader(const wire::json::value& value, const Place& place);

  // nullptr if absent, or if something was wrong before.
  const wire::json::value* Take(std::string_view name);

  void Text(std::string_view name, std::string& out);
  void Text(std::string_view name, std::optional<std::string>& out);  // null: none
  void Number(std::string_view name, int64_t& out);                   // whole, not negative
  void Number(std::string_view name, std::optional<int64_t>& out);    // null: none
  void Flag(std::string_view name, bool& out);
  void Texts(std::string_view name, std::vector<std::string>& out);  // null: none
  void Texts(std::string_view name, std::optional<std::vector<std::string>>& out);
  void Custom(wire::CustomMap& out);  // as a patch: a key with null goes, null clears

  // A property that `decode` (StatusOr) reads.
  template <typename T, typename Decode>
  void Decoded(std::string_view name, T& out, Decode decode, std::string_view expected) {
    const wire::json::value* value = Take(name);
    if (value == nullptr) return;
    auto decoded = decode(*value);
    if (!decoded.ok()) return Fail(name, expected);
    out = *std::move(decoded);
  }

  const Place& place() const { return place_; }
  bool ok() const { return status_.ok(); }
  void Fail(std::string_view name, std::string_view expected);  // "<place>.<name>: expected ..."
  void Fail(absl::Status status);
  // What was wrong, or else a property that nobody took.
  absl::Status Finish() const;

 private:
  const wire::json::object* object_;
  const Place& place_;
  std::set<std::string_view> taken_;
  absl::Status status_;
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_STORE_DOCUMENT_H_
