// What a dataset must be.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_DATASET_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_DATASET_H_

#include "absl/status/status.h"
#include "server/core/experiment/types.h"

namespace gradeline {

/// INVALID_ARGUMENT with all violations, fields "name", "source", "classes" and "classes[i]": of all but the items. At
/// most ten classes are named.
absl::Status CheckDataset(const Dataset& dataset);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_DATASET_H_
