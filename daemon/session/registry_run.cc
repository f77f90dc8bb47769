#include <atomic>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/session/encoder.h"
#include "daemon/session/registry_impl.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::session {
namespace {

namespace v1 = talkjs::sidecar::v1;

// How often what the sessions have followed is stored.
constexpr Duration kProgressInterval = std::chrono::seconds(10);

// At the daemon's end, sockets get this long for their closing handshake.
constexpr Duration kStopPatience = std::chrono::seconds(1);

}  // namespace

void Registry::Impl::Start() {
  for (const auto& shard : shards_) {
    shard->loop.Start();
    shard->loop.PostAndWait([this, &shard = *shard] {
      shard.progress = std::make_unique<net::Timer>(shard.loop, [this, &shard] {
        if (auto progress = TakeProgress(shard); !progress.empty()) {
          keeper_.Put(std::move(progress), [] {});
        }
        shard.progress->Set(env_.clock.Now() + kProgressInterval);
      });
      if (env_.store != nullptr) shard.progress->Set(env_.clock.Now() + kProgressInterval);
    });
  }
  net::EventLoop& loop = shards_.front()->loop;
  loop.PostAndWait([this, &loop] {
    housekeeping_ = std::make_unique<net::Timer>(loop, [this] { Housekeeping(); });
    housekeeping_->Set(env_.clock.Now() + kHousekeeping);
  });
}

// On the shard.
std::vector<SessionStore::Progress> Registry::Impl::TakeProgress(Shard& shard) {
  std::vector<SessionStore::Progress> all;
  for (const auto& [id, session] : shard.sessions) {
    if (auto progress = session->TakeProgress(); progress.has_value()) {
      all.push_back(*std::move(progress));
    }
  }
  return all;
}

void Registry::Impl::StartSession(Shard& shard, const std::string& id,
                                  std::shared_ptr<Restored> restored, bool is_paced) {
  shard.loop.Post([this, &shard, id, restored = std::move(restored), is_paced]() mutable {
    Session::Options options;
    options.first_connection_is_paced = is_paced;
    {
      MutexLock lock(mutex_);
      const auto it = entries_.find(id);
      if (stopped_ || it == entries_.end() || it->second.info.state == State::kDestroyed) return;
      const Entry& entry = it->second;
      options.first = entry.info;
      options.spec = entry.spec;
      const bool writes_push = entry.extras != nullptr && entry.extras->device.has_value() &&
                               entry.extras->enable_push.has_value();
      if (!entry.info.baseline_at.has_value() && writes_push) {
        options.push_at_login = std::make_shared<const upstream::Request>(upstream::SetPushDevice(
            *entry.info.user_id, *entry.extras->device, *entry.extras->enable_push));
      }
    }
    options.restored = std::move(restored);
    options.urls = urls_;
    options.message_subscriptions = options_.message_subscriptions_per_session;
    Session::Environment environment{shard.loop, env_.journal, unreads,      env_.http,
                                     env_.tls,   env_.clock,   env_.random,  env_.metrics,
                                     pacer_,     keeper_,      token_files_, token_broker_};
    auto session = std::make_unique<Session>(std::move(options), environment,
                                             [this](const Info& info) { OnSessionChanged(info); });
    Session* started = session.get();
    shard.sessions[id] = std::move(session);
    started->Start();
  });
}

// On the session's shard.
void Registry::Impl::OnSessionChanged(const Info& info) {
  Waiters waiters;
  bool new_state = false;
  bool new_reason = false;
  {
    MutexLock lock(mutex_);
    const auto it = entries_.find(info.session_id);
    if (it == entries_.end() || it->second.info.state == State::kDestroyed) return;
    Entry& entry = it->second;
    new_state = entry.info.state != info.state;
    new_reason = entry.info.reason != info.reason;
    SetState(entry, info.state);
    const uint64_t version = entry.info.version;
    entry.info = info;
    entry.info.version = version;
    waiters = Changed(entry);
  }
  if (new_state || new_reason) {
    LogInfo(new_state ? "session changed state" : "session has another reason",
            {{"session", info.session_id},
             {"state", StateName(info.state)},
             {"why", info.reason_message}});
  }
  if (new_state) {
    std::vector<journal::NewEvent> events;
    events.push_back(EncodeStateChange(info, env_.clock.WallMillis()));
    env_.journal.Append(std::move(events));
  }
  for (const auto& ready : waiters) ready();
}

void Registry::Impl::Call(const std::string& session_id, upstream::Request request,
                          Duration timeout, CallDone done) {
  Shard* shard = nullptr;
  absl::Status refused = absl::OkStatus();
  {
    MutexLock lock(mutex_);
    const auto alive = FindAlive(session_id);
    if (stopped_) {
      refused = DaemonStopping();
    } else if (!alive.ok()) {
      refused = alive.status();
    } else if ((*alive)->info.state == State::kAwaitingMe) {
      refused = MakeError(absl::StatusCode::kFailedPrecondition, v1::ERROR_REASON_ME_NOT_SET,
                          "the session has no user yet: use SetMe first");
    } else {
      shard = (*alive)->shard;
    }
  }
  if (shard == nullptr) {
    done(refused);
    return;
  }
  shard->loop.Post([this, shard, session_id, request = std::move(request), timeout,
                    done = std::move(done)]() mutable {
    const auto it = shard->sessions.find(session_id);
    if (it == shard->sessions.end()) {
      // Where the daemon stopped first, the session was not even begun.
      done(IsStopped() ? DaemonStopping() : SessionDestroyed());
      return;
    }
    it->second->CallUpstream(std::move(request), timeout, std::move(done));
  });
}

void Registry::Impl::Ping(std::function<void()> alive) {
  const auto left = std::make_shared<std::atomic<size_t>>(shards_.size());
  for (const auto& shard : shards_) {
    shard->loop.Post([left, alive] {
      if (--*left == 0) alive();
    });
  }
}

void Registry::Impl::Stop() {
  {
    MutexLock lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
    waiters_.clear();
  }
  struct Open {
    Mutex mutex;
    CondVar closed;
    size_t sockets ABSL_GUARDED_BY(mutex) = 0;
  };
  const auto open = std::make_shared<Open>();
  std::vector<SessionStore::Progress> last;
  for (const auto& shard : shards_) {
    shard->loop.PostAndWait([this, &shard = *shard, &last, open] {
      for (auto& progress : TakeProgress(shard)) last.push_back(std::move(progress));
      {
        MutexLock lock(open->mutex);
        open->sockets += shard.sessions.size();
      }
      for (const auto& [id, session] : shard.sessions) {
        session->Stop(DaemonStopping(), [open] {
          MutexLock lock(open->mutex);
          if (--open->sockets == 0) open->closed.NotifyAll();
        });
      }
    });
  }
  {
    const MonoTime deadline = SystemClock().Now() + kStopPatience;
    MutexLock lock(open->mutex);
    while (open->sockets > 0 && open->closed.WaitUntil(open->mutex, deadline)) {
    }
  }
  for (const auto& shard : shards_) {
    shard->loop.PostAndWait([this, &shard = *shard] {
      shard.sessions.clear();
      shard.progress.reset();
      if (&shard == shards_.front().get()) housekeeping_.reset();
    });
    shard->loop.Stop();
  }
  keeper_.Stop(std::move(last));
}

}  // namespace talkjsd::session
