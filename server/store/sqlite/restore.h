// Makes a database file from a backup, while no server uses it.
#ifndef GRADELINE_SERVER_STORE_SQLITE_RESTORE_H_
#define GRADELINE_SERVER_STORE_SQLITE_RESTORE_H_

#include <string>

#include "absl/status/status.h"

namespace gradeline {

/// Copies `from` beside `path`, brings the copy's schema up to date, checks it (CheckStore) and renames it to `path`:
/// there is the old database or the new one, whole, whenever the process or the machine ends. NOT_FOUND: no `from`, or
/// no folder of `path`; FAILED_PRECONDITION: another process has `path`, or the backup is of a newer schema;
/// ALREADY_EXISTS: `path` is there, without `replace`; INVALID_ARGUMENT: no database of Gradeline, or one with a log
/// beside it, which is no backup; DATA_LOSS: damaged, with the flaws.
absl::Status RestoreSqliteStore(const std::string& from, const std::string& path, bool replace);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_SQLITE_RESTORE_H_
