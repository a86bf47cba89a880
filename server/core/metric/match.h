// Which detections of one image and class find a target, as COCO defines it (pycocotools COCOeval.evaluateImg).
#ifndef GRADELINE_SERVER_CORE_METRIC_MATCH_H_
#define GRADELINE_SERVER_CORE_METRIC_MATCH_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace gradeline {

inline constexpr size_t kThresholds = 10;  ///< of the IoU: .50, .55 ... .95
inline constexpr size_t kAreas = 4;        ///< ranges of the area: all, small, medium, large

/// The thresholds as numpy's linspace(.5, .95, 10) has them, which is what pycocotools compares with.
inline constexpr std::array<double, kThresholds> kIouThresholds = [] {
  std::array<double, kThresholds> thresholds{};
  for (size_t t = 0; t < kThresholds; ++t) thresholds[t] = static_cast<double>(t) * ((.95 - .5) / 9) + .5;
  thresholds.back() = .95;
  return thresholds;
}();

/// Pixels from the first to the second, both included.
inline constexpr double kAreaRanges[kAreas][2] = {{0, 1e10}, {0, 1024}, {1024, 9216}, {9216, 1e10}};

/// Bits of one detection: kThresholds for each area range, that of threshold t in range a is a * kThresholds + t.
struct Outcome {
  uint64_t matched = 0;  ///< it has a target
  uint64_t ignored = 0;  ///< it does not count: its target does not, or it has none and lies outside of the range
};
inline constexpr uint64_t kEveryOutcome = (uint64_t{1} << (kAreas * kThresholds)) - 1;

/// Matches group by group; keeps its memory in between. Not thread-safe.
class Matcher {
 public:
  /// `iou` is [detections, targets], detections by score, the highest first. A target counts in an area range if it is
  /// no crowd and its area lies inside; each may be found once, a crowd many times; those that count come first. The
  /// answer is good until the next call; `counting` gets how many targets count in each range.
  absl::Span<const Outcome> Match(absl::Span<const double> iou, absl::Span<const double> detection_areas,
                                  absl::Span<const double> target_areas, absl::Span<const uint8_t> crowd,
                                  std::array<int64_t, kAreas>& counting);

 private:
  void MatchRange(size_t area, absl::Span<const double> iou, absl::Span<const uint8_t> crowd);

  std::vector<Outcome> outcomes_;
  std::vector<double> best_;                          // IoU of each detection
  std::array<std::vector<uint8_t>, kAreas> ignored_;  // targets, by range
  std::vector<uint32_t> order_;
  std::vector<uint8_t> taken_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_MATCH_H_
