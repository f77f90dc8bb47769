// Which messages a stream has returned lately.
#ifndef TALKJSD_CLIENT_RECENT_MESSAGES_H_
#define TALKJSD_CLIENT_RECENT_MESSAGES_H_

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_set>
#include <utility>

namespace talkjsd::client {

// One thread. Remembers the latest `capacity` messages by session and id; one without an id is new.
class RecentMessages {
 public:
  explicit RecentMessages(size_t capacity) : capacity_(capacity) {}

  // False if it is there already.
  bool Add(const std::string& session_id, const std::string& message_id) {
    if (capacity_ == 0 || message_id.empty()) return true;
    // The same message is another event in each session; ids hold no NUL.
    std::string key = session_id;
    key.push_back('\0');
    key.append(message_id);
    const auto [added, is_new] = keys_.insert(std::move(key));
    if (!is_new) return false;
    order_.push_back(&*added);
    if (order_.size() > capacity_) {
      keys_.erase(keys_.find(*order_.front()));
      order_.pop_front();
    }
    return true;
  }

 private:
  const size_t capacity_;
  std::unordered_set<std::string> keys_;  // nodes: keys keep their address
  std::deque<const std::string*> order_;
};

}  // namespace talkjsd::client

#endif  // TALKJSD_CLIENT_RECENT_MESSAGES_H_
