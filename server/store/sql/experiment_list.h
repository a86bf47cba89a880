// Lists of experiments, over the columns that are made for them.
#ifndef GRADELINE_SERVER_STORE_SQL_EXPERIMENT_LIST_H_
#define GRADELINE_SERVER_STORE_SQL_EXPERIMENT_LIST_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/experiment/list_query.h"
#include "server/store/sql/connection.h"

namespace gradeline {

/// See Store::ListExperiments.
absl::StatusOr<std::vector<Experiment>> ReadExperiments(Connection& connection, const ListQuery& query, int limit,
                                                        const std::string& after);

/// Fills the columns of experiments that an older schema left without, in a transaction of its own. May be repeated.
absl::Status FillExperimentColumns(Connection& connection);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_SQL_EXPERIMENT_LIST_H_
