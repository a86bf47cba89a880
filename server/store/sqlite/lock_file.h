// One process per database: an advisory lock on a file beside it, let go by the kernel when the process ends in
// whatever way.
#ifndef GRADELINE_SERVER_STORE_SQLITE_LOCK_FILE_H_
#define GRADELINE_SERVER_STORE_SQLITE_LOCK_FILE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace gradeline {

class LockFile {
 public:
  /// Locks `path`, creating it. FAILED_PRECONDITION naming the process that has it; NOT_FOUND, PERMISSION_DENIED or
  /// UNAVAILABLE when the file cannot be made.
  static absl::StatusOr<std::unique_ptr<LockFile>> Lock(const std::string& path);
  ~LockFile();
  LockFile(const LockFile&) = delete;

 private:
  explicit LockFile(int fd) : fd_(fd) {}
  const int fd_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_SQLITE_LOCK_FILE_H_
