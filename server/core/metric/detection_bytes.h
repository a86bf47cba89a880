// Detections of images with what became of them, and how they travel. Bytes may come from anywhere.
#ifndef GRADELINE_SERVER_CORE_METRIC_DETECTION_BYTES_H_
#define GRADELINE_SERVER_CORE_METRIC_DETECTION_BYTES_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/metric/match.h"

namespace gradeline {

/// A detection that may count. Bits as in Outcome.
struct ScoredDetection {
  double score = 0;
  int64_t image = 0;
  uint64_t matched : 40 = 0;
  uint64_t rank : 24 = 0;  ///< its place among those of its image and class, by score
  uint64_t ignored : 40 = 0;
  uint64_t class_id : 24 = 0;
};
static_assert(sizeof(ScoredDetection) == 32);

/// Targets that count, by area range.
using TargetCounts = std::array<int64_t, kAreas>;

/// What one batch adds, or one sum.
struct DetectionBatch {
  std::vector<int64_t> images;  ///< in order, each once: also those without a detection
  std::vector<ScoredDetection> detections;
  std::map<int32_t, TargetCounts> targets;  ///< by class, those with any
  std::optional<int64_t> repeated;          ///< an image that came twice; then there is nothing but images
};

/// By class, score (the highest first), image and rank.
bool InOrder(const ScoredDetection& a, const ScoredDetection& b);

/// `batch` in order. Nothing for no images; scores take 4 bytes at most where all of them are floats, an unmatched
/// detection of 100 in each of 32 images about 8. The same bytes for the same batch.
std::string BytesOf(const DetectionBatch& batch);
/// What BytesOf gave, or anything else in the same form and order. INVALID_ARGUMENT if it is none.
absl::StatusOr<DetectionBatch> DetectionsOf(std::string_view bytes);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_DETECTION_BYTES_H_
