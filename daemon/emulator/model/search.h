// What a person searches for: words, found where words begin.
#ifndef TALKJSD_EMULATOR_MODEL_SEARCH_H_
#define TALKJSD_EMULATOR_MODEL_SEARCH_H_

#include <string>
#include <string_view>
#include <vector>

namespace talkjsd::emulator {

// Words are what white space parts, without the punctuation at their ends; upper and lower case
// are the same. A value; thread-compatible.
class SearchQuery {
 public:
  // UTF-8.
  explicit SearchQuery(std::string_view text);

  // Every word is the beginning of a word of the text. A query without words matches nothing.
  bool Matches(std::string_view text) const;

 private:
  std::vector<std::u32string> words_;
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_MODEL_SEARCH_H_
