#include "daemon/upstream/token_broker.h"

#include <algorithm>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/upstream/token_check.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::upstream {
namespace {

namespace v1 = talkjs::sidecar::v1;

// What a provider says of itself is shown to people: no more of it than that.
constexpr size_t kMaxFailureBytes = 1000;

absl::Status Trouble(v1::ErrorReason reason, std::string_view message) {
  return MakeError(absl::StatusCode::kFailedPrecondition, reason, message);
}

absl::Status Absent(const std::string& provider_name) {
  return Trouble(v1::ERROR_REASON_TOKEN_PROVIDER_ABSENT,
                 "no client is on ProvideTokens under the name \"" + provider_name +
                     "\" for this session: start one (talkjsctl token provide)");
}

TokenResult ResultOf(const absl::Status& why) {
  TokenResult result;
  result.kind = TokenResult::Kind::kTrouble;
  result.why = why;
  return result;
}

// The beginning of a text in UTF-8, at most so many bytes, without half a character.
std::string_view CutText(std::string_view text, size_t max_bytes) {
  size_t end = std::min(text.size(), max_bytes);
  while (end > 0 && end < text.size() && (text[end] & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

void Run(const std::vector<std::function<void()>>& calls) {
  for (const auto& call : calls) call();
}

}  // namespace

// --- the sessions' side ---

uint64_t TokenBroker::Join(Member member, std::function<void()> came) {
  MutexLock lock(mutex_);
  const uint64_t id = ++last_id_;
  Session& session = sessions_[id];
  session.member = std::move(member);
  session.came = std::move(came);
  return id;
}

void TokenBroker::Leave(uint64_t member) {
  Calls calls;
  {
    MutexLock lock(mutex_);
    const auto it = sessions_.find(member);
    if (it == sessions_.end()) return;
    if (it->second.question.has_value()) Withdraw(*it->second.question, calls);
    sessions_.erase(it);
  }
  Run(calls);
}

void TokenBroker::Ask(uint64_t member, TokenCause cause, Done done) {
  Calls calls;
  {
    MutexLock lock(mutex_);
    const auto it = sessions_.find(member);
    if (it == sessions_.end()) return;
    Session& session = it->second;
    if (session.question.has_value()) Withdraw(*session.question, calls);
    if (cause == TokenCause::kRefused && session.last_provider != 0) {
      Reject(session.last_provider, session.last_query_id,
             Trouble(v1::ERROR_REASON_TOKEN_REFUSED,
                     "TalkJS refused the token: check that it is signed with the app's key"),
             calls);
      session.last_provider = 0;
    }
    session.question = Question{cause, std::move(done), {}, 0, {}, kNever};
    PassOn(member, Absent(session.member.provider_name), calls);
  }
  Run(calls);
}

MonoTime TokenBroker::Expire(uint64_t member) {
  Calls calls;
  MonoTime next = kNever;
  {
    MutexLock lock(mutex_);
    const auto it = sessions_.find(member);
    if (it == sessions_.end() || !it->second.question.has_value()) return kNever;
    if (clock_.Now() < it->second.question->deadline) return it->second.question->deadline;
    Withdraw(*it->second.question, calls);
    const auto seconds = std::chrono::duration<double>(answer_timeout_).count();
    PassOn(member,
           Trouble(v1::ERROR_REASON_TOKEN_FETCH_TIMEOUT,
                   "no client on ProvideTokens answered within " +
                       std::to_string(static_cast<int64_t>(seconds)) + " s; asking again"),
           calls);
    if (it->second.question.has_value()) next = it->second.question->deadline;
  }
  Run(calls);
  return next;
}

void TokenBroker::PassOn(uint64_t member, const absl::Status& why, Calls& calls) {
  Session& session = sessions_.at(member);
  Question& question = *session.question;
  const auto next = std::find_if(providers_.begin(), providers_.end(), [&](const auto& entry) {
    return entry.second.Serves(session.member) && question.asked.count(entry.first) == 0;
  });
  if (next == providers_.end()) {
    Finish(session, ResultOf(why), calls);
    return;
  }
  Provider& provider = next->second;
  question.asked.insert(next->first);
  question.provider = next->first;
  question.query_id = "q" + std::to_string(++last_id_);
  question.deadline = clock_.Now() + answer_timeout_;
  Query query;
  query.query_id = question.query_id;
  query.member = session.member;
  query.cause = question.cause;
  query.deadline = clock_.WallMillis() +
                   std::chrono::duration_cast<std::chrono::milliseconds>(answer_timeout_).count();
  Wake(provider, calls);
  provider.outbox.queries.push_back(std::move(query));
  provider.queries[question.query_id] = member;
}

// Of one that the provider has not even seen it need not be told.
void TokenBroker::Withdraw(Question& question, Calls& calls) {
  const uint64_t id = std::exchange(question.provider, 0);
  const auto it = providers_.find(id);
  if (it == providers_.end()) return;
  Provider& provider = it->second;
  if (provider.queries.erase(question.query_id) == 0) return;
  std::vector<Query>& unseen = provider.outbox.queries;
  if (std::erase_if(unseen,
                    [&](const Query& query) { return query.query_id == question.query_id; }) > 0) {
    return;
  }
  Wake(provider, calls);
  provider.outbox.withdrawn.push_back(question.query_id);
}

void TokenBroker::Finish(Session& session, TokenResult result, Calls& calls) {
  Done done = std::move(session.question->done);
  session.question.reset();
  calls.push_back([done = std::move(done), result = std::move(result)] { done(result); });
}

void TokenBroker::Reject(uint64_t provider, const std::string& query_id, const absl::Status& why,
                         Calls& calls) {
  const auto it = providers_.find(provider);
  if (it == providers_.end()) return;
  Wake(it->second, calls);
  it->second.outbox.rejections.push_back({query_id, why});
}

void TokenBroker::Wake(Provider& provider, Calls& calls) {
  if (provider.outbox.empty()) calls.push_back(provider.wake);
}

// --- the providers' side ---

uint64_t TokenBroker::Register(std::string provider_name, std::set<std::string> session_ids,
                               std::function<void()> wake, MayServe may_serve) {
  Calls calls;
  uint64_t id = 0;
  {
    MutexLock lock(mutex_);
    id = ++last_id_;
    Provider& provider = providers_[id];
    provider.provider_name = std::move(provider_name);
    provider.session_ids = std::move(session_ids);
    provider.wake = std::move(wake);
    provider.may_serve = std::move(may_serve);
    for (const auto& [member, session] : sessions_) {
      if (provider.Serves(session.member)) calls.push_back(session.came);
    }
  }
  Run(calls);
  return id;
}

void TokenBroker::Unregister(uint64_t provider) {
  Calls calls;
  {
    MutexLock lock(mutex_);
    const auto it = providers_.find(provider);
    if (it == providers_.end()) return;
    const Provider left = std::move(it->second);
    providers_.erase(it);
    for (const auto& [query_id, member] : left.queries) {
      PassOn(member, Absent(left.provider_name), calls);
    }
  }
  Run(calls);
}

TokenBroker::Outbox TokenBroker::Take(uint64_t provider) {
  MutexLock lock(mutex_);
  const auto it = providers_.find(provider);
  if (it == providers_.end()) return {};
  return std::exchange(it->second.outbox, {});
}

TokenBroker::Session* TokenBroker::TakeQuery(uint64_t provider, const std::string& query_id) {
  const auto it = providers_.find(provider);
  if (it == providers_.end()) return nullptr;
  auto query = it->second.queries.extract(query_id);
  if (query.empty()) return nullptr;
  // Answered before it was written: possible only for a client that guesses.
  std::erase_if(it->second.outbox.queries,
                [&](const Query& unseen) { return unseen.query_id == query_id; });
  return &sessions_.at(query.mapped());
}

void TokenBroker::Answer(uint64_t provider, const std::string& query_id, const Secret& token) {
  Calls calls;
  {
    MutexLock lock(mutex_);
    Session* session = TakeQuery(provider, query_id);
    if (session == nullptr) return;
    const std::string_view text = TrimSpace(token.Expose());
    const absl::Status checked = CheckFetchedToken(text, session->member.app_id,
                                                   session->member.user_id, clock_.WallMillis());
    if (checked.ok()) {
      session->last_provider = provider;
      session->last_query_id = query_id;
      TokenResult result;
      result.kind = TokenResult::Kind::kToken;
      result.token = Secret(std::string(text));
      result.expires_at = TokenExpiry(text);
      Finish(*session, std::move(result), calls);
    } else {
      Reject(provider, query_id, checked, calls);
      Finish(*session, ResultOf(WithContext(checked, "from the client on ProvideTokens")), calls);
    }
  }
  Run(calls);
}

void TokenBroker::AnswerFailure(uint64_t provider, const std::string& query_id,
                                std::string_view why) {
  Calls calls;
  {
    MutexLock lock(mutex_);
    Session* session = TakeQuery(provider, query_id);
    if (session == nullptr) return;
    std::string message = "the client on ProvideTokens has no token";
    if (!why.empty()) message.append(": ").append(CutText(why, kMaxFailureBytes));
    Finish(*session, ResultOf(Trouble(v1::ERROR_REASON_TOKEN_PROVIDER_FAILED, message)), calls);
  }
  Run(calls);
}

}  // namespace talkjsd::upstream
