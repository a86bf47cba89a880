#include "server/core/metric/rle.h"

#include <algorithm>

namespace gradeline {

bool RunEnds(absl::Span<int64_t> counts, int64_t height, int64_t width) {
  constexpr int64_t kMost = int64_t{1} << 53;
  if (height < 0 || width < 0 || (width > 0 && height > kMost / width)) return false;
  const int64_t size = height * width;
  int64_t end = 0;
  for (int64_t& count : counts) {
    if (count < 0 || count > size - end) return false;
    end += count;
    count = end;
  }
  return end == size;
}

int64_t MaskArea(absl::Span<const int64_t> ends) {
  int64_t area = 0;
  for (size_t i = 1; i < ends.size(); i += 2) area += ends[i] - ends[i - 1];
  return area;
}

int64_t MaskIntersection(const Mask& a, const Mask& b) {
  int64_t both = 0;
  size_t i = 1, j = 1;
  while (i < a.ends.size() && j < b.ends.size()) {
    const int64_t begin = std::max(a.ends[i - 1], b.ends[j - 1]);
    const int64_t end = std::min(a.ends[i], b.ends[j]);
    both += std::max<int64_t>(0, end - begin);
    (a.ends[i] < b.ends[j] ? i : j) += 2;
  }
  return both;
}

double MaskIou(const Mask& detection, const Mask& target, bool crowd) {
  const int64_t both = MaskIntersection(detection, target);
  if (both == 0) return 0;
  const int64_t over = crowd ? detection.area : detection.area + target.area - both;
  return static_cast<double>(both) / static_cast<double>(over);
}

}  // namespace gradeline
