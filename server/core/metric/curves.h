// Curves of one class over all thresholds, from cells of scores, and the areas under them.
#ifndef GRADELINE_SERVER_CORE_METRIC_CURVES_H_
#define GRADELINE_SERVER_CORE_METRIC_CURVES_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "server/core/metric/result.h"
#include "server/core/metric/scores.h"

namespace gradeline {

/// Cells by ascending key, with their sums.
struct ClassCells {
  absl::Span<const ScoreCell> cells;
  int64_t positives = 0, negatives = 0;
  bool coarse = false;  ///< scores of one cell may differ; else they are equal, ties
};
ClassCells WithSums(absl::Span<const ScoreCell> cells, bool coarse);

/// Scores of a cell count as ties. Where they may differ, the area of the scores themselves is at most `error` away,
/// however they lie.
struct Area {
  double value = 0, error = 0;
};
/// There are positives and negatives: the probability that a positive's score is above a negative's, a tie half
/// (Mann-Whitney).
Area RocArea(const ClassCells& cells);
/// There are positives: the sum over thresholds of what recall gains, times the precision there.
Area AveragePrecision(const ClassCells& cells);
/// There are positives: the area under the precision-recall curve by trapezoids.
Area PrecisionRecallArea(const ClassCells& cells);

/// Leaves `most` points, 2 or more, taken evenly by index, the ends among them.
void Thin(Curve& curve, size_t most);

/// From (0, 0), one point for each threshold, by falling thresholds. At most 1,000.
Curve RocCurve(const ClassCells& cells, int32_t index);
/// From (0, 1), one point for each threshold, by falling thresholds. At most 1,000.
Curve PrecisionRecallCurve(const ClassCells& cells, int32_t index);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_CURVES_H_
