#include "server/core/metric/detection_counts.h"

#include <algorithm>
#include <utility>

#include "server/core/base/status.h"
#include "server/core/metric/object_batch.h"
#include "server/core/metric/object_iou.h"
#include "server/core/metric/param_specs.h"

namespace gradeline {

DetectionCounts::DetectionCounts(const CountsOptions& options)
    : box_format_(WordOf(options.params, "box_format")),
      max_detections_(static_cast<size_t>(NumberOf(options.params, "max_detections"))),
      set_(options.max_bytes) {}

absl::Status DetectionCounts::Add(const MetricBatch& batch) {
  GRADELINE_ASSIGN_OR_RETURN(ObjectBatch objects, ReadObjects(batch, box_format_));
  ObjectGroups groups(objects);
  DetectionBatch found{std::move(objects.images), {}, {}, {}};
  std::vector<double> iou, areas, target_areas;
  std::vector<uint8_t> crowd;
  TargetCounts counting{};
  for (ObjectGroup group; groups.Next(group);) {
    const size_t count = std::min(group.detections.size(), max_detections_);
    iou.resize(count * group.targets.size());
    FillIou(objects, group, count, iou.data());
    areas.clear();
    for (const uint32_t d : group.detections.first(count)) areas.push_back(objects.detections.areas[d]);
    target_areas.clear();
    crowd.clear();
    for (const uint32_t t : group.targets) {
      target_areas.push_back(objects.targets.areas[t]);
      crowd.push_back(objects.crowd[t]);
    }
    const absl::Span<const Outcome> outcomes = matcher_.Match(iou, areas, target_areas, crowd, counting);
    for (size_t rank = 0; rank < count; ++rank) {
      if (outcomes[rank].ignored == kEveryOutcome) continue;
      ScoredDetection detection{.score = objects.scores[group.detections[rank]], .image = group.image};
      detection.matched = outcomes[rank].matched;
      detection.rank = rank;
      detection.ignored = outcomes[rank].ignored;
      detection.class_id = static_cast<uint64_t>(group.class_id);
      found.detections.push_back(detection);
    }
    if (counting == TargetCounts{}) continue;
    TargetCounts& sum = found.targets[group.class_id];
    for (size_t a = 0; a < kAreas; ++a) sum[a] += counting[a];
  }
  return set_.Add(std::move(found));
}

const CountsKind& DetectionCountsKind(std::string_view signal) {
  static const auto kMake = [](const CountsOptions& options) -> std::unique_ptr<Counts> {
    return std::make_unique<DetectionCounts>(options);
  };
  static const CountsKind kBoxes{"coco_detections", {"box_format", "max_detections"}, kMake};
  static const CountsKind kMasks{"coco_instances", {"max_detections"}, kMake};
  return signal == "instances" ? kMasks : kBoxes;
}

}  // namespace gradeline
