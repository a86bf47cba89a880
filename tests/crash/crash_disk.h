// A disk that forgets what was not synced. An SQLite VFS over the default one: the real files are what processes see
// (the page cache), the disk keeps beside them what would be there after the power went.
#ifndef GRADELINE_TESTS_CRASH_CRASH_DISK_H_
#define GRADELINE_TESTS_CRASH_CRASH_DISK_H_

#include <sqlite3.h>

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace gradeline {

/// The default VFS while it lives, one at a time; thread-safe. Databases, logs and journals in its folder are on it,
/// everything else goes past it (a log's index, "-shm", is not durable). Syncs reach the real files no more: only this
/// disk's account of them counts.
///
/// An operation is a change of a file (write, truncation), of the folder (creation, deletion) or a sync. What a folder
/// holds is durable after a sync of the folder, which SQLite makes with the first sync of a log or journal.
class CrashDisk {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  /// What the folder holds now is durable.
  explicit CrashDisk(const std::string& folder);
  /// Files on it must be closed.
  ~CrashDisk();
  CrashDisk(const CrashDisk&) = delete;

  /// The power goes in the middle of an operation, counted from 1: it may have happened in part, a sync has not. From
  /// then on nothing works.
  void CutAt(int64_t operation);
  /// The process is killed in an operation: before anything of it has reached the page cache or, if `half`, when half
  /// of a write has.
  void KillAt(int64_t operation, bool half);

  int64_t operations() const;
  bool cut() const;

  /// Puts into `folder` one of the states that may be there after the cut. Of the unsynced changes each is kept,
  /// dropped or, if it is a write, torn in blocks of 512 bytes or 4 KiB, independently. So a later change may be there
  /// without an earlier one: that is all that another order could show, as a block holds one of its versions in either
  /// case.
  void Survive(std::mt19937_64& random, const std::string& folder) const;

 private:
  struct Change {
    bool truncates = false;
    size_t at = 0;      ///< offset, or the new size
    std::string bytes;  ///< written
  };
  struct Inode {
    std::string durable;
    std::vector<Change> unsynced;
  };
  struct NameChange {
    std::string name;
    std::shared_ptr<Inode> inode;  ///< null: deleted
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;

  /// Lies behind the real VFS's own part of an open file.
  struct Handle {
    const sqlite3_io_methods* real;
    std::shared_ptr<Inode>* inode;
    bool syncs_folder;
  };
  static Handle& HandleOf(sqlite3_file* file);
  static const sqlite3_io_methods* Over(const sqlite3_io_methods* real);

  static int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out);
  static int Delete(sqlite3_vfs*, const char* name, int syncs_folder);
  static int Close(sqlite3_file* file);
  static int Read(sqlite3_file* file, void* bytes, int count, sqlite3_int64 at);
  static int Write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 at);
  static int Truncate(sqlite3_file* file, sqlite3_int64 size);
  static int Sync(sqlite3_file* file, int flags);

  bool Holds(const char* name) const;
  /// Counts an operation. False: the power is gone.
  bool Begin() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// The operation's last moment. False: the power went in it.
  bool End() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Kills the process if this is the operation, and this half of it.
  void Die(bool half) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SyncNames() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  static inline CrashDisk* disk_ = nullptr;
  const std::string folder_;
  sqlite3_vfs* real_ = nullptr;
  sqlite3_vfs vfs_{};
  mutable absl::Mutex mutex_;
  Names names_ ABSL_GUARDED_BY(mutex_), durable_names_ ABSL_GUARDED_BY(mutex_);
  std::vector<NameChange> unsynced_names_ ABSL_GUARDED_BY(mutex_);
  int64_t operations_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t cut_at_ ABSL_GUARDED_BY(mutex_) = kNever, kill_at_ ABSL_GUARDED_BY(mutex_) = kNever;
  bool half_ ABSL_GUARDED_BY(mutex_) = false, cut_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace gradeline

#endif  // GRADELINE_TESTS_CRASH_CRASH_DISK_H_
