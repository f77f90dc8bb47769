// The inside of Registry, for its own files: registry_list.cc (the table of sessions),
// registry_create.cc, registry_credentials.cc, registry_restore.cc, registry_destroy.cc,
// registry_extras.cc (what is kept for them) and registry_run.cc (shards, timers, calls, the end).
#ifndef TALKJSD_SESSION_REGISTRY_IMPL_H_
#define TALKJSD_SESSION_REGISTRY_IMPL_H_

#include <absl/base/thread_annotations.h>

#include <atomic>
#include <map>
#include <utility>

#include "daemon/base/mutex.h"
#include "daemon/net/event_loop.h"
#include "daemon/session/extras.h"
#include "daemon/session/keeper.h"
#include "daemon/session/registry.h"
#include "daemon/session/restore.h"
#include "daemon/session/session.h"
#include "daemon/upstream/pacer.h"
#include "daemon/upstream/token_files.h"

namespace talkjsd::session {

// Destroyed sessions are remembered for that (issue: destroy).
inline constexpr UnixMillis kRememberDestroyedMillis = 60 * 60 * 1000;

inline constexpr Duration kHousekeeping = std::chrono::seconds(10);

// The errors that many methods have.
absl::Status SessionNotFound();   // NOT_FOUND (SESSION_NOT_FOUND)
absl::Status SessionDestroyed();  // FAILED_PRECONDITION (SESSION_DESTROYED)
absl::Status DaemonStopping();    // UNAVAILABLE (DRAINING)

// Methods without another word are Registry's.
class Registry::Impl {
 public:
  Impl(Options options, Environment environment)
      : options_(std::move(options)),
        env_(environment),
        urls_(wire::UrlsForHost(options_.upstream_host)),
        pacer_(options_.connects_per_second_share),
        keeper_(env_.store, env_.journal, env_.clock),
        token_files_(options_.token_file_interval),
        token_broker_(environment.clock, options_.token_answer_timeout),
        max_sessions_(options_.max_sessions) {
    for (int i = 0; i < options_.shards; ++i) {
      shards_.push_back(std::make_unique<Shard>("shard-" + std::to_string(i)));
    }
  }

  void Start();
  absl::Status Restore();
  void SetMaxSessions(int count) { max_sessions_ = count; }
  absl::StatusOr<Created> Create(CreateRequest request);
  absl::StatusOr<Info> SetMe(const std::string& session_id, const std::string& user_id,
                             std::optional<upstream::UserWrite> attributes);
  absl::StatusOr<Info> SetToken(const std::string& session_id, Secret token);
  absl::Status CheckProvider(const std::string& session_id, const std::string& provider_name) const;
  absl::StatusOr<Info> Get(const std::string& session_id) const;
  std::vector<Info> List() const;
  void Destroy(const std::string& session_id, std::function<void(const absl::Status&)> done);
  void Call(const std::string& session_id, upstream::Request request, Duration timeout,
            CallDone done);
  void CheckApp(const std::string& app_id, Duration timeout, upstream::AppCheckDone done) {
    upstream::CheckApp(env_.http, urls_.internal, app_id, timeout, std::move(done));
  }
  void KeepAvailability(const std::string& session_id, const std::string& user_id,
                        std::optional<std::string> text);
  std::optional<std::string> Availability(const std::string& session_id,
                                          const std::string& user_id) const;
  std::optional<upstream::PushDevice> Device(const std::string& session_id) const;
  std::vector<Info> ChangesSince(uint64_t* version) const;
  uint64_t NotifyOfChange(uint64_t version, std::function<void()> ready);
  void Cancel(uint64_t handle);
  void Ping(std::function<void()> alive);
  void Stop();

  UnreadsBoard unreads;
  upstream::TokenBroker& token_broker() { return token_broker_; }

 private:
  struct Shard {
    explicit Shard(std::string name) : loop(std::move(name)) {}
    // Declared before the loop's users: sessions are destroyed on the loop before it stops.
    net::EventLoop loop;
    // On the loop's thread only.
    std::map<std::string, std::unique_ptr<Session>> sessions;
    std::unique_ptr<net::Timer> progress;
  };
  struct Entry {
    Info info;
    std::shared_ptr<const Spec> spec;  // null once destroyed
    Shard* shard = nullptr;
    uint64_t order = 0;
    UnixMillis forget_at = 0;  // 0: never
    // Its credentials cannot be read: what it starts from when it gets others.
    bool is_unstarted = false;
    std::shared_ptr<Restored> unstarted;
    std::unique_ptr<Extras> extras;  // null: none
  };
  using Waiters = std::vector<std::function<void()>>;

  std::string KeyOf(const std::string& app_id, const std::string& user_id) const {
    return app_id + '\n' + user_id;
  }
  // Null: there are none.
  const Extras* FindExtras(const std::string& session_id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Created> Repeat(const std::string& session_id, CreateRequest request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_);
  absl::StatusOr<Info> ReplaceCredentials(const std::string& session_id, Credentials credentials)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_);
  // Writes down a session that has a user; `extras` null: none.
  absl::Status Store(const Info& info, const Spec& spec, const Extras* extras)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_);
  Entry& Enter(Info info, std::shared_ptr<const Spec> spec) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  size_t Alive() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Null: there is none, or its hour after the destruction is over.
  const Entry* Find(const std::string& session_id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<const Entry*> FindAlive(const std::string& session_id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RestoreOne(StoredSession stored, std::shared_ptr<Restored> restored);
  // `is_paced`: its first connection too.
  void StartSession(Shard& shard, const std::string& id, std::shared_ptr<Restored> restored,
                    bool is_paced = false);
  std::vector<SessionStore::Progress> TakeProgress(Shard& shard);
  // Ends its life in the lists; what is waited for is as with Changed.
  Waiters BecomeDestroyed(Entry& entry, UnixMillis now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Closes its connection and forgets it on its shard; `last` is its last state.
  void EndSession(Shard& shard, Info last, std::function<void(const absl::Status&)> done);
  void OnSessionChanged(const Info& info);
  Waiters Changed(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetState(Entry& entry, State state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Count(State state, int by);
  void Housekeeping();
  bool IsStopped() const {
    MutexLock lock(mutex_);
    return stopped_;
  }

  const Options options_;
  const Environment env_;
  const wire::BaseUrls urls_;
  upstream::Pacer pacer_;
  Keeper keeper_;
  upstream::TokenFiles token_files_;
  upstream::TokenBroker token_broker_;
  std::atomic<int> max_sessions_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<net::Timer> housekeeping_;  // on the first shard

  // Held while the store and the list are changed together; taken before mutex_.
  Mutex change_mutex_;
  mutable Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> id_of_key_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, std::string> id_of_version_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, std::function<void()>> waiters_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_version_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_order_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_handle_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace talkjsd::session

#endif  // TALKJSD_SESSION_REGISTRY_IMPL_H_
