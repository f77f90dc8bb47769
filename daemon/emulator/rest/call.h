// What the calls of the REST API share: a call, the table of calls, parameters, errors. For .cc
// files: knows JSON.
#ifndef TALKJSD_EMULATOR_REST_CALL_H_
#define TALKJSD_EMULATOR_REST_CALL_H_

#include <absl/status/statusor.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/emulator/app.h"
#include "daemon/wire/json.h"

namespace talkjsd::emulator {

using RestParameters = std::map<std::string, std::string, std::less<>>;  // of the query, decoded

// `args` are the decoded segments that the pattern leaves open, in order.
struct RestCall {
  App& app;
  std::vector<std::string> args;
  const RestParameters& query;
  const wire::json::value& body;  // {} if there was none

  World& world() const { return app.world(); }
};

using RestResult = absl::StatusOr<wire::json::value>;
using RestHandler = RestResult (*)(const RestCall& call);

// Immutable once built; thread-safe.
class RestRouter {
 public:
  // `pattern` is like "users/*": "*" matches any one segment.
  void Add(std::string_view method, std::string_view pattern, RestHandler handler);

  // 404 for an unknown path, 405 for a known one with another method. Fills call.args.
  RestResult Route(std::string_view method, const std::vector<std::string>& path,
                   RestCall& call) const;

 private:
  struct Entry {
    std::string method;
    std::vector<std::string> pattern;
    RestHandler handler;
  };
  std::vector<Entry> entries_;
};

void AddRestUsers(RestRouter& router);
void AddRestConversations(RestRouter& router);
void AddRestParticipants(RestRouter& router);
void AddRestMessages(RestRouter& router);
void AddRestPresences(RestRouter& router);

// {} or the refusal.
RestResult Done(const absl::Status& status);

// --- errors ---

// The status with these `reasons` in place of its message.
absl::Status WithReasons(absl::Status status, const wire::json::value& reasons);
// What goes into `reasons`: {"field": ["..."]} for a refusal of one property, else ["..."].
wire::json::value ReasonsOf(const absl::Status& status);

// --- parameters ---

// The body as an object, or as a list of 1 to `most` items. 400 otherwise.
absl::StatusOr<const wire::json::object*> BodyObject(const RestCall& call);
absl::StatusOr<const wire::json::array*> BodyList(const RestCall& call, size_t most);

// `limit`: 1 to 100; 10 if absent.
absl::StatusOr<size_t> LimitOf(const RestCall& call);
absl::StatusOr<std::optional<bool>> FlagOf(const RestCall& call, std::string_view name);
absl::StatusOr<std::optional<UnixMillis>> TimeOf(const RestCall& call, std::string_view name);
// True for ASC. DESC if absent.
absl::StatusOr<bool> IsAscending(const RestCall& call);
std::optional<std::string> TextOf(const RestCall& call, std::string_view name);

// A place in a list: by time, ties by id.
using ListPosition = std::pair<UnixMillis, std::string>;

// What comes behind `after`, in list order, `limit` at most.
std::vector<ListPosition> PageOf(std::vector<ListPosition> all, bool ascending, size_t limit,
                                 const std::optional<ListPosition>& after);

// {"data": [...]}
wire::json::value EncodeList(wire::json::array items);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_REST_CALL_H_
