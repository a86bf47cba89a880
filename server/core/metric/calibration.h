// Bins of confidence.
#ifndef GRADELINE_SERVER_CORE_METRIC_CALIBRATION_H_
#define GRADELINE_SERVER_CORE_METRIC_CALIBRATION_H_

#include <algorithm>
#include <cstddef>

namespace gradeline {

/// The bin of a confidence from 0 to 1: i is [i / n, (i + 1) / n), edges rounded once; the last takes 1 too.
inline size_t BinOf(double confidence, size_t bins) {
  const auto n = static_cast<double>(bins);
  // The product may round across an edge.
  auto i = std::min(static_cast<size_t>(confidence * n), bins - 1);
  if (confidence < static_cast<double>(i) / n) --i;
  if (i + 1 < bins && confidence >= static_cast<double>(i + 1) / n) ++i;
  return i;
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_CALIBRATION_H_
