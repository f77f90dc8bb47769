// What a few sessions have besides the rest: what TalkJS has no place for.
#ifndef TALKJSD_SESSION_EXTRAS_H_
#define TALKJSD_SESSION_EXTRAS_H_

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "daemon/session/info.h"

namespace talkjsd::session {

// Not thread-safe. Ends with the session; kept in the file of its credentials until then.
struct Extras {
  // By user id: texts of users as the session's clients gave them.
  std::map<std::string, std::string> availability;
  // The device that push calls without arguments mean.
  std::optional<upstream::PushDevice> device;
  // As in CreateRequest; of no account once there is a baseline.
  std::optional<bool> enable_push;
  friend bool operator==(const Extras&, const Extras&) = default;
};

// Null: the session has none.
std::unique_ptr<Extras> MakeExtras(const CreateRequest& request);

// nullopt: forget it. Of the users beyond 1,000 an arbitrary one is forgotten.
void KeepAvailability(std::unique_ptr<Extras>& extras, const std::string& user_id,
                      std::optional<std::string> text);

}  // namespace talkjsd::session

#endif  // TALKJSD_SESSION_EXTRAS_H_
