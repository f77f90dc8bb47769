#include "daemon/session/keeper.h"

#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/log.h"

namespace talkjsd::session {
namespace {

constexpr Duration kWarningGap = std::chrono::minutes(1);

void SetCursor(journal::Cursor cursor, std::vector<SessionStore::Progress>* progress) {
  for (SessionStore::Progress& one : *progress) one.checkpoint.cursor = cursor;
}

}  // namespace

Keeper::Keeper(SessionStore* store, journal::Journal& journal, const Clock& clock)
    : store_(store), journal_(journal), clock_(clock) {
  if (store_ == nullptr) return;
  disk_ = std::make_unique<net::EventLoop>("sessions");
  disk_->Start();
}

Keeper::~Keeper() {
  if (disk_ != nullptr) disk_->Stop();
}

void Keeper::OnFailure(const absl::Status& why) {
  if (clock_.Now() < next_warning_) return;
  next_warning_ = clock_.Now() + kWarningGap;
  LogError("the list of sessions cannot be written; a restart now would read back more than needed",
           {{"error", MessageOf(why)}});
}

void Keeper::Put(std::vector<SessionStore::Progress> progress, std::function<void()> done) {
  if (store_ == nullptr) {
    done();
    return;
  }
  journal_.Append(
      {}, [this, journal = &journal_, loop = disk_->remote(), progress = std::move(progress),
           done = std::move(done)](const absl::Status& stored) mutable {
        if (!stored.ok()) return;  // the daemon is stopping
        SetCursor(journal->Latest(), &progress);
        loop->Post([this, progress = std::move(progress), done = std::move(done)] {
          if (const absl::Status put = store_->PutProgress(progress); !put.ok()) OnFailure(put);
          done();
        });
      });
}

void Keeper::DropUserAttributes(const std::string& session_id) {
  if (store_ == nullptr) return;
  disk_->Post([this, session_id] {
    const absl::Status dropped = store_->DropUserAttributes(session_id);
    if (!dropped.ok()) OnFailure(dropped);
  });
}

void Keeper::PutExtras(const std::string& session_id, const Extras& extras) {
  if (store_ == nullptr) return;
  disk_->Post([this, session_id, extras] {
    const absl::Status put = store_->PutExtras(session_id, extras);
    if (!put.ok()) OnFailure(put);
  });
}

void Keeper::Forget(const std::string& session_id) {
  if (store_ == nullptr) return;
  disk_->Post([this, session_id] {
    if (const absl::Status gone = store_->Forget(session_id); !gone.ok()) OnFailure(gone);
  });
}

void Keeper::Stop(std::vector<SessionStore::Progress> last) {
  if (store_ == nullptr) return;
  disk_->Stop();
  journal_.Append({}, [store = store_, journal = &journal_,
                       last = std::move(last)](const absl::Status& stored) mutable {
    if (!stored.ok()) return;
    SetCursor(journal->Latest(), &last);
    if (const absl::Status put = store->PutProgress(last); !put.ok()) {
      LogError("the list of sessions cannot be written", {{"error", MessageOf(put)}});
    }
  });
}

}  // namespace talkjsd::session
