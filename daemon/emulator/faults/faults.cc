#include "daemon/emulator/faults/faults.h"

#include <algorithm>

namespace talkjsd::emulator {
namespace {

// Longer ones match no pattern, so that a hostile path costs no time.
constexpr size_t kMaxMatchedText = 4096;

bool Matches(const FaultRule& rule, const FaultSubject& subject) {
  if (rule.on != subject.point) return false;
  if (!rule.method.empty() && rule.method != subject.method) return false;
  const bool preflight = subject.point == FaultPoint::kHttp && subject.method == "OPTIONS";
  if (preflight && rule.method.empty()) return false;
  if (!rule.user.empty() && !GlobMatches(rule.user, subject.user)) return false;
  if (!rule.path.empty() && !GlobMatches(rule.path, subject.path)) return false;
  return rule.event.empty() ||
         (subject.events != nullptr &&
          std::any_of(subject.events->begin(), subject.events->end(),
                      [&](std::string_view type) { return GlobMatches(rule.event, type); }));
}

// Counts the match. One number is drawn a match, whatever else is asked for, so that the draws
// depend on nothing but the seed and how often the rule has matched.
bool Fires(Faults::Entry& entry) {
  FaultRule& rule = entry.rule;
  ++rule.matched;
  const bool drawn = entry.random.Unit() < rule.probability;
  if (rule.nth > 0 && rule.matched != static_cast<uint64_t>(rule.nth)) return false;
  if (rule.every > 0 && rule.matched % static_cast<uint64_t>(rule.every) != 0) return false;
  if (rule.times > 0 && rule.fired >= static_cast<uint64_t>(rule.times)) return false;
  if (!drawn) return false;
  ++rule.fired;
  return true;
}

}  // namespace

// Iterative: on a mismatch it goes back to the last "**", or to the last "*" if no "/" would be
// swallowed, so its time is bounded by pattern times text twice over.
bool GlobMatches(std::string_view pattern, std::string_view text) {
  if (text.size() > kMaxMatchedText) return false;
  struct Star {
    size_t pattern = std::string_view::npos;  // where to go on in the pattern
    size_t text = 0;                          // what it has swallowed ends here
  };
  Star narrow;
  Star wide;
  size_t p = 0;
  size_t t = 0;
  while (true) {
    if (p < pattern.size() && pattern[p] == '*') {
      const bool is_wide = p + 1 < pattern.size() && pattern[p + 1] == '*';
      p += is_wide ? 2 : 1;
      (is_wide ? wide : narrow) = {p, t};
      if (is_wide) narrow = {};
      continue;
    }
    if (p == pattern.size() && t == text.size()) return true;
    if (p < pattern.size() && t < text.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (narrow.pattern != std::string_view::npos && narrow.text < text.size() &&
               text[narrow.text] != '/') {
      p = narrow.pattern;
      t = ++narrow.text;
    } else if (wide.pattern != std::string_view::npos && wide.text < text.size()) {
      p = wide.pattern;
      t = ++wide.text;
      narrow = {};
    } else {
      return false;
    }
  }
}

std::optional<FaultAction> Faults::Find(const FaultSubject& subject) {
  for (Entry& entry : entries_) {
    if (Matches(entry.rule, subject) && Fires(entry)) return entry.rule.action;
  }
  return std::nullopt;
}

int64_t Faults::Add(FaultRule rule) {
  rule.id = next_id_++;
  if (rule.seed == 0) rule.seed = static_cast<uint64_t>(rule.id);
  rule.matched = 0;
  rule.fired = 0;
  const SeededRandom random(rule.seed);
  entries_.push_back({std::move(rule), random});
  NotePoints();
  return entries_.back().rule.id;
}

bool Faults::Remove(int64_t id) {
  const size_t removed =
      std::erase_if(entries_, [id](const Entry& entry) { return entry.rule.id == id; });
  NotePoints();
  return removed > 0;
}

void Faults::Clear() {
  entries_.clear();
  NotePoints();
}

void Faults::NotePoints() {
  points_ = 0;
  for (const Entry& entry : entries_) points_ |= 1u << static_cast<int>(entry.rule.on);
}

}  // namespace talkjsd::emulator
