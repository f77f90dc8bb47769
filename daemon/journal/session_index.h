// Which events of a stretch of the journal are whose, in memory.
#ifndef TALKJSD_JOURNAL_SESSION_INDEX_H_
#define TALKJSD_JOURNAL_SESSION_INDEX_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace talkjsd::journal {

// Not thread-safe. Eight bytes an event.
class SessionIndex {
 public:
  // Sequences must grow.
  void Add(const std::string& session_id, uint64_t sequence) {
    sequences_[session_id].push_back(sequence);
  }

  // Sequences of the session in (after, to], at most `max`.
  void Find(const std::string& session_id, uint64_t after, uint64_t to, size_t max,
            std::vector<uint64_t>* out) const {
    const auto found = sequences_.find(session_id);
    if (found == sequences_.end()) return;
    const std::vector<uint64_t>& all = found->second;
    const auto first = std::upper_bound(all.begin(), all.end(), after);
    const auto end = std::upper_bound(first, all.end(), to);
    out->insert(out->end(), first,
                first + std::min<ptrdiff_t>(end - first, static_cast<ptrdiff_t>(
                                                             std::min<size_t>(max, PTRDIFF_MAX))));
  }

 private:
  std::unordered_map<std::string, std::vector<uint64_t>> sequences_;
};

}  // namespace talkjsd::journal

#endif  // TALKJSD_JOURNAL_SESSION_INDEX_H_
