// The store in a PostgreSQL database: one connection that writes, few that read.
#ifndef GRADELINE_SERVER_STORE_POSTGRES_POSTGRES_STORE_H_
#define GRADELINE_SERVER_STORE_POSTGRES_POSTGRES_STORE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/core/experiment/store.h"

namespace gradeline {

/// Opens the tables in the first schema of the connection's search_path, makes them, or brings them up to date.
/// `conninfo`: a connection string of libpq. INVALID_ARGUMENT: it is none; UNAVAILABLE: nobody answers there;
/// FAILED_PRECONDITION: used by another gradelined, of another program, newer than this one (both versions named), or
/// set so that what is committed can be lost (what is set and what is needed). No error holds a password.
///
/// A lost connection is made anew. Until that is possible Begin and Check are UNAVAILABLE; if by then another
/// gradelined has taken the tables, they are DATA_LOSS for good.
absl::StatusOr<std::shared_ptr<Store>> OpenPostgresStore(const std::string& conninfo);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_POSTGRES_POSTGRES_STORE_H_
