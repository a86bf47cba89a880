// For tests: a disk that is full when the test says so. Files of SQLite that are opened while a FullDisk lives are on
// it.
#ifndef GRADELINE_SERVER_STORE_SQLITE_TEST_FULL_DISK_H_
#define GRADELINE_SERVER_STORE_SQLITE_TEST_FULL_DISK_H_

#include <sqlite3.h>

#include <atomic>

namespace gradeline {

/// One at a time.
class FullDisk {
 public:
  FullDisk() {
    disk_ = this;
    real_ = sqlite3_vfs_find(nullptr);
    vfs_ = *real_;
    vfs_.zName = "full-disk";
    vfs_.xOpen = &Open;
    sqlite3_vfs_register(&vfs_, 1);
  }
  /// Files on it must be closed.
  ~FullDisk() {
    sqlite3_vfs_unregister(&vfs_);
    disk_ = nullptr;
  }
  FullDisk(const FullDisk&) = delete;

  /// From now on writes fail.
  std::atomic<bool> full{false};
  /// From now on the index of the log cannot grow.
  std::atomic<bool> index_full{false};

 private:
  // The database itself is locked, other files are not: SQLite has methods of their own for each.
  template <bool database>
  struct Methods {
    static inline const sqlite3_io_methods* real = nullptr;
    static const sqlite3_io_methods* Over(const sqlite3_io_methods* methods) {
      static const sqlite3_io_methods* const kReal = real = methods;
      static const sqlite3_io_methods kOver = [] {
        sqlite3_io_methods over = *kReal;
        over.xWrite = &Write;
        over.xShmMap = &ShmMap;
        return over;
      }();
      return &kOver;
    }
    static int Write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 at) {
      return disk_->full ? SQLITE_FULL : real->xWrite(file, bytes, count, at);
    }
    static int ShmMap(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
      return disk_->index_full ? SQLITE_IOERR_SHMSIZE : real->xShmMap(file, page, size, extend, out);
    }
  };
  static int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
    const int code = disk_->real_->xOpen(disk_->real_, name, file, flags, out);
    if (code != SQLITE_OK) return code;
    file->pMethods =
        (flags & SQLITE_OPEN_MAIN_DB) != 0 ? Methods<true>::Over(file->pMethods) : Methods<false>::Over(file->pMethods);
    return code;
  }

  static inline FullDisk* disk_ = nullptr;
  sqlite3_vfs* real_ = nullptr;
  sqlite3_vfs vfs_{};
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_SQLITE_TEST_FULL_DISK_H_
