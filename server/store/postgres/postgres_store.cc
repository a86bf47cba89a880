#include "server/store/postgres/postgres_store.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "server/core/base/status.h"
#include "server/store/postgres/connection.h"
#include "server/store/postgres/membership.h"
#include "server/store/postgres/migrate.h"
#include "server/store/postgres/snapshot.h"
#include "server/store/postgres/transaction.h"
#include "server/store/sql/experiment_list.h"
#include "server/store/sql/reads.h"
#include "server/store/sql/sql_store.h"

namespace gradeline {
namespace {

// Connections are dear to PostgreSQL; reads are short.
constexpr int kMostReaders = 8;
// Between two attempts to connect, at least.
constexpr absl::Duration kReconnectPause = absl::Milliseconds(200);

// What is committed must survive a power cut of the database's server. remote_apply waits for a standby besides.
absl::Status CheckDurable(PostgresConnection& connection) {
  Query query = connection.Prepare(
      "SELECT name, setting FROM pg_settings WHERE (name = 'synchronous_commit' AND setting NOT IN ('on', "
      "'remote_apply')) OR (name IN ('fsync', 'full_page_writes') AND setting <> 'on')");
  std::vector<std::string> wrong;
  GRADELINE_RETURN_IF_ERROR(ForRows(query, [&] {
    wrong.push_back(absl::StrCat(query.Bytes(0), " is ", query.Bytes(1)));
    return absl::OkStatus();
  }));
  if (wrong.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(connection.name(), ": ", absl::StrJoin(wrong, ", "),
                                                    ", so that what is committed can be lost; needed is on"));
}

absl::Status CheckSchema(PostgresConnection& connection) {
  Query schema = connection.Prepare("SELECT coalesce(current_schema()::text, '')");
  GRADELINE_RETURN_IF_ERROR(schema.Step().status());
  if (!schema.View(0).empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(connection.name(), ": no schema of its search_path exists; make one, or name another"));
}

class PostgresStore : public SqlStore {
 public:
  explicit PostgresStore(const PostgresOptions& options) : SqlStore(kMostReaders), options_(options) {}
  ~PostgresStore() override {
    CloseReaders();
    absl::MutexLock lock(&writing_);
    writer_.reset();  // so that nobody waits for it when this one leaves
  }

  /// Connects for the first time.
  absl::Status Open() {
    absl::MutexLock lock(&writing_);
    return Connect();
  }
  absl::StatusOr<std::unique_ptr<Transaction>> Begin() override;
  absl::Status Maintain(bool idle) override;
  absl::Status Check() override;
  bool shared() const override { return true; }
  absl::Status Advertise(const std::string& address) override { return membership_->Advertise(address); }
  absl::StatusOr<bool> TakeNews() override;
  absl::StatusOr<std::vector<ExpectedRank>> ListExpectedRanks() override;
  absl::StatusOr<std::vector<std::string>> CheckIntegrity(const std::function<bool()>& go_on) override {
    GRADELINE_ASSIGN_OR_RETURN(const auto snapshot, TakeSnapshot(go_on));
    GRADELINE_ASSIGN_OR_RETURN(const auto moment, snapshot->Open());
    return moment->CheckIntegrity(go_on);
  }
  absl::StatusOr<std::unique_ptr<Snapshot>> TakeSnapshot(const std::function<bool()>&) override {
    GRADELINE_ASSIGN_OR_RETURN(auto hold, HoldSnapshot());
    return TakePostgresSnapshot(options_.conninfo, std::move(hold));
  }

 protected:
  absl::StatusOr<std::unique_ptr<Connection>> OpenReader() override;

 private:
  absl::Status Connect() ABSL_EXCLUSIVE_LOCKS_REQUIRED(writing_);
  /// A writer that is not known to be lost.
  absl::Status EnsureWriter() ABSL_EXCLUSIVE_LOCKS_REQUIRED(writing_);
  /// Runs a statement outside of a transaction, on another connection if the one before turns out to be lost.
  absl::Status RunOnWriter(const char* sql) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writing_);
  /// Writes what leaves nothing behind.
  absl::Status TryWrite();
  /// How the last write ended.
  void Keep(const absl::Status& status);
  absl::Status kept() {
    absl::MutexLock lock(&mutex_);
    return kept_;
  }

  const PostgresOptions options_;
  // Held by whoever uses the writer: for the whole of a transaction, and while a check connects anew.
  absl::Mutex writing_;
  std::unique_ptr<PostgresConnection> writer_ ABSL_GUARDED_BY(writing_);
  std::unique_ptr<Membership> membership_;  // from Open on
  absl::Time next_attempt_ ABSL_GUARDED_BY(writing_) = absl::InfinitePast();
  absl::Mutex mutex_;
  absl::Status kept_ ABSL_GUARDED_BY(mutex_);  // of the last write, until one succeeds; DATA_LOSS for good
};

void PostgresStore::Keep(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (!absl::IsDataLoss(kept_)) kept_ = status;
}

absl::Status PostgresStore::Connect() {
  writer_.reset();
  GRADELINE_ASSIGN_OR_RETURN(auto writer, PostgresConnection::Open(options_.conninfo));
  GRADELINE_RETURN_IF_ERROR(CheckDurable(*writer));
  if (membership_ == nullptr) {
    GRADELINE_RETURN_IF_ERROR(CheckSchema(*writer));
    GRADELINE_RETURN_IF_ERROR(Migrate(*writer, PostgresMigrations()));
    GRADELINE_RETURN_IF_ERROR(FillExperimentColumns(*writer));
    GRADELINE_ASSIGN_OR_RETURN(membership_, Membership::Join(options_));
  }
  GRADELINE_RETURN_IF_ERROR(membership_->Hold(*writer));
  writer_ = std::move(writer);
  return absl::OkStatus();
}

absl::Status PostgresStore::EnsureWriter() {
  if (const absl::Status last = kept(); absl::IsDataLoss(last)) return last;
  if (writer_ != nullptr && !writer_->lost()) {
    writer_->ForgetFailure();
    return absl::OkStatus();
  }
  const absl::Time begin = absl::Now();
  if (begin < next_attempt_) return absl::UnavailableError("the connection to PostgreSQL is lost");
  absl::Status connected = Connect();
  // As long as the attempt took: whoever asks is kept waiting half of the time at most.
  const absl::Time end = absl::Now();
  next_attempt_ = end + std::max(kReconnectPause, end - begin);
  if (absl::IsFailedPrecondition(connected)) {
    connected = absl::DataLossError(absl::StrCat("the store was lost with its connection: ", connected.message()));
  }
  if (absl::IsDataLoss(connected)) Keep(connected);
  return connected;
}

absl::Status PostgresStore::RunOnWriter(const char* sql) {
  GRADELINE_RETURN_IF_ERROR(EnsureWriter());
  absl::Status status = writer_->Prepare(sql).Run();
  if (!writer_->lost()) return status;
  // It may have been lost long ago, while nobody used it.
  GRADELINE_RETURN_IF_ERROR(EnsureWriter());
  return writer_->Prepare(sql).Run();
}

absl::StatusOr<std::unique_ptr<Transaction>> PostgresStore::Begin() {
  auto use = std::make_shared<absl::ReleasableMutexLock>(&writing_);
  // The row of an experiment is what orders; one snapshot for the whole transaction would only bring conflicts.
  if (absl::Status begun = RunOnWriter("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"); !begun.ok()) {
    Keep(begun);
    return begun;
  }
  return std::make_unique<PostgresTransaction>(writer_.get(), membership_->no(),
                                               [this, use = std::move(use)](const absl::Status& end) {
                                                 if (!absl::IsAborted(end)) Keep(end);
                                                 use->Release();
                                               });
}

absl::StatusOr<bool> PostgresStore::TakeNews() {
  absl::StatusOr<bool> news = membership_->TakeNews();
  if (!news.ok()) Keep(news.status());
  return news;
}

absl::StatusOr<std::vector<ExpectedRank>> PostgresStore::ListExpectedRanks() {
  std::set<int64_t> owned;
  GRADELINE_RETURN_IF_ERROR(Read([&](Connection& connection) -> absl::Status {
    owned.clear();
    Query query = connection.Prepare("SELECT no FROM experiments WHERE owner = ?1 AND state IN ('QUEUED', 'RUNNING')");
    query.Bind(membership_->no());
    return ForRows(query, [&] {
      owned.insert(query.Number(0));
      return absl::OkStatus();
    });
  }));
  GRADELINE_ASSIGN_OR_RETURN(std::vector<ExpectedRank> ranks, SqlStore::ListExpectedRanks());
  std::erase_if(ranks, [&owned](const ExpectedRank& rank) { return owned.count(rank.experiment_no) == 0; });
  return ranks;
}

absl::Status PostgresStore::Maintain(bool) {
  const absl::Status last = kept();
  return last.ok() || absl::IsDataLoss(last) ? last : TryWrite();
}

absl::Status PostgresStore::TryWrite() {
  absl::MutexLock lock(&writing_);
  absl::Status status = EnsureWriter();
  if (status.ok()) {
    // Takes as much room as a group of records, and gives it back.
    status = writer_->Execute(
        "BEGIN; INSERT INTO requests(caller, request_id, digest, response, at_ms) SELECT 'store', 'try', '', "
        "convert_to(string_agg(md5(random()::text), ''), 'UTF8'), 0 FROM generate_series(1, 2048); "
        "DELETE FROM requests WHERE caller = 'store'; COMMIT");
    writer_->Rollback();
  }
  Keep(status);
  return status;
}

absl::Status PostgresStore::Check() {
  GRADELINE_RETURN_IF_ERROR(kept());
  // A transaction that runs will say itself how it ends.
  if (writing_.TryLock()) {
    const absl::Status writer = RunOnWriter("SELECT 1");
    writing_.Unlock();
    GRADELINE_RETURN_IF_ERROR(writer);
  }
  return CheckReads();
}

absl::StatusOr<std::unique_ptr<Connection>> PostgresStore::OpenReader() {
  GRADELINE_ASSIGN_OR_RETURN(auto reader, PostgresConnection::Open(options_.conninfo));
  GRADELINE_RETURN_IF_ERROR(reader->Execute("SET default_transaction_read_only = on"));
  return reader;
}

}  // namespace

absl::StatusOr<std::shared_ptr<Store>> OpenPostgresStore(const PostgresOptions& options) {
  auto store = std::make_shared<PostgresStore>(options);
  GRADELINE_RETURN_IF_ERROR(store->Open());
  return store;
}

}  // namespace gradeline
