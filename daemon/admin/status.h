// The status page and the JSON that keeps it alive.
#ifndef TALKJSD_ADMIN_STATUS_H_
#define TALKJSD_ADMIN_STATUS_H_

#include <string>
#include <string_view>

#include "daemon/admin/rate_history.h"
#include "daemon/admin/session_table.h"
#include "daemon/admin/status_source.h"
#include "daemon/base/metrics.h"

namespace talkjsd::admin {

// One thread at a time. Holds nothing about sessions while nobody looks.
class Status {
 public:
  // `metrics` and `clock` outlive it.
  Status(StatusSource source, const Metrics& metrics, const Clock& clock);

  // The JSON of /status.json. `query`: what followed the '?', as status_page.html sends it: q,
  // state, sort, descending, page; what is not understood counts as absent.
  std::string Json(std::string_view query, bool serving);
  // Every RateHistory::kInterval.
  void Tick();

 private:
  const StatusSource source_;
  const Metrics& metrics_;
  const Clock& clock_;
  const UnixMillis started_;
  RateHistory rates_;
  SessionTable sessions_;
  uint64_t version_ = 0;  // of what sessions_ holds
  MonoTime asked_at_{};
};

// The page, a whole HTML document. `nonce` names its script and style in the answer's
// Content-Security-Policy.
std::string StatusPage(std::string_view nonce);

// Of status_page.html; `key` in "a=b&c=d", with percent signs and pluses decoded; empty if absent.
std::string QueryValue(std::string_view query, std::string_view key);

}  // namespace talkjsd::admin

#endif  // TALKJSD_ADMIN_STATUS_H_
