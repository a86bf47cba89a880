#include "server/store/sql/connection.h"

#include "server/core/base/status.h"

namespace gradeline {

absl::StatusOr<int64_t> Connection::QueryNumber(const char* sql) {
  Query query = Prepare(sql);
  GRADELINE_ASSIGN_OR_RETURN(const bool found, query.Step());
  return found ? query.Number(0) : 0;
}

}  // namespace gradeline
