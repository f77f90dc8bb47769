// What is wrong with a configuration: all of it, so that it can be repaired in one go.
#ifndef TALKJSD_CONFIG_PROBLEMS_H_
#define TALKJSD_CONFIG_PROBLEMS_H_

#include <absl/status/status.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace talkjsd::config {

// Where each key of a configuration was given: "config.yaml:12", "--shards", "$TALKJSD_LISTEN".
// Keys are paths such as "limits.sessions" and "listeners[0].policies[1].name".
class Places {
 public:
  void Set(std::string_view key, std::string place) {
    places_[std::string(key)] = std::move(place);
  }
  // Of the key or of what it is in; empty: it was given nowhere.
  std::string Find(std::string_view key) const;
  bool Has(std::string_view key) const { return places_.contains(std::string(key)); }
  // Forgets the key and all that is in it.
  void Drop(std::string_view key);

 private:
  std::map<std::string, std::string> places_;
};

class Problems {
 public:
  // "PLACE: KEY: MESSAGE", without what is empty. A flag or variable as the place says which key it
  // is.
  void Add(const std::string& place, std::string_view key, std::string_view message);
  bool empty() const { return lines_.empty(); }
  const std::vector<std::string>& lines() const { return lines_; }
  // INVALID_ARGUMENT (INVALID_FIELD) with a line for each; OK if there are none.
  absl::Status ToStatus() const;

 private:
  std::vector<std::string> lines_;
};

}  // namespace talkjsd::config

#endif  // TALKJSD_CONFIG_PROBLEMS_H_
