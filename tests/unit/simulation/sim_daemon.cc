#include "tests/unit/simulation/sim_daemon.h"

#include <gtest/gtest.h>

#include <future>
#include <utility>

#include "daemon/journal/sqlite_store.h"
#include "daemon/session/restore.h"

namespace talkjsd::simulation {
namespace {

// As the registry's.
constexpr Duration kProgressInterval = std::chrono::seconds(10);

}  // namespace

SimDaemon::SimDaemon(Schedule& schedule, const SimClock& clock, SimUpstream& upstream,
                     const std::string& state_dir, uint64_t seed,
                     std::map<std::string, Observed>* observed)
    : schedule_(schedule),
      clock_(clock),
      upstream_(upstream),
      observed_(observed),
      random_(seed),
      progress_timer_(schedule, [this] { StoreProgressOften(); }) {
  Open(state_dir);
  schedule_.before_time_moves = [this] {
    if (unwritten_) Flush();
  };
  Restore();
  progress_timer_.Set(clock_.Now() + kProgressInterval);
}

SimDaemon::~SimDaemon() {
  schedule_.before_time_moves = [] {};
  sessions_.clear();
  journal_->Close();
}

void SimDaemon::Open(const std::string& state_dir) {
  journal::SqliteStoreOptions options;
  options.directory = state_dir + "/journal";
  options.retention.bytes = size_t{1} << 30;
  options.segment_bytes = 4 << 20;
  auto events = journal::OpenSqliteStore(options, metrics_);
  if (!events.ok()) FAIL() << events.status();
  journal::Journal::Options journal_options;
  journal_options.ring_bytes = 1 << 20;  // so that readers need the store
  auto journal =
      journal::Journal::Open(journal_options, *std::move(events), clock_, random_, metrics_);
  if (!journal.ok()) FAIL() << journal.status();
  journal_ = *std::move(journal);
  auto store = session::SessionStore::Open(state_dir, journal::Durability::kOs);
  if (!store.ok()) FAIL() << store.status();
  store_ = *std::move(store);
}

// As Registry::Restore.
void SimDaemon::Restore() {
  auto stored = store_->Load();
  ASSERT_TRUE(stored.ok()) << stored.status();
  auto restored = session::ReadBack(*journal_, *stored);
  ASSERT_TRUE(restored.ok()) << restored.status();
  pacer_.SetSessions(stored->size());
  for (session::StoredSession& one : *stored) {
    ASSERT_TRUE(one.trouble.ok()) << one.trouble;
    SimSession::Options options;
    options.session_id = one.session_id;
    options.user = one.user_id;
    options.credentials = std::move(one.credentials);
    options.baseline_at = one.baseline_at;
    if (const auto known = restored->find(one.session_id); known != restored->end()) {
      options.restored = std::move(known->second);
    }
    options.first_connection_is_paced = true;
    Add(std::move(options));
  }
}

void SimDaemon::Create(const std::string& user, session::Credentials credentials) {
  session::StoredSession stored;
  stored.session_id = SessionId(user);
  stored.app_id = kAppId;
  stored.user_id = user;
  stored.created_at = clock_.WallMillis();
  stored.credentials = credentials;
  const absl::Status added = store_->Add(stored);
  ASSERT_TRUE(added.ok()) << added;
  SimSession::Options options;
  options.session_id = stored.session_id;
  options.user = user;
  options.credentials = std::move(credentials);
  pacer_.SetSessions(sessions_.size() + 1);
  Add(std::move(options));
}

void SimDaemon::Add(SimSession::Options options) {
  const std::string user = options.user;
  SimSession::Environment environment{
      schedule_,
      clock_,
      random_,
      upstream_,
      pacer_,
      [this](journal::NewEvent event) {
        unwritten_ = true;
        std::vector<journal::NewEvent> events;
        events.push_back(std::move(event));
        journal_->Append(std::move(events));
      },
      [this](session::SessionStore::Progress progress) { PutProgress({std::move(progress)}); }};
  auto session =
      std::make_unique<SimSession>(std::move(options), std::move(environment), &(*observed_)[user]);
  SimSession& started = *session;
  sessions_[user] = std::move(session);
  started.Start();
}

void SimDaemon::ReplaceCredentials(const std::string& user, session::Credentials credentials) {
  const absl::Status replaced = store_->ReplaceCredentials(SessionId(user), credentials);
  ASSERT_TRUE(replaced.ok()) << replaced;
  sessions_.at(user)->ReplaceCredentials(std::move(credentials));
}

void SimDaemon::Flush() {
  std::promise<absl::Status> promise;
  journal_->Append({}, [&promise](const absl::Status& stored) { promise.set_value(stored); });
  const absl::Status stored = promise.get_future().get();
  EXPECT_TRUE(stored.ok()) << stored;
  unwritten_ = false;
}

// As session::Keeper, without its thread.
void SimDaemon::PutProgress(std::vector<session::SessionStore::Progress> progress) {
  if (progress.empty()) return;
  Flush();
  for (session::SessionStore::Progress& one : progress) {
    one.checkpoint.cursor = journal_->Latest();
  }
  const absl::Status put = store_->PutProgress(progress);
  EXPECT_TRUE(put.ok()) << put;
}

void SimDaemon::StoreProgressOften() {
  std::vector<session::SessionStore::Progress> progress;
  for (const auto& [user, session] : sessions_) {
    if (auto one = session->TakeProgress(); one.has_value()) progress.push_back(*std::move(one));
  }
  PutProgress(std::move(progress));
  progress_timer_.Set(clock_.Now() + kProgressInterval);
}

}  // namespace talkjsd::simulation
