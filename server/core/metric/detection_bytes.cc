#include "server/core/metric/detection_bytes.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "server/core/metric/counts_bytes.h"

namespace gradeline {
namespace {

constexpr uint64_t kRangeBits = (uint64_t{1} << kThresholds) - 1;
constexpr uint64_t kHasMatch = 1 << kAreas;

/// Reals as whole numbers in the same order.
template <typename Real>
uint64_t OrderOf(Real real) {
  using Bits = std::conditional_t<sizeof(Real) == 8, uint64_t, uint32_t>;
  constexpr Bits kSign = Bits{1} << (8 * sizeof(Real) - 1);
  const Bits bits = std::bit_cast<Bits>(real);
  return (bits & kSign) != 0 ? static_cast<Bits>(~bits) : bits | kSign;
}
template <typename Real>
Real RealOf(uint64_t order) {
  using Bits = std::conditional_t<sizeof(Real) == 8, uint64_t, uint32_t>;
  constexpr Bits kSign = Bits{1} << (8 * sizeof(Real) - 1);
  const Bits bits = static_cast<Bits>(order);
  return std::bit_cast<Real>((bits & kSign) != 0 ? bits & ~kSign : static_cast<Bits>(~bits));
}

template <typename Real>
constexpr uint64_t kHighest = sizeof(Real) == 4 ? std::numeric_limits<uint32_t>::max()
                                                : std::numeric_limits<uint64_t>::max();

bool IsFloat(double score) { return static_cast<double>(static_cast<float>(score)) == score; }

/// Ranges whose bits say that the detection lies outside.
uint64_t OutsideOf(const ScoredDetection& detection) {
  uint64_t outside = 0;
  for (size_t a = 0; a < kAreas; ++a) {
    if ((detection.ignored & ~detection.matched & kRangeBits << (a * kThresholds)) != 0) outside |= uint64_t{1} << a;
  }
  return outside;
}

void PutDetection(const ScoredDetection& detection, uint64_t image, std::string& bytes) {
  PutUnsigned(image, bytes);
  PutUnsigned(detection.rank, bytes);
  PutUnsigned(OutsideOf(detection) | (detection.matched != 0 ? kHasMatch : 0), bytes);
  if (detection.matched == 0) return;
  PutUnsigned(detection.matched, bytes);
  PutUnsigned(detection.matched & detection.ignored, bytes);
}

constexpr size_t kLeastDetection = 4;  // bytes

/// All but class and score.
bool ReadDetection(const std::vector<int64_t>& images, CountsReader& reader, ScoredDetection& detection) {
  const auto image = static_cast<size_t>(reader.Count());
  detection.rank = static_cast<uint64_t>(reader.Count((1 << 24) - 1));
  const uint64_t flags = reader.Unsigned();
  uint64_t matched = 0, ignored = 0;
  if ((flags & kHasMatch) != 0) {
    matched = reader.Unsigned();
    ignored = reader.Unsigned();
    if (matched == 0 || matched > kEveryOutcome || (ignored & ~matched) != 0) return false;
  }
  if (!reader.ok() || flags >= 2 * kHasMatch || image >= images.size()) return false;
  detection.image = images[image];
  detection.matched = matched;
  for (size_t a = 0; a < kAreas; ++a) {
    if ((flags >> a & 1) != 0) ignored |= ~matched & kRangeBits << (a * kThresholds);
  }
  detection.ignored = ignored;
  return true;
}

bool ReadImages(CountsReader& reader, std::vector<int64_t>& images) {
  const int64_t count = reader.Count();
  if (static_cast<uint64_t>(count) > reader.left()) return false;
  images.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count && reader.ok(); ++i) {
    const int64_t before = i == 0 ? 0 : images.back();
    const int64_t image =
        i == 0 ? reader.Signed() : static_cast<int64_t>(static_cast<uint64_t>(before) + reader.Unsigned());
    if (i > 0 && image <= before) return false;
    images.push_back(image);
  }
  return reader.ok();
}

bool ReadTargets(CountsReader& reader, std::map<int32_t, TargetCounts>& targets) {
  const int64_t classes = reader.Count();
  int64_t class_id = -1;
  for (int64_t i = 0; i < classes && reader.ok(); ++i) {
    class_id += 1 + reader.Count((1 << 24) - 1);
    if (class_id >= 1 << 24) return false;
    TargetCounts& counts = targets[static_cast<int32_t>(class_id)];
    for (int64_t& count : counts) count = reader.Count();
    if (counts == TargetCounts{}) return false;
  }
  return reader.ok();
}

template <typename Real>
bool ReadDetections(int64_t count, CountsReader& reader, DetectionBatch& batch) {
  batch.detections.reserve(static_cast<size_t>(count));
  int64_t class_id = -1;
  while (count > 0) {
    class_id += 1 + reader.Count((1 << 24) - 1);
    const int64_t own = reader.Count();
    if (!reader.ok() || own == 0 || own > count || class_id >= 1 << 24) return false;
    count -= own;
    uint64_t order = kHighest<Real>;
    for (int64_t i = 0; i < own; ++i) {
      const uint64_t lower = reader.Unsigned();
      if (lower > order) return false;
      order -= lower;
      ScoredDetection detection;
      detection.class_id = static_cast<uint64_t>(class_id);
      detection.score = static_cast<double>(RealOf<Real>(order)) + 0.0;  // no negative zero
      if (std::isnan(detection.score) || !ReadDetection(batch.images, reader, detection)) return false;
      if (i > 0 && !InOrder(batch.detections.back(), detection)) return false;
      batch.detections.push_back(detection);
    }
  }
  return true;
}

template <typename Real>
void PutDetections(absl::Span<const ScoredDetection> detections, const std::vector<int64_t>& images,
                   std::string& bytes) {
  int64_t before = -1;
  for (size_t begin = 0, end = 0; begin < detections.size(); begin = end) {
    const auto class_id = static_cast<int64_t>(detections[begin].class_id);
    while (end < detections.size() && static_cast<int64_t>(detections[end].class_id) == class_id) ++end;
    PutUnsigned(static_cast<uint64_t>(class_id - before - 1), bytes);
    PutUnsigned(end - begin, bytes);
    before = class_id;
    uint64_t order = kHighest<Real>;
    for (const ScoredDetection& detection : detections.subspan(begin, end - begin)) {
      const uint64_t own = OrderOf(static_cast<Real>(detection.score));
      PutUnsigned(order - own, bytes);
      order = own;
      const auto image = std::lower_bound(images.begin(), images.end(), detection.image);
      PutDetection(detection, static_cast<uint64_t>(image - images.begin()), bytes);
    }
  }
}

}  // namespace

bool InOrder(const ScoredDetection& a, const ScoredDetection& b) {
  if (a.class_id != b.class_id) return a.class_id < b.class_id;
  if (a.score != b.score) return a.score > b.score;
  if (a.image != b.image) return a.image < b.image;
  return a.rank < b.rank;
}

std::string BytesOf(const DetectionBatch& batch) {
  std::string bytes;
  const std::vector<int64_t>& images = batch.images;
  if (images.empty()) return bytes;
  PutUnsigned(images.size(), bytes);
  PutSigned(images[0], bytes);
  for (size_t i = 1; i < images.size(); ++i) {
    PutUnsigned(static_cast<uint64_t>(images[i]) - static_cast<uint64_t>(images[i - 1]), bytes);
  }
  if (batch.repeated) {
    const auto image = std::lower_bound(images.begin(), images.end(), *batch.repeated);
    PutUnsigned(static_cast<uint64_t>(image - images.begin()) + 1, bytes);
    return bytes;
  }
  PutUnsigned(0, bytes);
  PutUnsigned(batch.targets.size(), bytes);
  int64_t before = -1;
  for (const auto& [class_id, counts] : batch.targets) {
    PutUnsigned(static_cast<uint64_t>(class_id - before - 1), bytes);
    for (const int64_t count : counts) PutUnsigned(static_cast<uint64_t>(count), bytes);
    before = class_id;
  }
  PutUnsigned(batch.detections.size(), bytes);
  if (batch.detections.empty()) return bytes;
  const bool narrow = std::all_of(batch.detections.begin(), batch.detections.end(),
                                  [](const ScoredDetection& d) { return IsFloat(d.score); });
  PutUnsigned(narrow ? 0 : 1, bytes);
  narrow ? PutDetections<float>(batch.detections, images, bytes)
         : PutDetections<double>(batch.detections, images, bytes);
  return bytes;
}

absl::StatusOr<DetectionBatch> DetectionsOf(std::string_view bytes) {
  DetectionBatch batch;
  if (bytes.empty()) return batch;
  const absl::Status wrong = absl::InvalidArgumentError("is no detections count");
  CountsReader reader(bytes);
  if (!ReadImages(reader, batch.images) || batch.images.empty()) return wrong;
  const auto repeated = static_cast<size_t>(reader.Count());
  if (!reader.ok() || repeated > batch.images.size()) return wrong;
  if (repeated > 0) {
    batch.repeated = batch.images[repeated - 1];
  } else {
    if (!ReadTargets(reader, batch.targets)) return wrong;
    const int64_t count = reader.Count(), wide = count > 0 ? reader.Count(1) : 0;
    if (!reader.ok() || static_cast<uint64_t>(count) > reader.left() / kLeastDetection) return wrong;
    if (!(wide == 0 ? ReadDetections<float>(count, reader, batch) : ReadDetections<double>(count, reader, batch))) {
      return wrong;
    }
  }
  if (absl::Status status = reader.Finish("detections"); !status.ok()) return status;
  return batch;
}

}  // namespace gradeline
