// What a dataset must be.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_DATASET_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_DATASET_H_

#include <cstddef>

#include "absl/status/status.h"
#include "server/core/base/status.h"
#include "server/core/experiment/types.h"

namespace gradeline {

/// INVALID_ARGUMENT with all violations, fields "name", "source", "classes" and "classes[i]": of all but the items. At
/// most ten classes are named.
absl::Status CheckDataset(const Dataset& dataset);

/// Adds the violations of an item, fields "items[index].uri" and "items[index].label". `classes`: of the dataset; 0 if
/// those are wrong, and then the label is not looked at.
void CheckItem(const Item& item, size_t classes, Violations& violations);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_DATASET_H_
