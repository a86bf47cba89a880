#include "server/store/sqlite/restore.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/experiment/check.h"
#include "server/store/sqlite/connection.h"
#include "server/store/sqlite/lock_file.h"
#include "server/store/sqlite/migrate.h"
#include "server/store/sqlite/snapshot.h"
#include "server/store/sqlite/sqlite_store.h"

namespace gradeline {
namespace {

constexpr size_t kMostFlawsNamed = 5;

absl::Status CopyBytes(const std::string& from, const std::string& to) {
  const int in = open(from.c_str(), O_RDONLY | O_CLOEXEC);
  if (in < 0) return absl::ErrnoToStatus(errno, absl::StrCat(from, " cannot be read"));
  const absl::Cleanup close_in = [in] { close(in); };
  const int out = open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (out < 0) return absl::ErrnoToStatus(errno, absl::StrCat(to, " cannot be made"));
  const absl::Cleanup close_out = [out] { close(out); };
  std::string block(size_t{1} << 20, '\0');
  while (true) {
    const ssize_t got = read(in, block.data(), block.size());
    if (got < 0) return absl::ErrnoToStatus(errno, absl::StrCat(from, " cannot be read"));
    if (got == 0) return absl::OkStatus();
    for (ssize_t done = 0; done < got;) {
      const ssize_t written = write(out, block.data() + done, static_cast<size_t>(got - done));
      if (written < 0) return absl::ErrnoToStatus(errno, absl::StrCat(to, " cannot be written"));
      done += written;
    }
  }
}

absl::Status Sync(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = fd >= 0 && fsync(fd) == 0;
  absl::Status status =
      synced ? absl::OkStatus() : absl::ErrnoToStatus(errno, absl::StrCat(path, " cannot be flushed"));
  if (fd >= 0) close(fd);
  return status;
}

// Opens the copy as a server would, which migrates it, and checks it.
absl::Status CheckCopy(const std::string& copy) {
  {
    // An empty file would become a new database.
    GRADELINE_ASSIGN_OR_RETURN(const auto connection, SqliteConnection::Open(copy, true));
    GRADELINE_ASSIGN_OR_RETURN(const int64_t application, connection->QueryNumber("PRAGMA application_id"));
    if (application != kApplicationId) return absl::InvalidArgumentError("it is no database of Gradeline");
  }
  GRADELINE_ASSIGN_OR_RETURN(const auto store, OpenSqliteStore({copy}));
  GRADELINE_ASSIGN_OR_RETURN(const CheckReport report, CheckStore(*store, [] { return true; }));
  if (report.flaw_count == 0) return absl::OkStatus();
  std::string message = absl::StrCat("it has ", report.flaw_count, " flaws");
  for (size_t i = 0; i < report.flaws.size() && i < kMostFlawsNamed; ++i) {
    const Flaw& flaw = report.flaws[i];
    absl::StrAppend(&message, "\n  ", flaw.experiment, flaw.experiment.empty() ? "" : ": ",
                    flaw.attempt > 0 ? absl::StrCat("attempt ", flaw.attempt, ": ") : "", flaw.what);
  }
  return absl::DataLossError(message);
}

// A log left beside a new file would be taken for its own. It is first moved into the old file, so that this one is
// whole if the rename never comes.
void RemoveLog(const std::string& path) {
  if (!std::filesystem::exists(path + "-wal")) return;
  if (auto old = SqliteConnection::Open(path, true); old.ok()) {
    (*old)->Execute("PRAGMA wal_checkpoint(TRUNCATE)").IgnoreError();  // a damaged one is replaced all the same
  }
  for (const char* suffix : {"-wal", "-shm"}) unlink((path + suffix).c_str());
}

}  // namespace

absl::Status RestoreSqliteStore(const std::string& from, const std::string& path, bool replace) {
  GRADELINE_ASSIGN_OR_RETURN(const auto lock, LockFile::Lock(path + ".lock"));
  if (std::filesystem::exists(path) && !replace) {
    return absl::AlreadyExistsError(absl::StrCat(path, " exists; --force replaces it"));
  }
  std::error_code error;
  if (const auto log = std::filesystem::file_size(from + "-wal", error); !error && log > 0) {
    return absl::InvalidArgumentError(absl::StrCat(from, " is no backup: it has a log beside it, ", from, "-wal"));
  }
  const std::string copy = path + ".restore";
  RemoveDatabase(copy);
  const absl::Cleanup remove = [&copy] { RemoveDatabase(copy); };
  GRADELINE_RETURN_IF_ERROR(CopyBytes(from, copy));
  if (const absl::Status checked = CheckCopy(copy); !checked.ok()) {
    return absl::Status(checked.code(), absl::StrCat(from, " cannot be restored: ", checked.message()));
  }
  GRADELINE_RETURN_IF_ERROR(Sync(copy));
  RemoveLog(path);
  if (rename(copy.c_str(), path.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(copy, " cannot be renamed to ", path));
  }
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  return Sync(folder.empty() ? "." : folder.string());
}

}  // namespace gradeline
