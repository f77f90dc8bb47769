// Between sessions that need tokens and the local clients that provide them (ProvideTokens).
#ifndef TALKJSD_UPSTREAM_TOKEN_BROKER_H_
#define TALKJSD_UPSTREAM_TOKEN_BROKER_H_

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"
#include "daemon/base/secret.h"
#include "daemon/upstream/protocol.h"

namespace talkjsd::upstream {

// Thread-safe. Has no thread of its own: those who ask wake up at deadlines.
//
// A session's source joins for its life, and asks. The provider that registered first and serves
// the session gets the query; when it leaves or is too slow, the next one that was not asked yet.
// Callbacks run on whatever thread brought the news, without the broker's lock: they must only hand
// over work.
class TokenBroker {
 public:
  explicit TokenBroker(const Clock& clock, Duration answer_timeout = std::chrono::seconds(10))
      : clock_(clock), answer_timeout_(answer_timeout) {}
  TokenBroker(const TokenBroker&) = delete;
  TokenBroker& operator=(const TokenBroker&) = delete;

  // How long one provider has for an answer.
  Duration answer_timeout() const { return answer_timeout_; }

  // --- the sessions' side ---

  struct Member {
    std::string provider_name;
    std::string session_id;
    std::string app_id;
    std::string user_id;
  };
  // `came` is called whenever a provider that serves the session has registered.
  uint64_t Join(Member member, std::function<void()> came);
  // Withdraws what it has asked; no callback begins afterwards.
  void Leave(uint64_t member);

  // Why nobody had a token, or the token, checked. Called once, unless the member asks anew or
  // leaves before.
  using Done = std::function<void(TokenResult)>;
  // Replaces the member's former question.
  void Ask(uint64_t member, TokenCause cause, Done done);
  // If the provider that has the member's question had its time, the next one gets it. Returns when
  // to look again; kNever without a question.
  MonoTime Expire(uint64_t member);

  // --- the providers' side ---

  struct Query {
    std::string query_id;
    Member member;
    TokenCause cause = TokenCause::kFirst;
    UnixMillis deadline = 0;
  };
  struct Rejection {
    std::string query_id;
    absl::Status why;
  };
  // What a provider is to be told.
  struct Outbox {
    std::vector<Query> queries;
    std::vector<std::string> withdrawn;
    std::vector<Rejection> rejections;
    bool empty() const { return queries.empty() && withdrawn.empty() && rejections.empty(); }
  };
  // Whether the provider may serve a session; called under the broker's lock. Null: all.
  using MayServe = std::function<bool(const Member&)>;
  // `session_ids` empty: all. `wake` is called when the outbox is no longer empty.
  uint64_t Register(std::string provider_name, std::set<std::string> session_ids,
                    std::function<void()> wake, MayServe may_serve = nullptr);
  void Unregister(uint64_t provider);
  Outbox Take(uint64_t provider);
  // An answer: a token (unchecked), or why there is none. Unknown and withdrawn queries are
  // ignored.
  void Answer(uint64_t provider, const std::string& query_id, const Secret& token);
  void AnswerFailure(uint64_t provider, const std::string& query_id, std::string_view why);

 private:
  using Calls = std::vector<std::function<void()>>;  // to be made without the lock
  struct Question {
    TokenCause cause;
    Done done;
    std::set<uint64_t> asked;  // providers
    uint64_t provider = 0;     // that has it now
    std::string query_id;
    MonoTime deadline = kNever;
  };
  struct Session {
    Member member;
    std::function<void()> came;
    std::optional<Question> question;
    // Whose token it got last, and by which query.
    uint64_t last_provider = 0;
    std::string last_query_id;
  };
  struct Provider {
    std::string provider_name;
    std::set<std::string> session_ids;
    MayServe may_serve;
    std::function<void()> wake;
    Outbox outbox;
    std::map<std::string, uint64_t> queries;  // query id -> member
    bool Serves(const Member& member) const {
      return provider_name == member.provider_name &&
             (session_ids.empty() || session_ids.count(member.session_id) > 0) &&
             (may_serve == nullptr || may_serve(member));
    }
  };

  // Hands the question to the next provider; without one it ends with `why`.
  void PassOn(uint64_t member, const absl::Status& why, Calls& calls)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Withdraw(Question& question, Calls& calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Finish(Session& session, TokenResult result, Calls& calls)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Reject(uint64_t provider, const std::string& query_id, const absl::Status& why, Calls& calls)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The session that awaits the answer to this query, which is over with it; null: nobody.
  Session* TakeQuery(uint64_t provider, const std::string& query_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Notes that the provider's outbox has something; call before adding to it.
  void Wake(Provider& provider, Calls& calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  const Duration answer_timeout_;
  Mutex mutex_;
  uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, Session> sessions_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, Provider> providers_ ABSL_GUARDED_BY(mutex_);  // in order of registration
};

}  // namespace talkjsd::upstream

#endif  // TALKJSD_UPSTREAM_TOKEN_BROKER_H_
