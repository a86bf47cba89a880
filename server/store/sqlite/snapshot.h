// A copy of the whole database at one moment, in a file beside it.
#ifndef GRADELINE_SERVER_STORE_SQLITE_SNAPSHOT_H_
#define GRADELINE_SERVER_STORE_SQLITE_SNAPSHOT_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/core/experiment/store.h"

namespace gradeline {

/// Where the snapshot of a database lies; one that a crash left is removed when the database is opened.
std::string SnapshotPath(const std::string& database);

/// Removes a database file with what SQLite and the store keep beside it.
void RemoveDatabase(const std::string& path);

/// Copies `database` page by page, damage included, over a connection of its own. Its one read transaction lasts as
/// long as the copy, which is from disk to disk and waits for nobody. Writers go on meanwhile, but the log cannot begin
/// anew: when it has grown by `most_log_bytes`, the copy is given up (RESOURCE_EXHAUSTED). CANCELLED as soon as
/// `go_on`, asked for every MiB, is false. The file is readable by its owner alone; `hold` is let go once it is
/// removed.
absl::StatusOr<std::unique_ptr<Snapshot>> TakeSqliteSnapshot(const std::string& database, int64_t most_log_bytes,
                                                             const std::function<bool()>& go_on,
                                                             std::shared_ptr<void> hold);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_SQLITE_SNAPSHOT_H_
