// Distances to the nearest of some points of a grid.
#ifndef GRADELINE_SERVER_CORE_METRIC_DISTANCE_TRANSFORM_H_
#define GRADELINE_SERVER_CORE_METRIC_DISTANCE_TRANSFORM_H_

#include <cstdint>
#include <limits>
#include <vector>

#include "absl/types/span.h"

namespace gradeline {

/// Felzenszwalb & Huttenlocher, "Distance Transforms of Sampled Functions" (2012): along the columns, then the lower
/// envelope of the parabolas of a row, for the rows that are asked for. Exact: whole numbers alone. Keeps its memory
/// for the next grid, 4 bytes a cell. Not thread-safe.
class DistanceTransform {
 public:
  static constexpr int64_t kFar = std::numeric_limits<int64_t>::max();

  /// A grid of `rows` x `columns`, both at most 2^29, with the cells of which `points` is not 0. Distances above `most`
  /// are kFar; a small `most` saves time.
  void Start(absl::Span<const uint8_t> points, int64_t rows, int64_t columns, int64_t most = kFar - 1);
  /// The squared Euclidean distance of every cell of a row to the nearest point. Valid until the next call.
  absl::Span<const int64_t> Row(int64_t row);

 private:
  /// The parabola (x - at)^2 + height, the lowest from column `from` to where the next begins.
  struct Parabola {
    int64_t at, height, from;
  };
  void FindEnvelope(const int32_t* row);

  int64_t columns_ = 0, most_ = 0;
  std::vector<int32_t> along_columns_;  // rows from every cell to the nearest point of its column
  std::vector<Parabola> envelope_;      // of the row asked for last
  std::vector<int64_t> squared_;        // of that row
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_DISTANCE_TRANSFORM_H_
