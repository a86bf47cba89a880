// Detections of many images with what became of them, in one order: what average precision is computed of.
#ifndef GRADELINE_SERVER_CORE_METRIC_DETECTION_SET_H_
#define GRADELINE_SERVER_CORE_METRIC_DETECTION_SET_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/core/metric/detection_bytes.h"

namespace gradeline {

/// A set in the order class, score (the highest first), image, rank: the same for every partition into images. Takes
/// 32 bytes for a detection, 20 for an image, 80 for a class. Image by image everything must come at once: an image
/// that comes twice leaves nothing to compute of, which is remembered with its id (the lowest of those). Not
/// thread-safe, not even what is const: it is put in order when it is looked at.
class DetectionSet {
 public:
  explicit DetectionSet(int64_t max_bytes) : max_bytes_(max_bytes) {}

  /// INVALID_ARGUMENT if one of `images` was added before ("inputs.images"), RESOURCE_EXHAUSTED beyond the bytes that
  /// it may take; then nothing is added.
  absl::Status Add(DetectionBatch batch);
  absl::Status Merge(std::string_view bytes);
  std::string Bytes() const;

  absl::Span<const ScoredDetection> detections() const;
  const std::map<int32_t, TargetCounts>& targets() const { return targets_; }
  int64_t images() const { return static_cast<int64_t>(images_.size()); }
  /// The image that came twice.
  std::optional<int64_t> repeated() const { return repeated_; }

 private:
  absl::Status CheckRoom(const DetectionBatch& batch) const;
  void Take(DetectionBatch batch);

  const int64_t max_bytes_;
  absl::flat_hash_set<int64_t> images_;
  mutable std::vector<ScoredDetection> detections_;
  mutable bool ordered_ = true;
  std::map<int32_t, TargetCounts> targets_;
  std::optional<int64_t> repeated_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_DETECTION_SET_H_
