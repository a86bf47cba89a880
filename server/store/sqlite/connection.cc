#include "server/store/sqlite/connection.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

constexpr int kBusyTimeoutMs = 5000;

absl::StatusCode CodeOf(int code) {
  // The log's index could not grow: nothing was lost, the disk is full.
  if (code == SQLITE_IOERR_SHMSIZE) return absl::StatusCode::kResourceExhausted;
  switch (code & 0xff) {
    case SQLITE_FULL:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::StatusCode::kUnavailable;
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::StatusCode::kDataLoss;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return absl::StatusCode::kUnavailable;
    case SQLITE_CONSTRAINT:
      return absl::StatusCode::kAlreadyExists;
    default:
      return absl::StatusCode::kInternal;
  }
}

class SqliteStatement : public Statement {
 public:
  SqliteStatement(SqliteConnection* connection, sqlite3_stmt* statement)
      : connection_(connection), statement_(statement) {}
  ~SqliteStatement() override { sqlite3_finalize(statement_); }

  void BindNumber(int index, int64_t value) override { sqlite3_bind_int64(statement_, index, value); }
  void BindText(int index, std::string_view text) override {
    sqlite3_bind_text64(statement_, index, text.data() == nullptr ? "" : text.data(), text.size(), SQLITE_TRANSIENT,
                        SQLITE_UTF8);
  }
  void BindBytes(int index, std::string_view bytes) override {
    sqlite3_bind_blob64(statement_, index, bytes.data() == nullptr ? "" : bytes.data(), bytes.size(), SQLITE_TRANSIENT);
  }
  absl::StatusOr<bool> Step() override {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return connection_->ToStatus(sqlite3_extended_errcode(connection_->handle()));
  }
  void Send() override { connection_->KeepFailure(Step().status()); }
  int64_t changes() const override { return sqlite3_changes64(connection_->handle()); }
  int64_t Number(int column) const override { return sqlite3_column_int64(statement_, column); }
  std::string_view View(int column) const override {
    const void* bytes = sqlite3_column_blob(statement_, column);
    const int size = sqlite3_column_bytes(statement_, column);
    return size == 0 ? std::string_view() : std::string_view(static_cast<const char*>(bytes), size);
  }
  void Reset() override {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }

 private:
  SqliteConnection* const connection_;
  sqlite3_stmt* const statement_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteConnection>> SqliteConnection::Open(const std::string& path, bool writer) {
  auto connection = std::unique_ptr<SqliteConnection>(new SqliteConnection());
  connection->path_ = path;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (writer ? SQLITE_OPEN_CREATE : 0);
  const int code = sqlite3_open_v2(path.c_str(), &connection->handle_, flags, nullptr);
  if (code != SQLITE_OK) return connection->ToStatus(code);
  sqlite3_extended_result_codes(connection->handle_, 1);
  sqlite3_busy_timeout(connection->handle_, kBusyTimeoutMs);
  // Only the writer checkpoints, and only when it is told to.
  GRADELINE_RETURN_IF_ERROR(connection->Execute("PRAGMA wal_autocheckpoint = 0"));
  if (!writer) {
    sqlite3_db_config(connection->handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    GRADELINE_RETURN_IF_ERROR(connection->Execute("PRAGMA query_only = 1"));
  }
  return connection;
}

SqliteConnection::~SqliteConnection() {
  statements_.clear();
  sqlite3_close(handle_);
}

absl::Status SqliteConnection::Execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : ToStatus(code);
}

absl::StatusOr<std::unique_ptr<Statement>> SqliteConnection::Compile(const std::string& sql, unsigned flags) {
  sqlite3_stmt* prepared = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.c_str(), -1, flags, &prepared, nullptr);
  if (code != SQLITE_OK) return ToStatus(code);
  return std::make_unique<SqliteStatement>(this, prepared);
}

absl::StatusOr<Statement*> SqliteConnection::FindStatement(const char* sql) {
  std::unique_ptr<Statement>& statement = statements_[sql];
  if (statement == nullptr) {
    GRADELINE_ASSIGN_OR_RETURN(statement, Compile(sql, SQLITE_PREPARE_PERSISTENT));
  }
  return statement.get();
}

void SqliteConnection::Rollback() {
  if (sqlite3_get_autocommit(handle_) == 0) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

absl::Status SqliteConnection::ToStatus(int code) {
  const char* said = handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle_);
  absl::Status status(CodeOf(code), absl::StrCat(path_, ": ", said, " (SQLite ", code, ")"));
  if (absl::IsResourceExhausted(status)) status = WithReason(std::move(status), "DISK_FULL");
  if (!absl::IsAlreadyExists(status)) KeepFailure(status);
  return status;
}

}  // namespace gradeline
