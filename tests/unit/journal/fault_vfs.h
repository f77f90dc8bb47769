// A disk that fails as it is told to: an SQLite VFS over the system's.
#ifndef TALKJSD_TESTS_UNIT_JOURNAL_FAULT_VFS_H_
#define TALKJSD_TESTS_UNIT_JOURNAL_FAULT_VFS_H_

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace talkjsd::journal {

// Thread-safe. Lives longer than every connection through it.
//
// It knows of each file what was synced and what was only written. After CutPower nothing reaches
// the files any more; once all connections are closed, LosePower makes of the files what a disk may
// have kept: all that was synced, and of the rest any sectors, each with a chance of one half.
class FaultVfs {
 public:
  FaultVfs();
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  const std::string& name() const { return name_; }

  // What writing answers: SQLITE_OK, SQLITE_FULL, SQLITE_READONLY, SQLITE_IOERR_WRITE.
  void FailWrites(int code);
  // So many of the next syncs fail; what they should have made durable counts as not synced.
  void FailSyncs(int count);
  int failed_syncs() const;
  void CutPower();
  void LosePower(uint64_t seed);

 private:
  struct Change {
    sqlite3_int64 offset = 0;
    std::string data;
    bool truncates = false;  // to `offset`
  };
  struct Tracked {
    std::string durable;
    bool was_synced = false;
    std::vector<Change> pending;
  };
  struct File;
  struct Methods;

  int Open(const char* path, File* file, int flags, int* out_flags);
  int Delete(const char* path, int sync_directory);
  int Write(File* file, const void* data, int amount, sqlite3_int64 offset);
  int Truncate(File* file, sqlite3_int64 size);
  int Sync(File* file, int flags);

  const std::string name_;
  sqlite3_vfs* const system_;
  sqlite3_vfs vfs_;

  mutable std::mutex mutex_;
  std::map<std::string, Tracked> files_;
  int write_answer_ = SQLITE_OK;
  int syncs_to_fail_ = 0;
  int failed_syncs_ = 0;
  bool power_ = true;
};

}  // namespace talkjsd::journal

#endif  // TALKJSD_TESTS_UNIT_JOURNAL_FAULT_VFS_H_
