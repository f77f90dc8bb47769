// The upstream is away for a day. Daemon and emulator live in one process on one simulated clock;
// what is said meanwhile is fetched afterwards, within the pace limits of design and protocol.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/session/encoder.h"
#include "daemon/upstream/call.h"
#include "daemon/wire/jwt.h"
#include "talkjs/sidecar/v1/event_service.pb.h"
#include "tests/unit/emulator/world_fixture.h"
#include "tests/unit/journal/store_testing.h"
#include "tests/unit/simulation/people.h"
#include "tests/unit/simulation/schedule.h"
#include "tests/unit/simulation/sim_daemon.h"
#include "tests/unit/simulation/sim_upstream.h"

namespace talkjsd::simulation {
namespace {

namespace v1 = talkjs::sidecar::v1;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kOutage = hours(24);

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

uint64_t Seed() {
  const char* seed = std::getenv("TALKJSD_SEED");
  return seed == nullptr ? 20'261'122 : std::strtoull(seed, nullptr, 10);
}

// What a stream got.
struct Received {
  std::string id;
  std::string text;
  bool recovered = false;
};
struct Stream {
  std::map<std::string, std::vector<Received>> sent;  // by conversation
  std::set<std::string> ids;
  int uncertain_edits = 0;
  int other_gaps = 0;
};

class Outage : public testing::Test {
 protected:
  void Begin(int users) {
    users_ = users;
    people_ = std::make_unique<People>(schedule_, upstream_, seed_ + 1, users);
    schedule_.RunFor(seconds(2));  // history is older than the baseline
    StartDaemon();
  }
  void StartDaemon() {
    daemon_ = std::make_unique<SimDaemon>(schedule_, clock_, upstream_, dir_.path(),
                                          seed_ + 100 + started_.size(), &observed_);
    started_.push_back(clock_.Now());
  }
  void Kill() { daemon_ = nullptr; }

  static session::Credentials Key() {
    return {.kind = session::CredentialKind::kSigningKey, .secret = Secret(kAppKey)};
  }
  session::Credentials Token(const std::string& user, Duration lifetime) const {
    wire::JwtClaims claims;
    claims.token_type = "user";
    claims.issuer = kAppId;
    claims.subject = user;
    claims.expires =
        clock_.WallMillis() / 1000 + std::chrono::duration_cast<seconds>(lifetime).count();
    return {.kind = session::CredentialKind::kToken,
            .secret = wire::MintJwt(claims, Secret(kAppKey))};
  }

  // Connected, synced, and used for a while; then the cursor from which a reader will go on.
  void LiveUntilTheCursor() {
    schedule_.RunFor(seconds(40));
    for (const auto& [user, session] : daemon_->sessions()) {
      ASSERT_TRUE(session->synced()) << user;
    }
    people_->Chat(minutes(2), 3 * users_);
    schedule_.RunFor(minutes(2) + seconds(20));
    daemon_->Flush();
    cursor_ = daemon_->journal().Latest();
    since_ = clock_.WallMillis();
    // What is said now is delivered, or on its way when the sockets break.
    people_->Chat(seconds(30), users_);
    schedule_.RunFor(seconds(20));
  }

  // The upstream vanishes, for half of the sockets without a word.
  void Vanish() {
    upstream_.set_weather(SimUpstream::Weather::kRefuses);
    SeededRandom random(seed_ + 2);
    upstream_.BreakAll([&random] { return random.Next() % 2 == 0; });
    vanished_ = clock_.Now();
    vanished_at_ = clock_.WallMillis();
    schedule_.RunFor(seconds(12));
  }

  // To be called right after Vanish: what people do in the rest of the 24 hours.
  void PlanTheDay(int flood, int chat, int deeds) {
    people_->Flood(hours(1), People::Own(1), flood, milliseconds(700));
    for (int i = 2; i < 12; ++i) {
      people_->Flood(hours(i), People::Own(i), 90 + 17 * i, seconds(11));
    }
    for (int i = 0; i < People::kManyConversations; ++i) {
      people_->Flood(minutes(30) + i * minutes(5), People::Many(i), 1, seconds(0));
    }
    people_->Chat(kOutage - minutes(5), chat);
    people_->Meddle(kOutage - minutes(5), deeds, clock_.WallMillis());
    schedule_.At(vanished_ + kOutage / 2,
                 [this] { upstream_.set_weather(SimUpstream::Weather::kSwallows); });
  }
  void RunOutage() { schedule_.RunUntil(vanished_ + kOutage); }

  void ComeBack() {
    upstream_.set_weather(SimUpstream::Weather::kFair);
    returned_ = clock_.Now();
    returned_at_ = clock_.WallMillis();
    people_->Chat(minutes(3), users_);
  }

  // Calls of clients that wait for the upstream: kBacklog for each of some users.
  static constexpr int kBacklog = 150;
  struct Backlog {
    std::set<std::string> sent;  // message ids
    int answered = 0;
  };
  std::shared_ptr<Backlog> WaitWithCalls(int first, int end);
  void CheckBacklog(const Backlog& backlog, int first, int end);

  Stream ReadAll(const std::string& user);
  void CheckMessages();
  void CheckUnreads(const std::string& user);
  void CheckUser(const std::string& user);
  void CheckAttempts();
  void CheckBucket();
  void PrintFigures();

  const uint64_t seed_ = Seed();
  testing::ScopedTrace trace_{__FILE__, __LINE__,
                              "replay with TALKJSD_SEED=" + std::to_string(seed_)};
  journal::TempDir dir_;
  SimClock clock_;
  Schedule schedule_{clock_};
  SimUpstream upstream_{schedule_, clock_, seed_};
  std::unique_ptr<People> people_;
  std::map<std::string, Observed> observed_;
  std::unique_ptr<SimDaemon> daemon_;
  int users_ = 0;
  std::vector<MonoTime> started_;  // of each daemon
  journal::Cursor cursor_;
  UnixMillis since_ = 0;
  MonoTime vanished_{};
  UnixMillis vanished_at_ = 0;
  MonoTime returned_{};
  UnixMillis returned_at_ = 0;
  // Totals.
  size_t expected_ = 0;
  size_t recovered_ = 0;
};

std::shared_ptr<Outage::Backlog> Outage::WaitWithCalls(int first, int end) {
  auto backlog = std::make_shared<Backlog>();
  for (int i = first; i < end; ++i) {
    SimSession& session = daemon_->session(people_->users()[i]);
    for (int call = 0; call < kBacklog; ++call) {
      upstream::Request request = upstream::GetConversation(People::Own(i));
      if (call % 10 == 0) {
        upstream::OutgoingMessage message;
        message.content = emulator::TextMessage("waited").content;
        message.idempotency_key = std::to_string(i) + "-" + std::to_string(call);
        request = upstream::SendMessage(People::Own(i), message);
      }
      const bool sends = request.method == "POST";
      session.CallUpstream(std::move(request), hours(1),
                           [backlog, sends](const absl::StatusOr<upstream::Reply>& reply) {
                             ASSERT_TRUE(reply.ok()) << reply.status();
                             EXPECT_EQ(reply->status, 200);
                             ++backlog->answered;
                             if (!sends) return;
                             const auto id = upstream::ParseSentMessage(*reply);
                             ASSERT_TRUE(id.ok()) << id.status();
                             EXPECT_TRUE(backlog->sent.insert(*id).second);
                           });
    }
  }
  return backlog;
}

// realtime.md 3.9: 51 at once, and then one each 100 ms, until all that waited has left.
void Outage::CheckBacklog(const Backlog& backlog, int first, int end) {
  EXPECT_EQ(backlog.answered, (end - first) * kBacklog);
  EXPECT_EQ(backlog.sent.size(), static_cast<size_t>((end - first) * kBacklog / 10));
  for (int i = first; i < end; ++i) {
    const Observed::Login& login = observed_[people_->users()[i]].logins.back();
    ASSERT_GE(login.at, returned_);
    ASSERT_GT(login.calls.size(), static_cast<size_t>(kBacklog));
    EXPECT_EQ(login.calls[50], login.at);
    for (int call = 51; call < kBacklog; ++call) {
      EXPECT_EQ(login.calls[call], login.at + (call - 50) * milliseconds(100)) << call;
    }
  }
}

Stream Outage::ReadAll(const std::string& user) {
  Stream stream;
  journal::Selection selection;
  selection.session_ids = {SimDaemon::SessionId(user)};
  selection.edited = true;
  journal::StartPosition start;
  start.kind = journal::StartPosition::Kind::kCursor;
  start.cursor = cursor_;
  std::optional<journal::GapInfo> gap;
  auto reader = daemon_->journal().OpenReader(selection, start, journal::OnGap::kFail, &gap);
  EXPECT_TRUE(reader.ok()) << reader.status();
  while (reader.ok()) {
    const auto batch = (*reader)->Read(256, 64 << 10);
    EXPECT_TRUE(batch.ok()) << batch.status();
    if (!batch.ok() || batch->events.empty()) break;
    for (const journal::EventRef& event : batch->events) {
      if (event->kind == journal::EventKind::kUncertainEdits) ++stream.uncertain_edits;
      if (event->kind == journal::EventKind::kGap) ++stream.other_gaps;
      if (event->kind != journal::EventKind::kSent) continue;
      v1::StreamMessagesResponse response;
      EXPECT_TRUE(response.ParseFromString(event->bytes));
      const v1::Message& message = response.events(0).sent();
      EXPECT_TRUE(stream.ids.insert(message.id()).second) << user << " got twice: " << message.id();
      stream.sent[event->conversation_id].push_back(
          {message.id(), message.body(), response.events(0).recovered()});
    }
  }
  return stream;
}

// Exactly what the emulator holds for the user, in its order; besides that, only what was said
// before the outage and has gone since.
void Outage::CheckUser(const std::string& user) {
  SCOPED_TRACE(user);
  const Stream stream = ReadAll(user);
  std::set<std::string> expected_ids;
  for (const auto& [conversation, held] : people_->HeldFor(user, since_)) {
    std::vector<std::string> expected;
    for (const Said& said : held) {
      expected.push_back(said.id);
      expected_ids.insert(said.id);
    }
    std::vector<std::string> got;
    const auto found = stream.sent.find(conversation);
    if (found != stream.sent.end()) {
      for (const Received& one : found->second) {
        const auto at = std::find(expected.begin(), expected.end(), one.id);
        if (at == expected.end()) continue;
        got.push_back(one.id);
        const Said& said = held[static_cast<size_t>(at - expected.begin())];
        if (said.created_at > vanished_at_ + 12'000 && said.created_at < returned_at_) {
          EXPECT_EQ(one.text, said.text) << one.id;
          EXPECT_TRUE(one.recovered) << one.id;
          ++recovered_;
        }
      }
    }
    EXPECT_EQ(got.size(), expected.size()) << conversation;
    EXPECT_TRUE(got == expected) << conversation << ": lost or out of order";
    expected_ += expected.size();
  }
  for (const auto& [conversation, all] : stream.sent) {
    for (const Received& one : all) {
      if (expected_ids.contains(one.id)) continue;
      const UnixMillis said_at = people_->CreatedAt(one.id);
      EXPECT_TRUE(said_at > since_ && said_at <= vanished_at_)
          << "not his, or history: " << one.id << " of " << conversation << ", said " << said_at;
    }
  }
  EXPECT_GE(stream.uncertain_edits, 1);
  EXPECT_EQ(stream.other_gaps, 0);
}

void Outage::CheckUnreads(const std::string& user) {
  v1::StreamUnreadsResponse response;
  ASSERT_TRUE(response.ParseFromString(observed_[user].unreads)) << user;
  EXPECT_FALSE(response.unreads().stale()) << user;
  std::map<std::string, std::pair<int64_t, std::string>> got;
  for (const v1::UnreadConversation& entry : response.unreads().conversations()) {
    got[entry.conversation().id()] = {entry.unread_message_count(), entry.last_message().id()};
  }
  EXPECT_TRUE(got == people_->UnreadsOf(user)) << "unreads of " << user << " differ";
}

void Outage::CheckMessages() {
  daemon_->Flush();
  for (const std::string& user : people_->users()) {
    EXPECT_TRUE(daemon_->session(user).synced()) << user;
    CheckUser(user);
    CheckUnreads(user);
    if (HasFailure()) return;
  }
}

// Each session by itself: 5 to 15 s at first, then full jitter up to a minute; the queue for the
// daemon's common pace adds at most what all others take.
void Outage::CheckAttempts() {
  const double queue = users_ / 20.0;
  double sum = 0;
  size_t later = 0;
  for (const auto& [user, observed] : observed_) {
    for (const Observed::Wait& wait : observed.waits) {
      if (wait.is_first) {
        EXPECT_GE(Seconds(wait.time), 5) << user;
        EXPECT_LE(Seconds(wait.time), 15 + queue) << user;
      } else {
        EXPECT_GE(Seconds(wait.time), 1) << user;
        EXPECT_LE(Seconds(wait.time), 60 + queue) << user;
        sum += Seconds(wait.time);
        ++later;
      }
      if (HasFailure()) return;
    }
  }
  ASSERT_GT(later, 0u);
  EXPECT_GT(sum / later, 29);
  EXPECT_LT(sum / later, 32) << "jitter is to be full: half of the longest delay on average";
}

// All sessions together, from the outage on: the bucket of design.md section 5, and not one more.
void Outage::CheckBucket() {
  const double rate = std::max(20.0, 0.05 * users_);
  std::vector<MonoTime> opens;
  for (const auto& [user, observed] : observed_) {
    std::copy_if(observed.opens.begin(), observed.opens.end(), std::back_inserter(opens),
                 [this](MonoTime at) { return at >= vanished_; });
  }
  std::sort(opens.begin(), opens.end());
  double level = 0;
  double highest = 0;
  size_t most_in_a_second = 0;
  for (size_t i = 0, from = 0; i < opens.size(); ++i) {
    if (i > 0) level = std::max(0.0, level - rate * Seconds(opens[i] - opens[i - 1]));
    // A daemon that starts begins with a full bucket.
    for (const MonoTime start : started_) {
      if (i > 0 && opens[i - 1] < start && start <= opens[i]) level = 0;
    }
    highest = std::max(highest, level += 1);
    while (opens[i] - opens[from] >= seconds(1)) ++from;
    most_in_a_second = std::max(most_in_a_second, i - from + 1);
  }
  EXPECT_LE(highest, rate + 1.01) << "more than the bucket holds at once";
  EXPECT_LE(most_in_a_second, 2 * rate + 1);
  std::cout << "  opens: " << opens.size() << " in the outage and after, at most "
            << most_in_a_second << " in a second, " << rate << " allowed after as many at once\n";
}

void Outage::PrintFigures() {
  Duration slowest{};
  size_t busiest = 0;
  for (const auto& [user, observed] : observed_) {
    slowest = std::max<Duration>(slowest, observed.synced_at.value() - returned_);
    for (const Observed::Login& login : observed.logins) {
      for (size_t i = 0, from = 0; i < login.calls.size(); ++i) {
        while (login.calls[i] - login.calls[from] >= seconds(1)) ++from;
        busiest = std::max(busiest, i - from + 1);
      }
    }
  }
  std::cout << "  seed " << seed_ << ": " << users_ << " sessions, " << people_->said()
            << " messages said, " << expected_ << " deliveries expected and found, " << recovered_
            << " of them from the outage\n  last session synced " << Seconds(slowest)
            << " s after the return; one session's busiest second had " << busiest << " calls; "
            << schedule_.events() << " simulated events\n";
}

TEST_F(Outage, EverythingIsFetchedAfterADayWithinThePaceLimits) {
  ASSERT_NO_FATAL_FAILURE(Begin(400));
  for (const std::string& user : people_->users()) daemon_->Create(user, Key());
  ASSERT_NO_FATAL_FAILURE(LiveUntilTheCursor());
  Vanish();
  PlanTheDay(/*flood=*/4000, /*chat=*/3000, /*deeds=*/400);
  RunOutage();
  const std::shared_ptr<Backlog> backlog = WaitWithCalls(20, 30);
  ComeBack();
  schedule_.RunFor(minutes(5));
  CheckMessages();
  CheckAttempts();
  CheckBucket();
  CheckBacklog(*backlog, 20, 30);
  PrintFigures();
}

TEST_F(Outage, ADaemonThatIsKilledInTheOutageAndWhileReadingBackGoesOnWhereItWas) {
  ASSERT_NO_FATAL_FAILURE(Begin(150));
  for (const std::string& user : people_->users()) daemon_->Create(user, Key());
  ASSERT_NO_FATAL_FAILURE(LiveUntilTheCursor());
  Vanish();
  PlanTheDay(/*flood=*/3000, /*chat=*/1500, /*deeds=*/200);
  schedule_.RunUntil(vanished_ + hours(9));
  Kill();
  schedule_.RunFor(minutes(20));
  StartDaemon();
  RunOutage();
  ComeBack();
  for (const Duration life : {seconds(9), seconds(14)}) {
    schedule_.RunFor(life);
    Kill();
    schedule_.RunFor(seconds(3));
    StartDaemon();
  }
  schedule_.RunFor(minutes(5));
  CheckMessages();
  CheckAttempts();
  CheckBucket();
  PrintFigures();
}

TEST_F(Outage, TokensThatExpireMeanwhileCostNothingOnceThereAreNewOnes) {
  ASSERT_NO_FATAL_FAILURE(Begin(150));
  const std::vector<std::string>& users = people_->users();
  // The daemon mints its own; somebody supplies one in the outage; somebody does so afterwards.
  for (size_t i = 0; i < users.size(); ++i) {
    daemon_->Create(users[i], i % 3 == 0 ? Key() : Token(users[i], hours(6)));
  }
  ASSERT_NO_FATAL_FAILURE(LiveUntilTheCursor());
  Vanish();
  PlanTheDay(/*flood=*/1500, /*chat=*/1500, /*deeds=*/200);
  schedule_.RunUntil(vanished_ + hours(10));
  for (size_t i = 1; i < users.size(); i += 3) {
    daemon_->ReplaceCredentials(users[i], Token(users[i], hours(48)));
  }
  RunOutage();
  ComeBack();
  schedule_.RunFor(minutes(2));
  const MonoTime waiting = clock_.Now();
  schedule_.RunFor(minutes(2));
  for (size_t i = 0; i < users.size(); ++i) {
    const bool waits = i % 3 == 2;
    EXPECT_EQ(observed_[users[i]].times_without_token, waits ? 1 : 0) << users[i];
    EXPECT_EQ(daemon_->session(users[i]).phase(),
              waits ? upstream::Phase::kWaitingForToken : upstream::Phase::kReady);
    EXPECT_LT(observed_[users[i]].opens.back(), waiting)
        << users[i] << " has nothing to log in with";
  }
  for (size_t i = 2; i < users.size(); i += 3) {
    daemon_->ReplaceCredentials(users[i], Token(users[i], hours(6)));
  }
  schedule_.RunFor(minutes(2));
  CheckMessages();
  CheckAttempts();
  CheckBucket();
  PrintFigures();
}

}  // namespace
}  // namespace talkjsd::simulation
