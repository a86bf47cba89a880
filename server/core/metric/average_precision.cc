#include "server/core/metric/average_precision.h"

#include <algorithm>

namespace gradeline {

std::vector<ClassDetections> ByClass(const DetectionSet& set) {
  std::vector<ClassDetections> classes;
  const absl::Span<const ScoredDetection> all = set.detections();
  auto begin = all.begin();
  for (const auto& [class_id, targets] : set.targets()) {
    const auto id = static_cast<uint64_t>(class_id);
    const auto before = [](const ScoredDetection& d, uint64_t c) { return d.class_id < c; };
    begin = std::lower_bound(begin, all.end(), id, before);
    const auto end = std::lower_bound(begin, all.end(), id + 1, before);
    classes.push_back({class_id, targets, absl::MakeConstSpan(begin, end)});
    begin = end;
  }
  return classes;
}

void PrecisionsOfHits(absl::Span<const ScoredDetection> detections, size_t bit, double extra,
                      std::vector<double>& precisions) {
  precisions.clear();
  int64_t counted = 0, hits = 0;
  for (const ScoredDetection& detection : detections) {
    if ((detection.ignored >> bit & 1) != 0) continue;
    ++counted;
    if ((detection.matched >> bit & 1) == 0) continue;
    ++hits;
    precisions.push_back(static_cast<double>(hits) / (static_cast<double>(counted) + extra));
  }
  for (size_t i = precisions.size(); i > 1; --i) precisions[i - 2] = std::max(precisions[i - 2], precisions[i - 1]);
}

}  // namespace gradeline
