#include "daemon/emulator/store/document.h"

#include <absl/strings/ascii.h>

#include <algorithm>

#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

constexpr size_t kMaxKeyShown = 80;

bool IsPlainWord(std::string_view key) {
  return !key.empty() && key.size() <= kMaxKeyShown &&
         std::all_of(key.begin(), key.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
         });
}

std::string_view View(const json::string_view& text) { return {text.data(), text.size()}; }

}  // namespace

std::string Place::Text() const {
  if (parent_ == nullptr) return "$";
  std::string text = parent_->Text();
  if (index_) return text.append("[").append(std::to_string(*index_)).append("]");
  if (IsPlainWord(key_)) return text.append(".").append(key_);
  const std::string quoted = json::serialize(
      json::value(json::string(key_.substr(0, std::min(key_.size(), kMaxKeyShown)))));
  return text.append("[").append(quoted).append("]");
}

absl::Status Place::Wrong(std::string_view what) const {
  return BadRequest(Text().append(": ").append(what));
}

ObjectReader::ObjectReader(const json::value& value, const Place& place)
    : object_(value.if_object()), place_(place) {
  if (object_ == nullptr) status_ = place.Wrong("expected an object");
}

const json::value* ObjectReader::Take(std::string_view name) {
  taken_.insert(name);
  if (!status_.ok()) return nullptr;
  return object_->if_contains(json::string_view(name.data(), name.size()));
}

void ObjectReader::Fail(std::string_view name, std::string_view expected) {
  Fail(Place(place_, name).Wrong("expected " + std::string(expected)));
}

void ObjectReader::Fail(absl::Status status) {
  if (status_.ok()) status_ = std::move(status);
}

void ObjectReader::Text(std::string_view name, std::string& out) {
  const json::value* value = Take(name);
  if (value == nullptr) return;
  if (!value->is_string()) return Fail(name, "text");
  out = View(value->get_string());
}

void ObjectReader::Text(std::string_view name, std::optional<std::string>& out) {
  const json::value* value = Take(name);
  if (value == nullptr) return;
  if (value->is_null()) return out.reset();
  if (!value->is_string()) return Fail(name, "text or null");
  out.emplace(View(value->get_string()));
}

void ObjectReader::Number(std::string_view name, int64_t& out) {
  const json::value* value = Take(name);
  if (value == nullptr) return;
  if (!value->is_int64() || value->get_int64() < 0) return Fail(name, "a whole number from 0 on");
  out = value->get_int64();
}

void ObjectReader::Number(std::string_view name, std::optional<int64_t>& out) {
  const json::value* value = Take(name);
  if (value == nullptr) return;
  if (value->is_null()) return out.reset();
  Number(name, out.emplace());
}

void ObjectReader::Flag(std::string_view name, bool& out) {
  const json::value* value = Take(name);
  if (value == nullptr) return;
  if (!value->is_bool()) return Fail(name, "true or false");
  out = value->get_bool();
}

void ObjectReader::Texts(std::string_view name, std::vector<std::string>& out) {
  std::optional<std::vector<std::string>> list = std::move(out);
  Texts(name, list);
  out = std::move(list).value_or(std::vector<std::string>());
}

void ObjectReader::Texts(std::string_view name, std::optional<std::vector<std::string>>& out) {
  const json::value* value = Take(name);
  if (value == nullptr) return;
  out.reset();
  if (value->is_null()) return;
  if (!value->is_array()) return Fail(name, "a list of texts or null");
  out.emplace();
  const Place list(place_, name);
  for (const json::value& item : value->get_array()) {
    if (!item.is_string()) return Fail(Place(list, out->size()).Wrong("expected text"));
    out->emplace_back(View(item.get_string()));
  }
}

void ObjectReader::Custom(wire::CustomMap& out) {
  const json::value* value = Take("custom");
  if (value == nullptr) return;
  const auto patch = wire::DecodeCustomPatch(*value);
  if (!patch.ok()) return Fail("custom", "an object of texts");
  wire::ApplyCustom(*patch, out);
}

absl::Status ObjectReader::Finish() const {
  if (!status_.ok()) return status_;
  for (const json::key_value_pair& property : *object_) {
    const std::string_view key = View(property.key());
    if (!taken_.contains(key)) return Place(place_, key).Wrong("unknown property");
  }
  return absl::OkStatus();
}

}  // namespace talkjsd::emulator
