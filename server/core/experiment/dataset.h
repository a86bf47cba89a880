// What a dataset must be, and what is told of its items.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_DATASET_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_DATASET_H_

#include <vector>

#include "absl/status/status.h"
#include "server/core/base/status.h"
#include "server/core/experiment/types.h"

namespace gradeline {

/// INVALID_ARGUMENT with all violations, fields "name", "source", "classes" and "classes[i]": of all but the items. At
/// most ten classes are named.
absl::Status CheckDataset(const Dataset& dataset);

/// Adds the violations of an item of the dataset, fields "items[index].uri", ".label", ".labels", ".group", ".tags",
/// ".subset"; of a list the first wrong entry.
void CheckItem(const Item& item, const Dataset& dataset, Violations& violations);

/// Numbers the checked items and puts their lists in order, then fills the dataset's item_count, class_counts,
/// subset_counts (by subset) and fingerprint: SHA-256, hexadecimal, over multi_label, classes and all items.
/// INVALID_ARGUMENT where there are too many subsets.
absl::Status DescribeItems(std::vector<Item>& items, Dataset& dataset);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_DATASET_H_
