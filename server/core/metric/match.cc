#include "server/core/metric/match.h"

#include <algorithm>

namespace gradeline {
namespace {

constexpr uint64_t kRangeBits = (uint64_t{1} << kThresholds) - 1;

bool Outside(double area, size_t range) { return area < kAreaRanges[range][0] || area > kAreaRanges[range][1]; }

}  // namespace

absl::Span<const Outcome> Matcher::Match(absl::Span<const double> iou, absl::Span<const double> detection_areas,
                                         absl::Span<const double> target_areas, absl::Span<const uint8_t> crowd,
                                         std::array<int64_t, kAreas>& counting) {
  const size_t detections = detection_areas.size(), targets = target_areas.size();
  outcomes_.assign(detections, {});
  best_.assign(detections, 0);
  double best = 0;
  for (size_t d = 0; d < detections; ++d) {
    for (size_t t = 0; t < targets; ++t) best_[d] = std::max(best_[d], iou[d * targets + t]);
    best = std::max(best, best_[d]);
  }
  for (size_t a = 0; a < kAreas; ++a) {
    ignored_[a].resize(targets);
    for (size_t t = 0; t < targets; ++t) ignored_[a][t] = crowd[t] != 0 || Outside(target_areas[t], a) ? 1 : 0;
    counting[a] = std::count(ignored_[a].begin(), ignored_[a].end(), 0);
    if (best < kIouThresholds[0]) continue;
    // What is found depends on the range by nothing else than which targets count.
    const size_t same = static_cast<size_t>(
        std::find(ignored_.begin(), ignored_.begin() + static_cast<ptrdiff_t>(a), ignored_[a]) - ignored_.begin());
    if (same == a) {
      MatchRange(a, iou, crowd);
      continue;
    }
    for (Outcome& outcome : outcomes_) {
      outcome.matched |= (outcome.matched >> (same * kThresholds) & kRangeBits) << (a * kThresholds);
      outcome.ignored |= (outcome.ignored >> (same * kThresholds) & kRangeBits) << (a * kThresholds);
    }
  }
  for (size_t d = 0; d < detections; ++d) {
    for (size_t a = 0; a < kAreas; ++a) {
      if (!Outside(detection_areas[d], a)) continue;
      outcomes_[d].ignored |= ~outcomes_[d].matched & kRangeBits << (a * kThresholds);
    }
  }
  return outcomes_;
}

void Matcher::MatchRange(size_t area, absl::Span<const double> iou, absl::Span<const uint8_t> crowd) {
  const std::vector<uint8_t>& ignored = ignored_[area];
  order_.clear();
  for (const uint8_t which : {0, 1}) {
    for (size_t t = 0; t < ignored.size(); ++t) {
      if (ignored[t] == which) order_.push_back(static_cast<uint32_t>(t));
    }
  }
  for (size_t threshold = 0; threshold < kThresholds; ++threshold) {
    const double least = std::min(kIouThresholds[threshold], 1 - 1e-10);
    const uint64_t bit = uint64_t{1} << (area * kThresholds + threshold);
    taken_.assign(ignored.size(), 0);
    for (size_t d = 0; d < outcomes_.size(); ++d) {
      if (best_[d] < least) continue;
      double best = least;
      const uint32_t* found = nullptr;
      for (const uint32_t& t : order_) {
        if (taken_[t] != 0 && crowd[t] == 0) continue;
        if (found != nullptr && ignored[*found] == 0 && ignored[t] != 0) break;
        // Among equals the last one; NaN, of areas that vanish, finds nothing.
        const double overlap = iou[d * ignored.size() + t];
        if (!(overlap >= best)) continue;
        best = overlap;
        found = &t;
      }
      if (found == nullptr) continue;
      taken_[*found] = 1;
      outcomes_[d].matched |= bit;
      if (ignored[*found] != 0) outcomes_[d].ignored |= bit;
    }
  }
}

}  // namespace gradeline
