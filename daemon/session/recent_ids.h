// Which messages of a conversation were emitted lately.
#ifndef TALKJSD_SESSION_RECENT_IDS_H_
#define TALKJSD_SESSION_RECENT_IDS_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace talkjsd::session {

// The newest kCapacity ids, as 64-bit hashes. Empty costs nothing. The capacity covers what a
// reading back looks at beyond the last message seen: the rest of its page and one more page of
// 100.
class RecentIds {
 public:
  static constexpr size_t kCapacity = 256;

  bool empty() const { return hashes_.empty(); }
  bool Contains(std::string_view id) const {
    return std::find(hashes_.begin(), hashes_.end(), Hash(id)) != hashes_.end();
  }
  // False if it was there.
  bool Add(std::string_view id) {
    if (Contains(id)) return false;
    if (hashes_.size() < kCapacity) {
      hashes_.push_back(Hash(id));
    } else {
      hashes_[next_] = Hash(id);
      next_ = (next_ + 1) % kCapacity;
    }
    return true;
  }

 private:
  static uint64_t Hash(std::string_view id) { return std::hash<std::string_view>{}(id); }
  std::vector<uint64_t> hashes_;
  size_t next_ = 0;  // once full: the oldest
};

}  // namespace talkjsd::session

#endif  // TALKJSD_SESSION_RECENT_IDS_H_
