#include "server/store/sqlite/lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace gradeline {

absl::StatusOr<std::unique_ptr<LockFile>> LockFile::Lock(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, " cannot be opened"));
  std::unique_ptr<LockFile> lock(new LockFile(fd));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return absl::ErrnoToStatus(errno, absl::StrCat(path, " cannot be locked"));
    char holder[32] = {};
    const ssize_t read_bytes = pread(fd, holder, sizeof(holder) - 1, 0);
    const absl::string_view text(holder, read_bytes > 0 ? static_cast<size_t>(read_bytes) : 0);
    return absl::FailedPreconditionError(absl::StrCat(path, " is locked: another gradelined (process ",
                                                      absl::StripAsciiWhitespace(text), ") uses this database"));
  }
  const std::string pid = absl::StrCat(getpid(), "\n");
  // The number is for people; the lock holds without it.
  if (ftruncate(fd, 0) == 0 && pwrite(fd, pid.data(), pid.size(), 0) < 0) errno = 0;
  return lock;
}

LockFile::~LockFile() { close(fd_); }

}  // namespace gradeline
