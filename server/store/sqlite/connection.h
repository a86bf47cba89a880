// A connection to an SQLite file; the only code that calls the SQLite API.
#ifndef GRADELINE_SERVER_STORE_SQLITE_CONNECTION_H_
#define GRADELINE_SERVER_STORE_SQLITE_CONNECTION_H_

#include <sqlite3.h>

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/store/sql/connection.h"

namespace gradeline {

/// Used by one thread at a time.
class SqliteConnection : public Connection {
 public:
  /// Creates the file if `writer`; otherwise the connection can only query.
  static absl::StatusOr<std::unique_ptr<SqliteConnection>> Open(const std::string& path, bool writer);
  ~SqliteConnection() override;

  const std::string& path() const { return path_; }
  sqlite3* handle() { return handle_; }
  absl::Status Execute(const std::string& sql) override;
  void Rollback() override;

  /// What a result code of this connection means, with SQLite's words; reason DISK_FULL where there is no room. Codes
  /// of the store's own failures (full, I/O, locked, corrupt) stay in failure().
  absl::Status ToStatus(int code);

 protected:
  absl::StatusOr<Statement*> FindStatement(const char* sql) override;
  absl::StatusOr<std::unique_ptr<Statement>> MakeStatement(const std::string& sql) override { return Compile(sql, 0); }

 private:
  SqliteConnection() = default;
  /// `flags`: of sqlite3_prepare_v3.
  absl::StatusOr<std::unique_ptr<Statement>> Compile(const std::string& sql, unsigned flags);
  std::string path_;
  sqlite3* handle_ = nullptr;
  std::map<const char*, std::unique_ptr<Statement>> statements_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_SQLITE_CONNECTION_H_
