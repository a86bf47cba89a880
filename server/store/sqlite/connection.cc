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

}  // namespace

Query::~Query() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

absl::StatusOr<bool> Query::Step() {
  if (!status_.ok()) return status_;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return connection_->ToStatus(sqlite3_extended_errcode(connection_->handle()));
}

absl::Status Query::Run() { return Step().status(); }

absl::StatusOr<bool> Query::Insert() {
  const absl::StatusOr<bool> stepped = Step();
  if (stepped.ok()) return true;
  if (absl::IsAlreadyExists(stepped.status())) return false;
  return stepped.status();
}

std::string_view Query::View(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return size == 0 ? std::string_view() : std::string_view(static_cast<const char*>(bytes), size);
}

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const std::string& path, bool writer) {
  auto connection = std::unique_ptr<Connection>(new Connection());
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

Connection::~Connection() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
}

absl::Status Connection::Execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : ToStatus(code);
}

absl::StatusOr<int64_t> Connection::QueryNumber(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(handle_, sql, -1, &statement, nullptr);
  if (code == SQLITE_OK) code = sqlite3_step(statement);
  const int64_t number = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  absl::Status status = code == SQLITE_ROW ? absl::OkStatus() : ToStatus(code);
  sqlite3_finalize(statement);
  if (!status.ok()) return status;
  return number;
}

Query Connection::Prepare(const char* sql) {
  sqlite3_stmt*& statement = statements_[sql];
  if (statement == nullptr) {
    const int code = sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return Query(this, nullptr, ToStatus(code));
  }
  return Query(this, statement, absl::OkStatus());
}

void Connection::Rollback() {
  if (sqlite3_get_autocommit(handle_) == 0) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

absl::Status Connection::ToStatus(int code) {
  const char* said = handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle_);
  absl::Status status(CodeOf(code), absl::StrCat(path_, ": ", said, " (SQLite ", code, ")"));
  if (absl::IsResourceExhausted(status)) status = WithReason(std::move(status), "DISK_FULL");
  if (!absl::IsAlreadyExists(status) && failure_.ok()) failure_ = status;
  return status;
}

}  // namespace gradeline
