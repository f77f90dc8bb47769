#include "daemon/emulator/ui_settings.h"

#include <algorithm>
#include <string>

#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {
namespace json = boost::json;

absl::StatusOr<json::object> UiSettings(std::string_view app_id, const json::object& changes) {
  const json::string_view id(app_id.data(), app_id.size());
  json::object metadata{
      {"id", id}, {"name", id}, {"defaultLocale", "en-US"}, {"custom", json::object()}};
  json::value features =
      json::array{"file_sharing", "location_sharing", "search_conv_and_messages", "search_in_conv"};
  json::value configuration = json::object();
  for (const auto& change : changes) {
    const std::string name(change.key());
    const json::value& value = change.value();
    if (name == "features") {
      const json::array* list = value.if_array();
      const bool texts = list != nullptr && std::all_of(list->begin(), list->end(),
                                                        [](auto& one) { return one.is_string(); });
      if (!texts) return BadRequest("features: expected a list of texts");
      features = value;
    } else if (name == "configuration") {
      if (!value.is_object()) return BadRequest("configuration: expected an object");
      configuration = value;
    } else if (name == "appMetadata") {
      if (!value.is_object()) return BadRequest("appMetadata: expected an object");
      for (const auto& property : value.get_object()) metadata[property.key()] = property.value();
    } else {
      return BadRequest(name + ": expected features, configuration or appMetadata");
    }
  }
  return json::object{{"appMetadata", std::move(metadata)},
                      {"features", std::move(features)},
                      {"configuration", std::move(configuration)}};
}

}  // namespace talkjsd::emulator
