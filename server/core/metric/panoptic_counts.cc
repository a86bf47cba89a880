#include "server/core/metric/panoptic_counts.h"

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/metric/counts_bytes.h"
#include "server/core/metric/panoptic_batch.h"
#include "server/core/metric/typed.h"

namespace gradeline {
namespace {

constexpr int64_t kMostCount = int64_t{1} << 53;
constexpr double kUnits = 4503599627370496.0;  // 2^52

/// Adds an image: see panopticapi's evaluation.py, pq_compute_single_core.
void CountSegments(const PanopticImage& image, std::map<int32_t, PanopticClass>& classes) {
  std::vector<int64_t> in_void(image.predicted.size()), ignored(image.predicted.size());
  for (const Common& common : image.common) {
    if (common.target == 0) in_void[common.predicted] = common.pixels;
  }
  std::vector<bool> target_found(image.targets.size()), predicted_found(image.predicted.size());
  for (const Common& common : image.common) {
    const Segment &target = image.targets[common.target], &predicted = image.predicted[common.predicted];
    if (common.target == 0 || common.predicted == 0 || target.crowd || target.class_id != predicted.class_id) continue;
    const int64_t either = predicted.area + target.area - common.pixels - in_void[common.predicted];
    if (2 * common.pixels <= either) continue;
    PanopticClass& own = classes[target.class_id];
    ++own.found;
    own.iou += static_cast<uint64_t>(
        std::nearbyint(static_cast<double>(common.pixels) / static_cast<double>(either) * kUnits));
    target_found[common.target] = true;
    predicted_found[common.predicted] = true;
  }
  std::map<int32_t, uint32_t> crowds;  // of several of a class the last, as there
  for (uint32_t t = 1; t < image.targets.size(); ++t) {
    if (image.targets[t].crowd) {
      crowds[image.targets[t].class_id] = t;
    } else if (!target_found[t]) {
      ++classes[image.targets[t].class_id].missed;
    }
  }
  ignored = in_void;
  for (const Common& common : image.common) {
    const auto crowd = crowds.find(image.predicted[common.predicted].class_id);
    if (common.target != 0 && crowd != crowds.end() && crowd->second == common.target) {
      ignored[common.predicted] += common.pixels;
    }
  }
  for (size_t p = 1; p < image.predicted.size(); ++p) {
    if (predicted_found[p] || 2 * ignored[p] > image.predicted[p].area) continue;
    ++classes[image.predicted[p].class_id].made_up;
  }
}

absl::Status ReadStuff(const MetricBatch& batch, std::set<int32_t>& stuff) {
  const TensorView* tensor = batch.Find("stuff_classes");
  if (tensor == nullptr) return absl::OkStatus();
  Violations violations;
  if (IsReal(tensor->dtype) || tensor->shape.size() != 1) {
    violations.Add("inputs.stuff_classes",
                   absl::StrCat("has type ", std::string(NameOf(tensor->dtype)), " and shape ",
                                ShapeText(tensor->shape), "; allowed: u8, i32, i64 of shape [K]"));
    return violations.ToStatus();
  }
  for (int64_t i = 0; i < tensor->shape[0]; ++i) {
    const auto class_id = WithDType(
        tensor->dtype, [&](auto type) { return static_cast<int64_t>(ReadAs<decltype(type)::dtype>(tensor->data, i)); });
    if (class_id < 0 || class_id > std::numeric_limits<int32_t>::max()) {
      violations.Add("inputs.stuff_classes", absl::StrCat("is ", class_id, " at item ", i, "; allowed: 0 to ",
                                                          std::numeric_limits<int32_t>::max()));
      break;
    }
    stuff.insert(static_cast<int32_t>(class_id));
  }
  return violations.ToStatus();
}

}  // namespace

absl::Status PanopticCounts::Add(const MetricBatch& batch) {
  Violations violations;
  Sum sum;
  violations.MergeRest("", ReadStuff(batch, sum.stuff));
  const absl::StatusOr<std::vector<PanopticImage>> images = ReadPanoptic(batch);
  violations.MergeRest("", images.status());
  if (!violations.empty()) return violations.ToStatus();
  for (const PanopticImage& image : *images) CountSegments(image, sum.classes);
  sum.images = static_cast<int64_t>(images->size());
  return Take(sum);
}

absl::Status PanopticCounts::Take(const Sum& other) {
  const size_t classes = sum_.classes.size() + other.classes.size(), stuff = sum_.stuff.size() + other.stuff.size();
  const size_t need = 96 * classes + 48 * stuff;
  if (need > static_cast<size_t>(max_bytes_)) {
    return absl::ResourceExhaustedError(absl::StrCat("panoptic counts of ", classes, " classes take ", need,
                                                     " bytes; allowed: ", max_bytes_, " (metrics.max_bytes)"));
  }
  Sum sum = sum_;
  sum.images += other.images;
  bool fits = sum.images <= kMostCount;
  for (const auto& [class_id, own] : other.classes) {
    PanopticClass& all = sum.classes[class_id];
    all.found += own.found;
    all.made_up += own.made_up;
    all.missed += own.missed;
    all.iou += own.iou;
    fits = fits && all.found <= kMostCount && all.made_up <= kMostCount && all.missed <= kMostCount;
  }
  if (!fits) return absl::InvalidArgumentError("counts over 2^53 segments");
  sum.stuff.insert(other.stuff.begin(), other.stuff.end());
  sum_ = std::move(sum);
  return absl::OkStatus();
}

std::string PanopticCounts::Bytes() const {
  std::string bytes;
  PutUnsigned(static_cast<uint64_t>(sum_.images), bytes);
  PutUnsigned(sum_.stuff.size(), bytes);
  for (const int32_t class_id : sum_.stuff) PutUnsigned(static_cast<uint64_t>(class_id), bytes);
  PutUnsigned(sum_.classes.size(), bytes);
  for (const auto& [class_id, own] : sum_.classes) {
    PutUnsigned(static_cast<uint64_t>(class_id), bytes);
    PutUnsigned(static_cast<uint64_t>(own.found), bytes);
    PutUnsigned(static_cast<uint64_t>(own.made_up), bytes);
    PutUnsigned(static_cast<uint64_t>(own.missed), bytes);
    if (own.found == 0) continue;
    // Each IoU is at most 1, mostly near: what lacks is small.
    const unsigned __int128 lacks = (static_cast<unsigned __int128>(own.found) << 52) - own.iou;
    PutUnsigned(static_cast<uint64_t>(lacks), bytes);
    PutUnsigned(static_cast<uint64_t>(lacks >> 64), bytes);
  }
  return bytes;
}

absl::Status PanopticCounts::Merge(std::string_view bytes) {
  if (bytes.empty()) return absl::OkStatus();
  constexpr int64_t kMostClass = std::numeric_limits<int32_t>::max();
  const absl::Status wrong = absl::InvalidArgumentError("is no panoptic count");
  CountsReader reader(bytes);
  Sum sum;
  sum.images = reader.Count();
  const int64_t stuff = reader.Count();
  for (int64_t i = 0; i < stuff && reader.ok(); ++i) sum.stuff.insert(static_cast<int32_t>(reader.Count(kMostClass)));
  const int64_t classes = reader.Count();
  for (int64_t i = 0; i < classes && reader.ok(); ++i) {
    const auto class_id = static_cast<int32_t>(reader.Count(kMostClass));
    PanopticClass own;
    own.found = reader.Count();
    own.made_up = reader.Count();
    own.missed = reader.Count();
    if (own.found > 0) {
      const uint64_t low = reader.Unsigned();
      const unsigned __int128 lacks = static_cast<unsigned __int128>(reader.Unsigned()) << 64 | low;
      const unsigned __int128 most = static_cast<unsigned __int128>(own.found) << 52;
      // An IoU that counts is above a half.
      if (lacks > most / 2) return wrong;
      own.iou = most - lacks;
    }
    if (own.found + own.made_up + own.missed == 0 || !sum.classes.emplace(class_id, own).second) return wrong;
  }
  GRADELINE_RETURN_IF_ERROR(reader.Finish("panoptic"));
  return Take(sum);
}

const CountsKind& PanopticCountsKind(std::string_view) {
  static const CountsKind kKind{"panoptic", {}, [](const CountsOptions& options) -> std::unique_ptr<Counts> {
                                  return std::make_unique<PanopticCounts>(options);
                                }};
  return kKind;
}

}  // namespace gradeline
