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
#include "server/core/experiment/codec.h"
#include "server/store/sqlite/connection.h"
#include "server/store/sqlite/lock_file.h"
#include "server/store/sqlite/migrate.h"
#include "server/store/sqlite/reads.h"
#include "server/store/sqlite/transaction.h"

namespace gradeline {
namespace {

// A checkpoint is worth while from 4 MiB of log when nothing waits, and due at 64 MiB.
constexpr int kIdleCheckpointPages = 1024;
constexpr int kDueCheckpointPages = 16384;

class SqliteStore : public Store {
 public:
  SqliteStore(std::string path, std::unique_ptr<LockFile> lock, std::unique_ptr<Connection> writer)
      : path_(std::move(path)), lock_(std::move(lock)), writer_(std::move(writer)) {
    sqlite3_wal_hook(writer_->handle(), &SqliteStore::OnWal, this);
  }
  ~SqliteStore() override {
    // The writer is the last to close: it is the one that may checkpoint.
    absl::MutexLock lock(&mutex_);
    readers_.clear();
  }

  absl::StatusOr<std::unique_ptr<Transaction>> Begin() override;
  absl::Status Maintain(bool idle) override;
  absl::Status Check() override;

  absl::StatusOr<Dataset> GetDataset(const std::string& id) override;
  absl::StatusOr<std::vector<Dataset>> ListDatasets(int limit, const std::string& after) override;
  absl::StatusOr<std::vector<int32_t>> ListLabels(const std::string& dataset) override;
  absl::StatusOr<Split> GetSplit(const std::string& id) override;
  absl::StatusOr<std::vector<Split>> ListSplits(int limit, const std::string& after) override;
  absl::StatusOr<std::vector<Item>> ListItems(const std::string& split, Phase part, int32_t rank, int32_t world_size,
                                              int limit, int64_t after) override;
  absl::StatusOr<std::pair<int64_t, Experiment>> GetExperiment(const std::string& id) override;
  absl::StatusOr<Experiment> GetExperiment(int64_t no) override;
  absl::StatusOr<std::vector<Experiment>> ListExperiments(int limit, const std::string& after) override;
  absl::StatusOr<AttemptRow> GetAttempt(int64_t no, int32_t attempt) override;
  absl::StatusOr<std::vector<RankRow>> ListRanks(int64_t no, int32_t attempt) override;
  absl::StatusOr<std::vector<HeldRank>> ListHeldRanks() override;
  absl::StatusOr<std::vector<Seal>> ListSeals(int64_t no, int limit, int64_t after_revision) override;
  absl::StatusOr<std::vector<StoredEvent>> ListEvents(int64_t no, int limit, int64_t after_revision) override;
  absl::StatusOr<std::vector<Incident>> ListIncidents(int64_t no) override;

 private:
  // A commit that wrote something.
  static int OnWal(void* self, sqlite3*, const char*, int pages) {
    auto* store = static_cast<SqliteStore*>(self);
    store->wal_pages_ = pages;
    absl::MutexLock lock(&store->mutex_);
    store->unwritable_ = absl::OkStatus();
    return SQLITE_OK;
  }
  // Runs `read` on a connection that no other thread uses.
  template <typename F>
  auto Read(F read) -> decltype(read(std::declval<Connection&>()));
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
  const std::unique_ptr<LockFile> lock_;
  const std::unique_ptr<Connection> writer_;
  int wal_pages_ = 0;  // ledger thread
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<Connection>> readers_ ABSL_GUARDED_BY(mutex_);
  absl::Status broken_ ABSL_GUARDED_BY(mutex_);      // for good
  absl::Status unwritable_ ABSL_GUARDED_BY(mutex_);  // since the last write failed, until one succeeds
};

template <typename F>
auto SqliteStore::Read(F read) -> decltype(read(std::declval<Connection&>())) {
  std::unique_ptr<Connection> connection;
  {
    absl::MutexLock lock(&mutex_);
    if (!readers_.empty()) {
      connection = std::move(readers_.back());
      readers_.pop_back();
    }
  }
  if (connection == nullptr) {
    GRADELINE_ASSIGN_OR_RETURN(connection, Connection::Open(path_, false));
  }
  auto result = read(*connection);
  connection->ForgetFailure();
  absl::MutexLock lock(&mutex_);
  readers_.push_back(std::move(connection));
  return result;
}

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
  if (!transaction.ok()) return transaction.status();
  return std::unique_ptr<Transaction>(*std::move(transaction));
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
  return Read([](Connection& connection) -> absl::Status { return connection.QueryNumber("SELECT 1").status(); });
}

absl::StatusOr<Dataset> SqliteStore::GetDataset(const std::string& id) {
  return Read([&](Connection& connection) -> absl::StatusOr<Dataset> {
    GRADELINE_ASSIGN_OR_RETURN(auto found, ReadDataset(connection, id));
    return std::move(found.second);
  });
}

absl::StatusOr<std::vector<Dataset>> SqliteStore::ListDatasets(int limit, const std::string& after) {
  return Read([&](Connection& connection) -> absl::StatusOr<std::vector<Dataset>> {
    Query query = connection.Prepare("SELECT spec FROM datasets WHERE name > ?1 ORDER BY name LIMIT ?2");
    query.Bind(after, limit);
    std::vector<Dataset> list;
    GRADELINE_RETURN_IF_ERROR(ForRows(query, [&]() -> absl::Status {
      GRADELINE_ASSIGN_OR_RETURN(Dataset dataset, Decode<Dataset>(query.View(0)));
      list.push_back(std::move(dataset));
      return absl::OkStatus();
    }));
    return list;
  });
}

absl::StatusOr<std::vector<int32_t>> SqliteStore::ListLabels(const std::string& dataset) {
  return Read([&](Connection& connection) -> absl::StatusOr<std::vector<int32_t>> {
    GRADELINE_ASSIGN_OR_RETURN(const auto found, ReadDataset(connection, dataset));
    Query query = connection.Prepare("SELECT label FROM items WHERE dataset = ?1 ORDER BY item");
    query.Bind(found.first);
    std::vector<int32_t> labels;
    GRADELINE_RETURN_IF_ERROR(ForRows(query, [&] {
      labels.push_back(static_cast<int32_t>(query.Number(0)));
      return absl::OkStatus();
    }));
    return labels;
  });
}

absl::StatusOr<Split> SqliteStore::GetSplit(const std::string& id) {
  return Read([&](Connection& connection) -> absl::StatusOr<Split> {
    GRADELINE_ASSIGN_OR_RETURN(auto found, ReadSplit(connection, id));
    return std::move(found.second);
  });
}

absl::StatusOr<std::vector<Split>> SqliteStore::ListSplits(int limit, const std::string& after) {
  return Read([&](Connection& connection) -> absl::StatusOr<std::vector<Split>> {
    Query query = connection.Prepare("SELECT spec FROM splits WHERE name > ?1 ORDER BY name LIMIT ?2");
    query.Bind(after, limit);
    std::vector<Split> list;
    GRADELINE_RETURN_IF_ERROR(ForRows(query, [&]() -> absl::Status {
      GRADELINE_ASSIGN_OR_RETURN(Split split, Decode<Split>(query.View(0)));
      list.push_back(std::move(split));
      return absl::OkStatus();
    }));
    return list;
  });
}

absl::StatusOr<std::vector<Item>> SqliteStore::ListItems(const std::string& split, Phase part, int32_t rank,
                                                         int32_t world_size, int limit, int64_t after) {
  return Read([&](Connection& connection) -> absl::StatusOr<std::vector<Item>> {
    GRADELINE_ASSIGN_OR_RETURN(const auto found, ReadSplit(connection, split));
    Query query = connection.Prepare(
        "SELECT items.item, uri, label FROM split_items JOIN splits ON splits.no = split_items.split JOIN items ON "
        "items.dataset = splits.dataset AND items.item = split_items.item WHERE split_items.split = ?1 AND part = ?2 "
        "AND position > coalesce((SELECT position FROM split_items WHERE split = ?1 AND item = ?6), -1) AND position % "
        "?4 = ?3 ORDER BY position LIMIT ?5");
    query.Bind(found.first, part, rank, world_size, limit, after);
    std::vector<Item> items;
    GRADELINE_RETURN_IF_ERROR(ForRows(query, [&] {
      items.push_back({query.Number(0), query.Bytes(1), static_cast<int32_t>(query.Number(2))});
      return absl::OkStatus();
    }));
    return items;
  });
}

absl::StatusOr<std::pair<int64_t, Experiment>> SqliteStore::GetExperiment(const std::string& id) {
  return Read([&](Connection& connection) { return ReadExperiment(connection, id); });
}

absl::StatusOr<Experiment> SqliteStore::GetExperiment(int64_t no) {
  return Read([&](Connection& connection) { return ReadExperiment(connection, no); });
}

absl::StatusOr<std::vector<Experiment>> SqliteStore::ListExperiments(int limit, const std::string& after) {
  return Read([&](Connection& connection) { return ReadExperiments(connection, limit, after); });
}

absl::StatusOr<AttemptRow> SqliteStore::GetAttempt(int64_t no, int32_t attempt) {
  return Read([&](Connection& connection) { return ReadAttempt(connection, no, attempt); });
}

absl::StatusOr<std::vector<RankRow>> SqliteStore::ListRanks(int64_t no, int32_t attempt) {
  return Read([&](Connection& connection) { return ReadRanks(connection, no, attempt); });
}

absl::StatusOr<std::vector<HeldRank>> SqliteStore::ListHeldRanks() {
  return Read([](Connection& connection) -> absl::StatusOr<std::vector<HeldRank>> {
    Query query = connection.Prepare(
        "SELECT experiment, attempt, rank, fence FROM attempts JOIN ranks USING(experiment, attempt) WHERE "
        "attempts.state = 'OPEN' AND ranks.state = 'HELD'");
    std::vector<HeldRank> list;
    GRADELINE_RETURN_IF_ERROR(ForRows(query, [&] {
      list.push_back({query.Number(0), static_cast<int32_t>(query.Number(1)), static_cast<int32_t>(query.Number(2)),
                      query.Number(3)});
      return absl::OkStatus();
    }));
    return list;
  });
}

absl::StatusOr<std::vector<Seal>> SqliteStore::ListSeals(int64_t no, int limit, int64_t after_revision) {
  return Read([&](Connection& connection) {
    Query query = connection.Prepare(
        "SELECT result FROM seals WHERE experiment = ?1 AND revision > ?2 ORDER BY revision LIMIT ?3");
    query.Bind(no, after_revision, limit);
    return ReadSeals(std::move(query));
  });
}

absl::StatusOr<std::vector<StoredEvent>> SqliteStore::ListEvents(int64_t no, int limit, int64_t after_revision) {
  return Read([&](Connection& connection) -> absl::StatusOr<std::vector<StoredEvent>> {
    Query query = connection.Prepare(
        "SELECT revision, kind, body FROM events WHERE experiment = ?1 AND revision > ?2 ORDER BY revision LIMIT ?3");
    query.Bind(no, after_revision, limit);
    std::vector<StoredEvent> list;
    GRADELINE_RETURN_IF_ERROR(ForRows(query, [&]() -> absl::Status {
      StoredEvent event;
      event.revision = query.Number(0);
      if (query.View(1) == "seal") {
        GRADELINE_ASSIGN_OR_RETURN(event.body, Decode<Seal>(query.View(2)));
      } else {
        GRADELINE_ASSIGN_OR_RETURN(event.body, Decode<Experiment>(query.View(2)));
      }
      list.push_back(std::move(event));
      return absl::OkStatus();
    }));
    return list;
  });
}

absl::StatusOr<std::vector<Incident>> SqliteStore::ListIncidents(int64_t no) {
  return Read([&](Connection& connection) -> absl::StatusOr<std::vector<Incident>> {
    Query query =
        connection.Prepare("SELECT attempt, rank, kind, body, at_ms FROM incidents WHERE experiment = ?1 ORDER BY no");
    query.Bind(no);
    std::vector<Incident> list;
    GRADELINE_RETURN_IF_ERROR(ForRows(query, [&] {
      list.push_back({static_cast<int32_t>(query.Number(0)), static_cast<int32_t>(query.Number(1)), query.Bytes(2),
                      query.Bytes(3), query.Number(4)});
      return absl::OkStatus();
    }));
    return list;
  });
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

absl::Status Configure(Connection& writer, const SqliteOptions& options) {
  // A foreign file is refused before anything in it changes.
  GRADELINE_RETURN_IF_ERROR(Migrate(writer, Migrations()));
  GRADELINE_RETURN_IF_ERROR(writer.Execute("PRAGMA journal_mode = WAL"));
  GRADELINE_RETURN_IF_ERROR(writer.Execute("PRAGMA synchronous = FULL"));
  GRADELINE_RETURN_IF_ERROR(writer.Execute("PRAGMA journal_size_limit = 67108864"));
  if (options.max_pages > 0) {
    GRADELINE_RETURN_IF_ERROR(writer.Execute(absl::StrCat("PRAGMA max_page_count = ", options.max_pages)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<Store>> OpenSqliteStore(const SqliteOptions& options) {
  GRADELINE_RETURN_IF_ERROR(PrepareFile(options.path));
  GRADELINE_ASSIGN_OR_RETURN(auto lock, LockFile::Lock(options.path + ".lock"));
  GRADELINE_ASSIGN_OR_RETURN(auto writer, Connection::Open(options.path, true));
  GRADELINE_RETURN_IF_ERROR(Configure(*writer, options));
  return std::make_shared<SqliteStore>(options.path, std::move(lock), std::move(writer));
}

}  // namespace gradeline
