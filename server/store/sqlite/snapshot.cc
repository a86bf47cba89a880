#include "server/store/sqlite/snapshot.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/store/sqlite/connection.h"
#include "server/store/sqlite/sqlite_store.h"

namespace gradeline {
namespace {

constexpr int kPagesPerStep = 256;

int64_t SizeOf(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? info.st_size : 0;
}

class SqliteSnapshot : public Snapshot {
 public:
  SqliteSnapshot(std::string path, std::shared_ptr<void> hold) : path_(std::move(path)), hold_(std::move(hold)) {}
  ~SqliteSnapshot() override {
    if (fd_ >= 0) close(fd_);
    RemoveDatabase(path_);
  }
  SqliteSnapshot(const SqliteSnapshot&) = delete;

  /// Makes the file and fills it.
  absl::Status Copy(SqliteConnection& source, int64_t most_log_bytes, const std::function<bool()>& go_on);

  int64_t bytes() const override { return bytes_; }
  absl::StatusOr<std::string> Read(int64_t offset, size_t size) override;
  absl::StatusOr<std::shared_ptr<Store>> Open() override { return OpenSqliteStore({path_}); }

 private:
  const std::string path_;
  const std::shared_ptr<void> hold_;
  int fd_ = -1;
  int64_t bytes_ = 0;
};

// Copies until done. The copy's errors stand with its connection, those of the source too.
absl::Status CopyPages(SqliteConnection& source, SqliteConnection& copy, const std::string& log, int64_t most_log_bytes,
                       const std::function<bool()>& go_on) {
  sqlite3_backup* backup = sqlite3_backup_init(copy.handle(), "main", source.handle(), "main");
  if (backup == nullptr) return copy.ToStatus(sqlite3_errcode(copy.handle()));
  const int64_t log_bytes = SizeOf(log);
  int code = SQLITE_OK;
  absl::Status status;
  while (status.ok() && code == SQLITE_OK) {
    code = sqlite3_backup_step(backup, kPagesPerStep);
    if (!go_on()) {
      status = absl::CancelledError("the copy was cancelled");
    } else if (SizeOf(log) - log_bytes > most_log_bytes) {
      status = WithReason(
          absl::ResourceExhaustedError(absl::StrCat(
              "writes have brought more than ", most_log_bytes,
              " bytes while the database was copied, and the copy was given up; try again when less is written")),
          "TOO_MANY_WRITES", {{"bytes", absl::StrCat(most_log_bytes)}});
    }
  }
  sqlite3_backup_finish(backup);
  GRADELINE_RETURN_IF_ERROR(status);
  return code == SQLITE_DONE ? absl::OkStatus() : copy.ToStatus(code);
}

absl::Status SqliteSnapshot::Copy(SqliteConnection& source, int64_t most_log_bytes,
                                  const std::function<bool()>& go_on) {
  RemoveDatabase(path_);
  fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd_ < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path_, " cannot be made"));
  GRADELINE_ASSIGN_OR_RETURN(const auto copy, SqliteConnection::Open(path_, true));
  // Nobody needs it after a crash.
  GRADELINE_RETURN_IF_ERROR(copy->Execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF"));
  // Without it each step would see another state, and begin anew after every write.
  GRADELINE_RETURN_IF_ERROR(source.Execute("BEGIN; SELECT count(*) FROM sqlite_schema"));
  const absl::Status copied = CopyPages(source, *copy, source.path() + "-wal", most_log_bytes, go_on);
  source.Rollback();
  GRADELINE_RETURN_IF_ERROR(copied);
  // The source's pages say that there is a log; the copy is one file.
  GRADELINE_RETURN_IF_ERROR(copy->Execute("PRAGMA journal_mode = DELETE"));
  bytes_ = SizeOf(path_);
  return absl::OkStatus();
}

absl::StatusOr<std::string> SqliteSnapshot::Read(int64_t offset, size_t size) {
  std::string read_bytes(size, '\0');
  size_t got = 0;
  while (got < size) {
    const ssize_t n = pread(fd_, read_bytes.data() + got, size - got, offset + static_cast<int64_t>(got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::DataLossError(absl::StrCat(path_, " cannot be read: errno ", errno));
    if (n == 0) break;
    got += static_cast<size_t>(n);
  }
  read_bytes.resize(got);
  return read_bytes;
}

}  // namespace

std::string SnapshotPath(const std::string& database) { return database + ".snapshot"; }

void RemoveDatabase(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm", "-journal", ".lock"}) unlink((path + suffix).c_str());
}

absl::StatusOr<std::unique_ptr<Snapshot>> TakeSqliteSnapshot(const std::string& database, int64_t most_log_bytes,
                                                             const std::function<bool()>& go_on,
                                                             std::shared_ptr<void> hold) {
  GRADELINE_ASSIGN_OR_RETURN(const auto source, SqliteConnection::Open(database, false));
  auto snapshot = std::make_unique<SqliteSnapshot>(SnapshotPath(database), std::move(hold));
  GRADELINE_RETURN_IF_ERROR(snapshot->Copy(*source, most_log_bytes, go_on));
  return snapshot;
}

}  // namespace gradeline
