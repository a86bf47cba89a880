// Who uses a dataset or a split: for those who would delete it.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_USERS_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_USERS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/experiment/store.h"

namespace gradeline {

/// "2 splits (a, b)", "12 splits (a, b, ... j and 2 more)".
std::string Named(const char* kind, const std::vector<std::string>& ids);

/// Ids of the experiments of these splits, deleted ones too, in order.
absl::StatusOr<std::vector<std::string>> ExperimentsOver(Store& store, const std::vector<std::string>& splits);

/// The refusal to purge what is not deleted.
absl::Status NotDeleted(const char* kind, const std::string& id);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_USERS_H_
