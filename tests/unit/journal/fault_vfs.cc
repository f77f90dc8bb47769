#include "tests/unit/journal/fault_vfs.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fstream>
#include <iterator>

#include "daemon/base/random.h"

namespace talkjsd::journal {
namespace {

constexpr size_t kSector = 512;

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string UniqueName() {
  static std::atomic<int> count = 0;
  return "faults-" + std::to_string(++count);
}

}  // namespace

// SQLite allocates it with the system's file behind it.
struct FaultVfs::File {
  sqlite3_file base;
  FaultVfs* vfs;
  std::string* path;  // null: a temporary file, not followed
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

struct FaultVfs::Methods {
  static File* Of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
  static FaultVfs* Of(sqlite3_vfs* vfs) { return static_cast<FaultVfs*>(vfs->pAppData); }

  static int Close(sqlite3_file* file) {
    File* const own = Of(file);
    delete own->path;
    return own->real()->pMethods->xClose(own->real());
  }
  static int Read(sqlite3_file* file, void* data, int amount, sqlite3_int64 offset) {
    return Of(file)->real()->pMethods->xRead(Of(file)->real(), data, amount, offset);
  }
  static int Write(sqlite3_file* file, const void* data, int amount, sqlite3_int64 offset) {
    return Of(file)->vfs->Write(Of(file), data, amount, offset);
  }
  static int Truncate(sqlite3_file* file, sqlite3_int64 size) {
    return Of(file)->vfs->Truncate(Of(file), size);
  }
  static int Sync(sqlite3_file* file, int flags) { return Of(file)->vfs->Sync(Of(file), flags); }
  static int FileSize(sqlite3_file* file, sqlite3_int64* size) {
    return Of(file)->real()->pMethods->xFileSize(Of(file)->real(), size);
  }
  static int Lock(sqlite3_file* file, int level) {
    return Of(file)->real()->pMethods->xLock(Of(file)->real(), level);
  }
  static int Unlock(sqlite3_file* file, int level) {
    return Of(file)->real()->pMethods->xUnlock(Of(file)->real(), level);
  }
  static int CheckReservedLock(sqlite3_file* file, int* out) {
    return Of(file)->real()->pMethods->xCheckReservedLock(Of(file)->real(), out);
  }
  static int FileControl(sqlite3_file* file, int operation, void* argument) {
    return Of(file)->real()->pMethods->xFileControl(Of(file)->real(), operation, argument);
  }
  static int SectorSize(sqlite3_file* file) {
    return Of(file)->real()->pMethods->xSectorSize(Of(file)->real());
  }
  static int DeviceCharacteristics(sqlite3_file* file) {
    return Of(file)->real()->pMethods->xDeviceCharacteristics(Of(file)->real());
  }
  static int ShmMap(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
    return Of(file)->real()->pMethods->xShmMap(Of(file)->real(), page, size, extend, out);
  }
  static int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
    return Of(file)->real()->pMethods->xShmLock(Of(file)->real(), offset, count, flags);
  }
  static void ShmBarrier(sqlite3_file* file) {
    Of(file)->real()->pMethods->xShmBarrier(Of(file)->real());
  }
  static int ShmUnmap(sqlite3_file* file, int remove) {
    return Of(file)->real()->pMethods->xShmUnmap(Of(file)->real(), remove);
  }

  static constexpr sqlite3_io_methods kFile = {
      .iVersion = 2,
      .xClose = Close,
      .xRead = Read,
      .xWrite = Write,
      .xTruncate = Truncate,
      .xSync = Sync,
      .xFileSize = FileSize,
      .xLock = Lock,
      .xUnlock = Unlock,
      .xCheckReservedLock = CheckReservedLock,
      .xFileControl = FileControl,
      .xSectorSize = SectorSize,
      .xDeviceCharacteristics = DeviceCharacteristics,
      .xShmMap = ShmMap,
      .xShmLock = ShmLock,
      .xShmBarrier = ShmBarrier,
      .xShmUnmap = ShmUnmap,
      .xFetch = nullptr,
      .xUnfetch = nullptr,
  };

  static int VfsOpen(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out) {
    return Of(vfs)->Open(path, Of(file), flags, out);
  }
  static int VfsDelete(sqlite3_vfs* vfs, const char* path, int sync) {
    return Of(vfs)->Delete(path, sync);
  }
};

// All that is not replaced here is the system's.
FaultVfs::FaultVfs() : name_(UniqueName()), system_(sqlite3_vfs_find(nullptr)), vfs_(*system_) {
  vfs_.zName = name_.c_str();
  vfs_.pNext = nullptr;
  vfs_.szOsFile = static_cast<int>(sizeof(File)) + system_->szOsFile;
  vfs_.pAppData = this;
  vfs_.xOpen = Methods::VfsOpen;
  vfs_.xDelete = Methods::VfsDelete;
  vfs_.xAccess = [](sqlite3_vfs* vfs, const char* path, int flags, int* out) {
    sqlite3_vfs* const system = Methods::Of(vfs)->system_;
    return system->xAccess(system, path, flags, out);
  };
  vfs_.xFullPathname = [](sqlite3_vfs* vfs, const char* path, int size, char* out) {
    sqlite3_vfs* const system = Methods::Of(vfs)->system_;
    return system->xFullPathname(system, path, size, out);
  };
  vfs_.xGetLastError = [](sqlite3_vfs* vfs, int, char*) {
    std::lock_guard lock(Methods::Of(vfs)->mutex_);
    const int answer = Methods::Of(vfs)->write_answer_;
    return answer == SQLITE_FULL ? ENOSPC : answer == SQLITE_READONLY ? EROFS : 0;
  };
  sqlite3_vfs_register(&vfs_, 0);
}

FaultVfs::~FaultVfs() { sqlite3_vfs_unregister(&vfs_); }

void FaultVfs::FailWrites(int code) {
  std::lock_guard lock(mutex_);
  write_answer_ = code;
}

void FaultVfs::FailSyncs(int count) {
  std::lock_guard lock(mutex_);
  syncs_to_fail_ = count;
}

int FaultVfs::failed_syncs() const {
  std::lock_guard lock(mutex_);
  return failed_syncs_;
}

void FaultVfs::CutPower() {
  std::lock_guard lock(mutex_);
  power_ = false;
}

int FaultVfs::Open(const char* path, File* file, int flags, int* out_flags) {
  {
    std::lock_guard lock(mutex_);
    const bool refused = !power_ || write_answer_ != SQLITE_OK;
    if (refused && path != nullptr && ::access(path, F_OK) != 0) return SQLITE_CANTOPEN;
    if (path != nullptr && !files_.contains(path)) {
      Tracked& tracked = files_[path];
      tracked.durable = ReadWhole(path);
      tracked.was_synced = ::access(path, F_OK) == 0;
    }
  }
  file->vfs = this;
  file->path = path == nullptr ? nullptr : new std::string(path);
  file->base.pMethods = nullptr;
  const int code = system_->xOpen(system_, path, file->real(), flags, out_flags);
  if (code == SQLITE_OK) {
    file->base.pMethods = &Methods::kFile;
  } else {
    delete file->path;
  }
  return code;
}

int FaultVfs::Delete(const char* path, int sync_directory) {
  std::lock_guard lock(mutex_);
  if (!power_) return SQLITE_IOERR_DELETE;
  files_.erase(path);
  return system_->xDelete(system_, path, sync_directory);
}

int FaultVfs::Write(File* file, const void* data, int amount, sqlite3_int64 offset) {
  std::lock_guard lock(mutex_);
  if (!power_) return SQLITE_IOERR_WRITE;
  if (write_answer_ != SQLITE_OK) return write_answer_;
  const int code = file->real()->pMethods->xWrite(file->real(), data, amount, offset);
  if (code == SQLITE_OK && file->path != nullptr) {
    files_[*file->path].pending.push_back(
        {offset, std::string(static_cast<const char*>(data), static_cast<size_t>(amount)), false});
  }
  return code;
}

int FaultVfs::Truncate(File* file, sqlite3_int64 size) {
  std::lock_guard lock(mutex_);
  if (!power_) return SQLITE_IOERR_TRUNCATE;
  const int code = file->real()->pMethods->xTruncate(file->real(), size);
  if (code == SQLITE_OK && file->path != nullptr) {
    files_[*file->path].pending.push_back({size, std::string(), true});
  }
  return code;
}

int FaultVfs::Sync(File* file, int flags) {
  std::lock_guard lock(mutex_);
  if (!power_) return SQLITE_IOERR_FSYNC;
  if (syncs_to_fail_ > 0) {
    --syncs_to_fail_;
    ++failed_syncs_;
    // As Linux has it: what could not be written is forgotten, and the next sync says OK.
    if (file->path != nullptr) files_[*file->path].pending.clear();
    return SQLITE_IOERR_FSYNC;
  }
  if (file->path != nullptr) {
    Tracked& tracked = files_[*file->path];
    for (const Change& change : tracked.pending) {
      const auto end = static_cast<size_t>(change.offset) + change.data.size();
      if (change.truncates || tracked.durable.size() < end) tracked.durable.resize(end);
      tracked.durable.replace(static_cast<size_t>(change.offset), change.data.size(), change.data);
    }
    tracked.pending.clear();
    tracked.was_synced = true;
  }
  (void)flags;  // the real disk may take its time
  return SQLITE_OK;
}

void FaultVfs::LosePower(uint64_t seed) {
  std::lock_guard lock(mutex_);
  SeededRandom random(seed);
  const auto chance = [&random] { return random.Next() % 2 == 0; };
  for (auto& [path, tracked] : files_) {
    std::string content = tracked.durable;
    for (const Change& change : tracked.pending) {
      const auto offset = static_cast<size_t>(change.offset);
      if (change.truncates) {
        if (chance()) content.resize(std::min(content.size(), offset));
        continue;
      }
      for (size_t at = 0; at < change.data.size(); at += kSector) {
        if (!chance()) continue;
        const std::string sector = change.data.substr(at, kSector);
        if (content.size() < offset + at + sector.size()) {
          content.resize(offset + at + sector.size());
        }
        content.replace(offset + at, sector.size(), sector);
      }
    }
    if (tracked.was_synced || !content.empty()) {
      std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    } else {
      ::unlink(path.c_str());
    }
    // Nobody has it open: the next one makes it anew.
    ::unlink((path + "-shm").c_str());
  }
  files_.clear();
  power_ = true;
}

}  // namespace talkjsd::journal
