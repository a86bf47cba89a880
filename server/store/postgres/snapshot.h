// What a PostgreSQL database holds at one moment, kept by a transaction that only reads: to be checked while the server
// writes on. Back-up and restore are PostgreSQL's own.
#ifndef GRADELINE_SERVER_STORE_POSTGRES_SNAPSHOT_H_
#define GRADELINE_SERVER_STORE_POSTGRES_SNAPSHOT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/core/experiment/store.h"

namespace gradeline {

/// Over connections of its own: one that keeps the moment, and one for whoever reads. It takes no lock that a write
/// waits for and no room; only rows that are deleted meanwhile are not vacuumed. `hold` is let go with it. Read is
/// UNIMPLEMENTED. When the first connection is lost, what is read next may be UNAVAILABLE, never of another moment.
absl::StatusOr<std::unique_ptr<Snapshot>> TakePostgresSnapshot(const std::string& conninfo, std::shared_ptr<void> hold);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_POSTGRES_SNAPSHOT_H_
