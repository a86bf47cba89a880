// One SQLite connection and its prepared statements; the only code that calls the SQLite API. Values are bound, never
// pasted.
#ifndef GRADELINE_SERVER_STORE_SQLITE_CONNECTION_H_
#define GRADELINE_SERVER_STORE_SQLITE_CONNECTION_H_

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gradeline {

/// Bytes for a BLOB column; std::string and std::string_view are TEXT.
struct Blob {
  std::string_view bytes;
};

class Connection;

/// A use of a prepared statement: bind all, then Step until false. Reset when destroyed.
class Query {
 public:
  Query(const Query&) = delete;
  Query(Query&& other) noexcept
      : connection_(other.connection_), statement_(other.statement_), status_(std::move(other.status_)) {
    other.statement_ = nullptr;
  }
  ~Query();

  /// Binds the parameters ?1, ?2 ... in order.
  template <typename... T>
  Query& Bind(const T&... values) {
    int index = 0;
    (BindOne(++index, values), ...);
    return *this;
  }
  /// True: there is a row. An error of the store is remembered by the connection.
  absl::StatusOr<bool> Step();
  /// Runs a statement that gives no rows.
  absl::Status Run();
  /// As Run, but false where a unique key is taken.
  absl::StatusOr<bool> Insert();

  int64_t Number(int column) const { return sqlite3_column_int64(statement_, column); }
  std::string Bytes(int column) const { return std::string(View(column)); }
  /// Until the next Step.
  std::string_view View(int column) const;

 private:
  friend class Connection;
  Query(Connection* connection, sqlite3_stmt* statement, absl::Status status)
      : connection_(connection), statement_(statement), status_(std::move(status)) {}
  template <typename T>
  void BindOne(int index, const T& value) {
    if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      sqlite3_bind_int64(statement_, index, static_cast<int64_t>(value));
    } else if constexpr (std::is_same_v<T, Blob>) {
      sqlite3_bind_blob64(statement_, index, value.bytes.data() == nullptr ? "" : value.bytes.data(),
                          value.bytes.size(), SQLITE_TRANSIENT);
    } else {
      const std::string_view text(value);
      sqlite3_bind_text64(statement_, index, text.data() == nullptr ? "" : text.data(), text.size(), SQLITE_TRANSIENT,
                          SQLITE_UTF8);
    }
  }

  Connection* connection_;
  sqlite3_stmt* statement_;
  absl::Status status_;
};

/// Used by one thread at a time.
class Connection {
 public:
  /// Creates the file if `writer`; otherwise the connection can only query.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const std::string& path, bool writer);
  ~Connection();
  Connection(const Connection&) = delete;

  const std::string& path() const { return path_; }
  sqlite3* handle() { return handle_; }

  /// Statements without parameters or rows; several may be given.
  absl::Status Execute(const std::string& sql);
  absl::StatusOr<int64_t> QueryNumber(const char* sql);
  /// `sql` is a literal: the prepared statement is kept under its address.
  Query Prepare(const char* sql);
  /// Ends a transaction if there is one.
  void Rollback();

  /// What a result code of this connection means, with SQLite's words; reason DISK_FULL where there is no room. Codes
  /// of the store's own failures (full, I/O, locked, corrupt) stay in failure().
  absl::Status ToStatus(int code);
  const absl::Status& failure() const { return failure_; }
  void ForgetFailure() { failure_ = absl::OkStatus(); }

 private:
  Connection() = default;
  std::string path_;
  sqlite3* handle_ = nullptr;
  std::map<const char*, sqlite3_stmt*> statements_;
  absl::Status failure_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_SQLITE_CONNECTION_H_
