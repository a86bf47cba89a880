// The store in a PostgreSQL database: one connection that writes, few that read.
#ifndef GRADELINE_SERVER_STORE_POSTGRES_POSTGRES_STORE_H_
#define GRADELINE_SERVER_STORE_POSTGRES_POSTGRES_STORE_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/core/experiment/store.h"

namespace gradeline {

struct PostgresOptions {
  std::string conninfo;  ///< a connection string of libpq
  /// How long another replica must not have been heard of before its experiments become this one's; see membership.h.
  std::chrono::milliseconds takeover{10'000};
  std::function<void(const std::string&)> tell = [](const std::string&) {};  ///< for the log; any thread
};

/// Opens the tables in the first schema of the connection's search_path, makes them, or brings them up to date. Several
/// may be open at once, in as many processes. INVALID_ARGUMENT: conninfo is none; UNAVAILABLE: nobody answers there;
/// FAILED_PRECONDITION: of another program, newer than this one (both versions named), or set so that what is committed
/// can be lost (what is set and what is needed). No error holds a password.
///
/// A lost connection is made anew. Until that is possible Begin and Check are UNAVAILABLE; if by then another
/// gradelined has taken over, they are DATA_LOSS for good.
absl::StatusOr<std::shared_ptr<Store>> OpenPostgresStore(const PostgresOptions& options);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_POSTGRES_POSTGRES_STORE_H_
