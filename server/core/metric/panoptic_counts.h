// What panoptic quality counts: segments found, made up and missed, class by class.
#ifndef GRADELINE_SERVER_CORE_METRIC_PANOPTIC_COUNTS_H_
#define GRADELINE_SERVER_CORE_METRIC_PANOPTIC_COUNTS_H_

#include <cstdint>
#include <map>
#include <set>

#include "server/core/metric/counts.h"

namespace gradeline {

/// Whole numbers, so that sums are the same in every order. Each IoU is a quotient of whole numbers, rounded to a
/// double and then to a multiple of 2^-52: an error below 2^-52 for each segment found.
struct PanopticClass {
  int64_t found = 0, made_up = 0, missed = 0;  ///< true positives, false positives, false negatives
  unsigned __int128 iou = 0;                   ///< sum over those found, in units of 2^-52
};

/// Segments matched image by image as panopticapi's pq_compute_single_core does it.
class PanopticCounts : public Counts {
 public:
  explicit PanopticCounts(const CountsOptions& options) : max_bytes_(options.max_bytes) {}

  absl::Status Add(const MetricBatch& batch) override;
  absl::Status Merge(std::string_view bytes) override;
  std::string Bytes() const override;

  /// Classes of which a segment counts.
  const std::map<int32_t, PanopticClass>& classes() const { return sum_.classes; }
  /// Those that any batch said are stuff.
  const std::set<int32_t>& stuff() const { return sum_.stuff; }
  int64_t images() const { return sum_.images; }

 private:
  struct Sum {
    std::map<int32_t, PanopticClass> classes;
    std::set<int32_t> stuff;
    int64_t images = 0;
  };
  /// Adds all of `other` or nothing.
  absl::Status Take(const Sum& other);

  const int64_t max_bytes_;
  Sum sum_;
};

const CountsKind& PanopticCountsKind(std::string_view signal);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_PANOPTIC_COUNTS_H_
