// What COCO's average precision counts of batches of detections or instances.
#ifndef GRADELINE_SERVER_CORE_METRIC_DETECTION_COUNTS_H_
#define GRADELINE_SERVER_CORE_METRIC_DETECTION_COUNTS_H_

#include "server/core/metric/counts.h"
#include "server/core/metric/detection_set.h"

namespace gradeline {

/// Detections matched with targets per image and class, at most `max_detections` of them, for every threshold and area
/// range. A batch has whole images. Detections that cannot count anywhere are left out.
class DetectionCounts : public Counts {
 public:
  explicit DetectionCounts(const CountsOptions& options);

  absl::Status Add(const MetricBatch& batch) override;
  absl::Status Merge(std::string_view bytes) override { return set_.Merge(bytes); }
  std::string Bytes() const override { return set_.Bytes(); }
  const DetectionSet& set() const { return set_; }

 private:
  const std::string box_format_;
  const size_t max_detections_;
  DetectionSet set_;
  Matcher matcher_;
};

/// For the signals detections and instances; depends on box_format and max_detections.
const CountsKind& DetectionCountsKind(std::string_view signal);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_DETECTION_COUNTS_H_
