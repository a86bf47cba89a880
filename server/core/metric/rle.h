// Masks as run lengths: COCO's uncompressed RLE. Pixels go column by column; runs of 0 and of 1 take turns, the first
// is of 0 and may be empty. Whole numbers throughout, so exact.
#ifndef GRADELINE_SERVER_CORE_METRIC_RLE_H_
#define GRADELINE_SERVER_CORE_METRIC_RLE_H_

#include <cstdint>

#include "absl/types/span.h"

namespace gradeline {

/// A mask by where its runs end: pixels ends[0] to ends[1] - 1 are of the object, ends[2] to ends[3] - 1, and so on.
/// Borrows them.
struct Mask {
  absl::Span<const int64_t> ends;
  int64_t area = 0;  ///< pixels of the object
};

/// Makes ends of counts, in place. False unless each is 0 or more and they add up to exactly height * width, at most
/// 2^53; then `counts` hold anything.
bool RunEnds(absl::Span<int64_t> counts, int64_t height, int64_t width);

/// Pixels of the object of a mask with these ends.
int64_t MaskArea(absl::Span<const int64_t> ends);

/// Pixels that both have; both are masks of the same size.
int64_t MaskIntersection(const Mask& a, const Mask& b);

/// Intersection over union, with a crowd over the area of the detection alone; 0 without a common pixel. A quotient of
/// whole numbers, rounded once.
double MaskIou(const Mask& detection, const Mask& target, bool crowd);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_RLE_H_
