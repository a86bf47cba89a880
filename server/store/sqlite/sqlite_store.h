// The store in one SQLite file: WAL, synchronous=FULL, one connection that writes and checkpoints, others that only
// query.
#ifndef GRADELINE_SERVER_STORE_SQLITE_SQLITE_STORE_H_
#define GRADELINE_SERVER_STORE_SQLITE_SQLITE_STORE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/core/experiment/store.h"

namespace gradeline {

struct SqliteOptions {
  std::string path;       ///< of the database file; its directory must exist
  int64_t max_pages = 0;  ///< most pages of 4 KiB the database may have; 0: as many as the disk holds
  /// Most bytes by which the log may grow while a snapshot is copied; then the snapshot is given up.
  int64_t most_snapshot_log_bytes = int64_t{1} << 30;
};

/// Opens or creates the database and brings its schema up to date. NOT_FOUND: no such directory; PERMISSION_DENIED,
/// UNAVAILABLE: the file cannot be written; FAILED_PRECONDITION: locked by another process, of another program, or
/// newer than this one (both versions named); DATA_LOSS: not a database, or broken. The file is readable by its owner
/// alone: it holds the tokens of attempts.
absl::StatusOr<std::shared_ptr<Store>> OpenSqliteStore(const SqliteOptions& options);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_SQLITE_SQLITE_STORE_H_
