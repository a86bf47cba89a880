#include "server/store/sqlite/sqlite_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "server/core/base/status.h"
#include "server/store/sql/experiment_list.h"
#include "server/store/sql/sql_store.h"
#include "server/store/sqlite/connection.h"
#include "server/store/sqlite/integrity.h"
#include "server/store/sqlite/lock_file.h"
#include "server/store/sqlite/migrate.h"
#include "server/store/sqlite/snapshot.h"
#include "server/store/sqlite/transaction.h"

namespace gradeline {
namespace {

// A checkpoint is worth while from 4 MiB of log when nothing waits, and due at 64 MiB.
constexpr int kIdleCheckpointPages = 1024;
constexpr int kDueCheckpointPages = 16384;
// A reader costs a file handle; the threads that read are not many.
constexpr int kMostReaders = 64;

class SqliteStore : public SqlStore {
 public:
  SqliteStore(const SqliteOptions& options, std::unique_ptr<LockFile> lock, std::unique_ptr<SqliteConnection> writer)
      : SqlStore(kMostReaders),
        path_(options.path),
        most_log_bytes_(options.most_snapshot_log_bytes),
        lock_(std::move(lock)),
        writer_(std::move(writer)) {
    sqlite3_wal_hook(writer_->handle(), &SqliteStore::OnWal, this);
  }
  ~SqliteStore() override {
    // The writer is the last to close: it is the one that may checkpoint.
    CloseReaders();
  }

  absl::StatusOr<std::unique_ptr<Transaction>> Begin() override;
  absl::Status Maintain(bool idle) override;
  absl::Status Check() override;

  absl::StatusOr<std::vector<std::string>> CheckIntegrity(const std::function<bool()>& go_on) override;
  absl::StatusOr<std::unique_ptr<Snapshot>> TakeSnapshot(const std::function<bool()>& go_on) override;

 protected:
  absl::StatusOr<std::unique_ptr<Connection>> OpenReader() override { return SqliteConnection::Open(path_, false); }

 private:
  // A commit that wrote something.
  static int OnWal(void* self, sqlite3*, const char*, int pages) {
    auto* store = static_cast<SqliteStore*>(self);
    store->wal_pages_ = pages;
    absl::MutexLock lock(&store->mutex_);
    store->unwritable_ = absl::OkStatus();
    return SQLITE_OK;
  }
  void KeepFailure(const absl::Status& status);
  absl::Status broken() {
    absl::MutexLock lock(&mutex_);
    return broken_;
  }
  absl::Status unwritable() {
    absl::MutexLock lock(&mutex_);
    return unwritable_;
  }
  // Writes what leaves nothing behind.
  absl::Status TryWrite();

  const std::string path_;
  const int64_t most_log_bytes_;
  const std::unique_ptr<LockFile> lock_;
  const std::unique_ptr<SqliteConnection> writer_;
  int wal_pages_ = 0;  // ledger thread
  absl::Mutex mutex_;
  absl::Status broken_ ABSL_GUARDED_BY(mutex_);      // for good
  absl::Status unwritable_ ABSL_GUARDED_BY(mutex_);  // since the last write failed, until one succeeds
};

void SqliteStore::KeepFailure(const absl::Status& status) {
  if (status.ok()) return;
  absl::MutexLock lock(&mutex_);
  absl::Status& kept = absl::IsDataLoss(status) ? broken_ : unwritable_;
  if (kept.ok()) kept = status;
}

absl::StatusOr<std::unique_ptr<Transaction>> SqliteStore::Begin() {
  // After an I/O error nobody knows what the disk holds: nothing more is written, not even a retry.
  KeepFailure(writer_->failure());
  GRADELINE_RETURN_IF_ERROR(broken());
  auto transaction = SqliteTransaction::Begin(writer_.get());
  KeepFailure(transaction.status());
  return transaction;
}

absl::Status SqliteStore::Maintain(bool idle) {
  KeepFailure(writer_->failure());
  GRADELINE_RETURN_IF_ERROR(broken());
  const bool failing = !unwritable().ok();
  if (!failing && wal_pages_ < (idle ? kIdleCheckpointPages : kDueCheckpointPages)) return absl::OkStatus();
  // After a full disk this is what makes room in the log.
  int pages = 0, moved = 0;
  const int code = sqlite3_wal_checkpoint_v2(writer_->handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, &pages, &moved);
  if (code == SQLITE_OK) {
    writer_->ForgetFailure();
    // The next write begins the log anew, unless a reader still looks at it.
    if (pages == moved) wal_pages_ = 0;
    return failing ? TryWrite() : absl::OkStatus();
  }
  const absl::Status status = writer_->ToStatus(code);
  KeepFailure(status);
  return status;
}

absl::Status SqliteStore::TryWrite() {
  // Takes as much room as a group of records, and gives it back.
  const absl::Status written = writer_->Execute(
      "BEGIN IMMEDIATE; INSERT INTO requests(caller, request_id, digest, response, at_ms) "
      "VALUES('store', 'try', x'', zeroblob(65536), 0); DELETE FROM requests WHERE caller = 'store'; COMMIT");
  writer_->Rollback();
  KeepFailure(written);
  return written.ok() ? unwritable() : written;
}

absl::Status SqliteStore::Check() {
  GRADELINE_RETURN_IF_ERROR(broken());
  GRADELINE_RETURN_IF_ERROR(unwritable());
  return CheckReads();
}

absl::StatusOr<std::vector<std::string>> SqliteStore::CheckIntegrity(const std::function<bool()>& go_on) {
  GRADELINE_ASSIGN_OR_RETURN(const auto connection, SqliteConnection::Open(path_, false));
  return gradeline::CheckIntegrity(*connection, go_on);
}

absl::StatusOr<std::unique_ptr<Snapshot>> SqliteStore::TakeSnapshot(const std::function<bool()>& go_on) {
  GRADELINE_ASSIGN_OR_RETURN(auto hold, HoldSnapshot());
  return TakeSqliteSnapshot(path_, most_log_bytes_, go_on, std::move(hold));
}

// Makes the file with the right mode, so that nobody else can read it even for a moment, and says clearly why it
// cannot.
absl::Status PrepareFile(const std::string& path) {
  const std::filesystem::path directory = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!directory.empty() && !std::filesystem::is_directory(directory, error)) {
    return absl::NotFoundError(absl::StrCat("the directory ", directory.string(), " of store.path does not exist"));
  }
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("store.path ", path, " cannot be written"));
  close(fd);
  return absl::OkStatus();
}

absl::Status Configure(SqliteConnection& writer, const SqliteOptions& options) {
  // A foreign file is refused before anything in it changes.
  GRADELINE_RETURN_IF_ERROR(Migrate(writer, SqliteMigrations()));
  GRADELINE_RETURN_IF_ERROR(writer.Execute("PRAGMA journal_mode = WAL"));
  GRADELINE_RETURN_IF_ERROR(writer.Execute("PRAGMA synchronous = FULL"));
  GRADELINE_RETURN_IF_ERROR(writer.Execute("PRAGMA journal_size_limit = 67108864"));
  if (options.max_pages > 0) {
    GRADELINE_RETURN_IF_ERROR(writer.Execute(absl::StrCat("PRAGMA max_page_count = ", options.max_pages)));
  }
  return FillExperimentColumns(writer);
}

}  // namespace

absl::StatusOr<std::shared_ptr<Store>> OpenSqliteStore(const SqliteOptions& options) {
  GRADELINE_RETURN_IF_ERROR(PrepareFile(options.path));
  GRADELINE_ASSIGN_OR_RETURN(auto lock, LockFile::Lock(options.path + ".lock"));
  RemoveDatabase(SnapshotPath(options.path));
  GRADELINE_ASSIGN_OR_RETURN(auto writer, SqliteConnection::Open(options.path, true));
  GRADELINE_RETURN_IF_ERROR(Configure(*writer, options));
  return std::make_shared<SqliteStore>(options, std::move(lock), std::move(writer));
}

}  // namespace gradeline
