// What refers to datasets and splits: for those who would delete one, and for those who would refer to one.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_USERS_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_USERS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/core/experiment/types.h"

namespace gradeline {

/// "2 splits (a, b)", "12 splits (a, b, ... j and 2 more)".
std::string Named(const char* kind, const std::vector<std::string>& ids);

/// FAILED_PRECONDITION, with a violation of "split", if the split, or a dataset of it, is deleted: no experiment is
/// made of it, changed, or started. Reasons SPLIT_DELETED and DATASET_DELETED.
absl::Status CheckUsable(const Split& split, const std::vector<std::string>& deleted_datasets);

/// The refusal of a new one: ALREADY_EXISTS. A deleted one has its name too, reason DELETED.
absl::Status NameTaken(const char* kind, const std::string& id, bool deleted);
/// The refusal to purge what is not deleted: FAILED_PRECONDITION, reason NOT_DELETED. `kind`: "dataset".
absl::Status NotPurgeable(const char* kind, const std::string& id);
/// The refusal to undelete it: ALREADY_EXISTS, as AIP-164 has it, with the same reason.
absl::Status NotDeleted(const char* kind, const std::string& id);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_USERS_H_
