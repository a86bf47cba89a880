// The items that a split parts: those of its datasets that its filters take.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_SPLIT_GATHER_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_SPLIT_GATHER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/base/status.h"
#include "server/core/experiment/split.h"
#include "server/core/experiment/store.h"

namespace gradeline {

struct SplitSource {
  std::vector<Dataset> datasets;
  std::vector<std::string> classes;  ///< of all datasets, by name, in the order in which they come
  SplitItems items;
  std::vector<PartedItem> places;  ///< of the same items, without their parts
  std::vector<uint64_t> content;   ///< hashes of where they are
};

/// Reads them. What is wrong about datasets, classes and shares is added to `violations`, fields "dataset" or
/// "datasets[i]", "classes[i]", "datasetShares[i].dataset", "datasetShares[i].percent", "strategy"; then the items are
/// not read.
absl::StatusOr<SplitSource> GatherItems(Store& store, const Split& split, Violations& violations);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_SPLIT_GATHER_H_
