#include "server/core/metric/detection_set.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"

namespace gradeline {

absl::Span<const ScoredDetection> DetectionSet::detections() const {
  if (!ordered_) std::sort(detections_.begin(), detections_.end(), InOrder);
  ordered_ = true;
  return detections_;
}

absl::Status DetectionSet::CheckRoom(const DetectionBatch& batch) const {
  const size_t need = 32 * (detections_.size() + batch.detections.size()) +
                      20 * (images_.size() + batch.images.size()) + 80 * (targets_.size() + batch.targets.size());
  if (need <= static_cast<size_t>(max_bytes_)) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(detections_.size() + batch.detections.size(), " detections in ",
                                                   images_.size() + batch.images.size(), " images take ", need,
                                                   " bytes; allowed: ", max_bytes_, " (metrics.max_bytes)"));
}

absl::Status DetectionSet::Add(DetectionBatch batch) {
  Violations violations;
  for (const int64_t image : batch.images) {
    if (!images_.contains(image)) continue;
    violations.Add("inputs.images", absl::StrCat("image ", image,
                                                 " came in an earlier batch already; all detections "
                                                 "and targets of an image must come in one"));
    return violations.ToStatus();
  }
  GRADELINE_RETURN_IF_ERROR(CheckRoom(batch));
  for (ScoredDetection& detection : batch.detections) detection.score += 0.0;  // no negative zero
  Take(std::move(batch));
  return absl::OkStatus();
}

void DetectionSet::Take(DetectionBatch batch) {
  if (batch.repeated) repeated_ = std::min(*batch.repeated, repeated_.value_or(*batch.repeated));
  for (const int64_t image : batch.images) {
    if (!images_.insert(image).second) repeated_ = std::min(image, repeated_.value_or(image));
  }
  if (repeated_) {
    detections_ = {};
    targets_.clear();
    ordered_ = true;
    return;
  }
  const size_t size = detections_.size() + batch.detections.size();
  if (size > detections_.capacity()) {
    const size_t most = static_cast<size_t>(max_bytes_) / sizeof(ScoredDetection);
    detections_.reserve(std::max(size, std::min(2 * detections_.size(), most)));
  }
  ordered_ = ordered_ && batch.detections.empty();
  detections_.insert(detections_.end(), batch.detections.begin(), batch.detections.end());
  for (const auto& [class_id, counts] : batch.targets) {
    TargetCounts& sum = targets_[class_id];
    for (size_t a = 0; a < kAreas; ++a) sum[a] += counts[a];
  }
}

absl::Status DetectionSet::Merge(std::string_view bytes) {
  GRADELINE_ASSIGN_OR_RETURN(DetectionBatch batch, DetectionsOf(bytes));
  for (const auto& [class_id, counts] : batch.targets) {
    const auto known = targets_.find(class_id);
    for (size_t a = 0; a < kAreas && known != targets_.end(); ++a) {
      if (known->second[a] + counts[a] > int64_t{1} << 53)
        return absl::InvalidArgumentError("counts over 2^53 targets");
    }
  }
  GRADELINE_RETURN_IF_ERROR(CheckRoom(batch));
  Take(std::move(batch));
  return absl::OkStatus();
}

std::string DetectionSet::Bytes() const {
  DetectionBatch all{{images_.begin(), images_.end()}, {}, targets_, repeated_};
  std::sort(all.images.begin(), all.images.end());
  detections();
  all.detections.swap(detections_);  // lent, not copied
  std::string bytes = BytesOf(all);
  detections_.swap(all.detections);
  return bytes;
}

}  // namespace gradeline
