// What a person should know of a split before training on it.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_SPLIT_REPORT_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_SPLIT_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "server/core/experiment/split.h"

namespace gradeline {

/// Fills count, class_balance (of classes that have items, in their order, the first 10,000) and warnings of a split
/// whose percentages and strategy are set:
///   CLASS_MISSING   a class with items has none in a part above 0 %; one warning for each part, with the first classes
///   FEW_VALIDATION_ITEMS   under 10
///   DUPLICATE_ITEMS  items of one `content` (a hash of what says where they are) are in several parts
///   UNEVEN_PARTS     GROUP or DATASET: a part is off its percentage by more than 5 points
void ReportSplit(const SplitItems& items, absl::Span<const std::string> classes, absl::Span<const uint64_t> content,
                 absl::Span<const uint8_t> part_of_item, Split& split);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_SPLIT_REPORT_H_
