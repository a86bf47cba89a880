#include "server/core/metric/panoptic_batch.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/metric/typed.h"

namespace gradeline {
namespace {

using Places = absl::flat_hash_map<int64_t, uint32_t>;  // of segments in their image's list, by id

int64_t WholeAt(const TensorView& tensor, int64_t i) {
  return WithDType(tensor.dtype,
                   [&](auto type) { return static_cast<int64_t>(ReadAs<decltype(type)::dtype>(tensor.data, i)); });
}

const TensorView* Whole(const MetricBatch& batch, const std::string& name, size_t axes, int64_t columns,
                        Violations& violations) {
  const TensorView* tensor = batch.Find(name);
  if (tensor == nullptr) {
    violations.Add("inputs." + name, "is missing");
    return nullptr;
  }
  const size_t before = violations.list().size();
  if (IsReal(tensor->dtype)) {
    violations.Add("inputs." + name,
                   absl::StrCat("has type ", std::string(NameOf(tensor->dtype)), "; allowed: u8, i32, i64"));
  }
  if (tensor->shape.size() != axes || !ElementCount(tensor->shape) || (columns > 0 && tensor->shape[1] != columns)) {
    violations.Add("inputs." + name, absl::StrCat("has shape ", ShapeText(tensor->shape), "; allowed: ",
                                                  columns > 0 ? absl::StrCat("[N, ", columns, "]") : "[N, H, W]"));
  }
  return violations.list().size() == before ? tensor : nullptr;
}

/// Rows (image, id, class) or (image, id, class, crowd) into the images' lists.
void ReadSegments(const TensorView& rows, const std::string& name, std::vector<PanopticImage>& images,
                  std::vector<Segment> PanopticImage::*list, std::vector<Places>& places, Violations& violations) {
  const int64_t columns = rows.shape[1];
  places.resize(images.size());
  for (Places& own : places) own.emplace(0, 0);
  for (PanopticImage& image : images) (image.*list).push_back({});
  for (int64_t row = 0; row < rows.shape[0]; ++row) {
    const int64_t image = WholeAt(rows, row * columns), id = WholeAt(rows, row * columns + 1);
    const int64_t class_id = WholeAt(rows, row * columns + 2);
    const int64_t crowd = columns == 4 ? WholeAt(rows, row * columns + 3) : 0;
    const auto wrong = [&](std::string_view what, int64_t value, const std::string& allowed) {
      violations.Add("inputs." + name,
                     absl::StrCat("has ", std::string(what), " ", value, " at row ", row, "; allowed: ", allowed));
    };
    if (image < 0 || image >= static_cast<int64_t>(images.size())) {
      return wrong("image", image, absl::StrCat("0 to ", static_cast<int64_t>(images.size()) - 1));
    }
    if (id == 0) return wrong("segment", id, "any but 0, which is void");
    constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
    if (class_id < 0 || class_id > kMost) return wrong("class", class_id, absl::StrCat("0 to ", kMost));
    if (crowd != 0 && crowd != 1) return wrong("crowd", crowd, "0, 1");
    std::vector<Segment>& own = images[static_cast<size_t>(image)].*list;
    if (!places[static_cast<size_t>(image)].emplace(id, static_cast<uint32_t>(own.size())).second) {
      return wrong("segment", id, absl::StrCat("each once in image ", image));
    }
    own.push_back({id, static_cast<int32_t>(class_id), crowd == 1, 0});
  }
}

/// Counts pixels of image `n`. Neighbours mostly belong to the same two segments, so pairs are looked up when they
/// change.
template <DType predicted_type, DType target_type>
void CountPixels(const TensorView& prediction, const TensorView& target, int64_t n, int64_t pixels,
                 const Places& predicted_places, const Places& target_places, PanopticImage& image,
                 Violations& violations) {
  absl::flat_hash_map<uint64_t, int64_t> common;
  for (int64_t i = n * pixels, end = i + pixels, next = i; i < end; i = next) {
    const auto p = ReadAs<predicted_type>(prediction.data, i);
    const auto t = ReadAs<target_type>(target.data, i);
    for (++next; next < end && ReadAs<predicted_type>(prediction.data, next) == p &&
                 ReadAs<target_type>(target.data, next) == t;) {
      ++next;
    }
    const auto predicted = predicted_places.find(static_cast<int64_t>(p));
    const auto wanted = target_places.find(static_cast<int64_t>(t));
    if (predicted == predicted_places.end() || wanted == target_places.end()) {
      const bool of_prediction = predicted == predicted_places.end();
      violations.Add(of_prediction ? "inputs.prediction" : "inputs.target",
                     absl::StrCat("has segment ", of_prediction ? static_cast<int64_t>(p) : static_cast<int64_t>(t),
                                  " in image ", n, "; allowed: 0 and those that ",
                                  of_prediction ? "segments" : "target_segments", " lists for it"));
      return;
    }
    common[uint64_t{wanted->second} << 32 | predicted->second] += next - i;
  }
  for (const auto& [pair, count] : common) {
    const Common own{static_cast<uint32_t>(pair >> 32), static_cast<uint32_t>(pair), count};
    image.common.push_back(own);
    image.targets[own.target].area += count;
    image.predicted[own.predicted].area += count;
  }
}

void CountImage(const TensorView& prediction, const TensorView& target, int64_t n, const Places& predicted_places,
                const Places& target_places, PanopticImage& image, Violations& violations) {
  const int64_t pixels = prediction.shape[1] * prediction.shape[2];
  WithDType(prediction.dtype, [&](auto predicted_type) {
    WithDType(target.dtype, [&](auto target_type) {
      constexpr DType kPredicted = decltype(predicted_type)::dtype, kTarget = decltype(target_type)::dtype;
      CountPixels<kPredicted, kTarget>(prediction, target, n, pixels, predicted_places, target_places, image,
                                       violations);
    });
  });
}

}  // namespace

absl::StatusOr<std::vector<PanopticImage>> ReadPanoptic(const MetricBatch& batch) {
  Violations violations;
  const TensorView* prediction = Whole(batch, "prediction", 3, 0, violations);
  const TensorView* target = Whole(batch, "target", 3, 0, violations);
  const TensorView* segments = Whole(batch, "segments", 2, 3, violations);
  const TensorView* target_segments = Whole(batch, "target_segments", 2, 4, violations);
  if (prediction != nullptr && target != nullptr && prediction->shape != target->shape) {
    violations.Add("inputs.target", absl::StrCat("has shape ", ShapeText(target->shape), "; a prediction of ",
                                                 ShapeText(prediction->shape), " needs the same"));
  }
  if (!violations.empty()) return violations.ToStatus();
  std::vector<PanopticImage> images(static_cast<size_t>(prediction->shape[0]));
  std::vector<Places> predicted_places, target_places;
  ReadSegments(*segments, "segments", images, &PanopticImage::predicted, predicted_places, violations);
  ReadSegments(*target_segments, "target_segments", images, &PanopticImage::targets, target_places, violations);
  if (!violations.empty()) return violations.ToStatus();
  for (size_t n = 0; n < images.size(); ++n) {
    CountImage(*prediction, *target, static_cast<int64_t>(n), predicted_places[n], target_places[n], images[n],
               violations);
    const auto& predicted = images[n].predicted;
    const auto empty = std::find_if(predicted.begin(), predicted.end(),
                                    [](const Segment& segment) { return segment.id != 0 && segment.area == 0; });
    if (violations.empty() && empty != predicted.end()) {
      violations.Add("inputs.segments", absl::StrCat("lists segment ", empty->id, " in image ", n,
                                                     ", of which the prediction has no pixel"));
    }
    if (!violations.empty()) return violations.ToStatus();
  }
  return images;
}

}  // namespace gradeline
