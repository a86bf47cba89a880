// How right the labels of each item are together, as counts.
#ifndef GRADELINE_SERVER_CORE_METRIC_EXAMPLES_H_
#define GRADELINE_SERVER_CORE_METRIC_EXAMPLES_H_

#include <string>
#include <string_view>
#include <vector>

#include "server/core/metric/counts.h"

namespace gradeline {

/// Of multilabel batches. Ignored slots are as if they were not there; an item of which all are is no item. 8 bytes of
/// memory for each label.
///
/// The Jaccard index of an item is |t and p| / |t or p|. So that the sum over items is exact, the intersections of the
/// items with the same size of the union are summed as whole numbers; those sums are divided at the end, one division
/// for each size.
class Examples : public Counts {
 public:
  struct Sums {
    int64_t slots = 0, right_slots = 0;
    int64_t items = 0, right_items = 0;  ///< right: in every slot
    int64_t empty = 0;                   ///< items with an empty union
    std::vector<int64_t> shared;         ///< [u - 1]: sum of the intersections of items whose union has u labels
  };

  explicit Examples(const CountsOptions& options) : max_bytes_(options.max_bytes) {}

  absl::Status Add(const MetricBatch& batch) override;
  /// Bytes: the five numbers, then `shared` up to the last that is not 0.
  absl::Status Merge(std::string_view bytes) override;
  std::string Bytes() const override;
  const Sums& sums() const { return sums_; }

 private:
  absl::Status AddSums(const Sums& sums);

  int64_t max_bytes_;
  Sums sums_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_EXAMPLES_H_
