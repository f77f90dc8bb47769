#include "daemon/upstream/token_files.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/base/error.h"
#include "daemon/base/mutex.h"
#include "daemon/upstream/token_check.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::upstream {
namespace {

namespace v1 = talkjs::sidecar::v1;

// What tells one state of a path from another.
struct Fingerprint {
  int error = 0;  // errno of stat
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  int64_t modified = 0;  // ns
  int64_t changed = 0;   // ns
  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

int64_t Nanos(const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

Fingerprint Look(const std::string& path) {
  Fingerprint print;
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) {
    print.error = errno;
    return print;
  }
  print.device = found.st_dev;
  print.inode = found.st_ino;
  print.size = found.st_size;
  print.modified = Nanos(found.st_mtim);
  print.changed = Nanos(found.st_ctim);
  return print;
}

absl::Status Trouble(v1::ErrorReason reason, const std::string& message) {
  return MakeError(absl::StatusCode::kFailedPrecondition, reason, message);
}

absl::Status Unreadable(const std::string& path, const std::string& why) {
  return Trouble(v1::ERROR_REASON_TOKEN_FILE_UNREADABLE,
                 "cannot read the token file " + path + ": " + why +
                     "; the daemon's user must be able to read it");
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

}  // namespace

absl::StatusOr<Secret> ReadTokenFile(const std::string& path) {
  // A pipe without a writer would hang.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) return Unreadable(path, std::strerror(errno));
  struct stat found {};
  if (::fstat(file.get(), &found) != 0) return Unreadable(path, std::strerror(errno));
  if (!S_ISREG(found.st_mode)) return Unreadable(path, "it is not a regular file");
  // White space around a token of the full length, and one more to see that there is more.
  std::array<char, kMaxTokenBytes + 1025> buffer;
  size_t size = 0;
  while (size < buffer.size()) {
    const ssize_t got = ::read(file.get(), buffer.data() + size, buffer.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unreadable(path, std::strerror(errno));
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  Secret token(std::string(TrimSpace(std::string_view(buffer.data(), size))));
  OPENSSL_cleanse(buffer.data(), size);
  if (size == buffer.size() || token.Expose().size() > kMaxTokenBytes) {
    return Trouble(v1::ERROR_REASON_TOKEN_FETCH_TOO_LARGE,
                   "the token file " + path + " holds more than 16 KiB, which is no token");
  }
  if (token.empty()) {
    return Trouble(v1::ERROR_REASON_TOKEN_FETCH_EMPTY,
                   "the token file " + path + " is empty: write a token into it");
  }
  return token;
}

class TokenFiles::Impl {
 public:
  explicit Impl(Duration interval) : interval_(interval) {}

  ~Impl() {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      wake_.NotifyAll();
    }
    if (thread_.joinable()) thread_.join();
  }

  uint64_t Watch(const std::string& path, Content content) {
    MutexLock lock(mutex_);
    Begin();
    const uint64_t handle = ++last_handle_;
    watched_[path].watchers[handle] = std::make_shared<Content>(std::move(content));
    path_of_[handle] = path;
    return handle;
  }

  void Unwatch(uint64_t handle) {
    MutexLock lock(mutex_);
    const auto path = path_of_.find(handle);
    if (path == path_of_.end()) return;
    const auto watched = watched_.find(path->second);
    watched->second.watchers.erase(handle);
    if (watched->second.watchers.empty()) watched_.erase(watched);
    path_of_.erase(path);
  }

  void Read(const std::string& path, Content content) {
    MutexLock lock(mutex_);
    Begin();
    reads_.push_back({path, std::move(content)});
    wake_.NotifyAll();
  }

 private:
  struct Watched {
    std::optional<Fingerprint> seen;  // nullopt: not looked at yet
    std::map<uint64_t, std::shared_ptr<Content>> watchers;
  };
  struct Pending {
    std::string path;
    Content content;
  };

  void Begin() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
  }

  void Run() {
    pthread_setname_np(pthread_self(), "token-files");
    MonoTime next_look = SystemClock().Now();
    while (true) {
      std::deque<Pending> reads;
      {
        MutexLock lock(mutex_);
        while (!stopping_ && reads_.empty() && SystemClock().Now() < next_look) {
          wake_.WaitUntil(mutex_, next_look);
        }
        if (stopping_) return;
        reads.swap(reads_);
      }
      for (const Pending& read : reads) read.content(ReadTokenFile(read.path));
      if (SystemClock().Now() < next_look) continue;
      LookAtAll();
      next_look = SystemClock().Now() + interval_;
    }
  }

  void LookAtAll() {
    std::vector<std::string> paths;
    {
      MutexLock lock(mutex_);
      for (const auto& [path, watched] : watched_) paths.push_back(path);
    }
    for (const std::string& path : paths) {
      const Fingerprint now = Look(path);
      std::vector<std::shared_ptr<Content>> told;
      {
        MutexLock lock(mutex_);
        const auto found = watched_.find(path);
        if (found == watched_.end()) continue;
        if (std::exchange(found->second.seen, now) == now) continue;
        for (const auto& [handle, watcher] : found->second.watchers) told.push_back(watcher);
      }
      const absl::StatusOr<Secret> content = ReadTokenFile(path);
      for (const auto& watcher : told) (*watcher)(content);
    }
  }

  const Duration interval_;
  std::thread thread_;
  Mutex mutex_;
  CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t last_handle_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Watched> watched_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, std::string> path_of_ ABSL_GUARDED_BY(mutex_);
  std::deque<Pending> reads_ ABSL_GUARDED_BY(mutex_);
};

TokenFiles::TokenFiles(Duration interval) : impl_(std::make_unique<Impl>(interval)) {}
TokenFiles::~TokenFiles() = default;

uint64_t TokenFiles::Watch(const std::string& path, Content content) {
  return impl_->Watch(path, std::move(content));
}
void TokenFiles::Unwatch(uint64_t handle) { impl_->Unwatch(handle); }
void TokenFiles::Read(const std::string& path, Content content) {
  impl_->Read(path, std::move(content));
}

}  // namespace talkjsd::upstream
