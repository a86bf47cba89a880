#include "server/core/metric/object_batch.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/metric/typed.h"

namespace gradeline {
namespace {

constexpr double kFarthest = 1e100;  // of coordinates and sizes: areas and their sums stay finite

/// Reads inputs one by one and collects what is wrong.
class InputReader {
 public:
  InputReader(const MetricBatch& batch, Violations& violations) : batch_(batch), violations_(violations) {}

  /// [rows] where `columns` is 0, else [rows, columns]. The first that is read with `rows` of -1 sets them. Empty if
  /// something is wrong, or if it is missing.
  template <typename Number>
  std::vector<Number> Read(const std::string& name, int64_t columns, int64_t& rows, bool optional = false) {
    constexpr bool kReal = std::is_same_v<Number, double>;
    const TensorView* tensor = batch_.Find(name);
    if (tensor == nullptr) {
      if (!optional) violations_.Add("inputs." + name, "is missing");
      return {};
    }
    if (IsReal(tensor->dtype) != kReal) {
      Wrong(name, absl::StrCat("has type ", std::string(NameOf(tensor->dtype)),
                               kReal ? "; allowed: f32, f64, f16, bf16" : "; allowed: u8, i32, i64"));
    }
    const bool form = tensor->shape.size() == (columns == 0 ? 1 : 2) && tensor->shape[0] >= 0 &&
                      (columns == 0 || tensor->shape[1] == columns);
    if (!form || (rows >= 0 && tensor->shape[0] != rows)) {
      const std::string count = rows >= 0 ? absl::StrCat(rows) : "N";
      Wrong(name, absl::StrCat("has shape ", ShapeText(tensor->shape), "; allowed: [", count,
                               columns == 0 ? "" : absl::StrCat(", ", columns), "]"));
      return {};
    }
    if (rows < 0) rows = tensor->shape[0];
    if (IsReal(tensor->dtype) != kReal) return {};
    std::vector<Number> values(static_cast<size_t>(tensor->shape[0] * std::max<int64_t>(1, columns)));
    WithDType(tensor->dtype, [&](auto type) {
      for (size_t i = 0; i < values.size(); ++i) {
        values[i] = static_cast<Number>(ReadAs<decltype(type)::dtype>(tensor->data, static_cast<int64_t>(i)));
      }
    });
    return values;
  }

  /// Names the first value that is not good.
  template <typename Number, typename Good>
  void Check(const std::string& name, const std::vector<Number>& values, int64_t columns, const std::string& allowed,
             Good good) {
    const auto wrong = std::find_if_not(values.begin(), values.end(), good);
    if (wrong == values.end()) return;
    Wrong(name, absl::StrCat("is ", *wrong, " at item ", (wrong - values.begin()) / std::max<int64_t>(1, columns),
                             "; allowed: ", allowed));
  }
  void Wrong(const std::string& name, std::string description) {
    violations_.Add("inputs." + name, std::move(description));
  }
  bool good() const { return violations_.empty(); }

 private:
  const MetricBatch& batch_;
  Violations& violations_;
};

void ReadBoxes(const std::string& name, std::string_view format, int64_t rows, InputReader& reader, ObjectList& list) {
  const std::vector<double> values = reader.Read<double>(name, 4, rows);
  reader.Check(name, values, 4, "finite numbers up to 1e100", [](double v) { return std::abs(v) <= kFarthest; });
  list.boxes.resize(values.size() / 4);
  list.areas.resize(list.boxes.size());
  for (size_t i = 0; i < list.boxes.size(); ++i) {
    const double* v = &values[4 * i];
    Box& box = list.boxes[i];
    box = {v[0], v[1], v[2], v[3]};
    if (format == "xyxy") box = {v[0], v[1], v[2] - v[0], v[3] - v[1]};
    if (format == "cxcywh") box = {v[0] - v[2] / 2, v[1] - v[3] / 2, v[2], v[3]};
    list.areas[i] = box.width * box.height;
  }
}

using MaskSizes = absl::flat_hash_map<int64_t, std::pair<int64_t, int64_t>>;  // by image

void ReadMasks(const std::string& prefix, int64_t rows, InputReader& reader, ObjectList& list, MaskSizes& sizes) {
  int64_t all_runs = -1;
  const auto size = reader.Read<int64_t>(prefix + "mask_sizes", 2, rows);
  const auto runs = reader.Read<int64_t>(prefix + "mask_runs", 0, rows);
  list.ends = reader.Read<int64_t>(prefix + "mask_counts", 0, all_runs);
  const auto not_negative = [](int64_t v) { return v >= 0; };
  reader.Check(prefix + "mask_sizes", size, 2, "0 and above", not_negative);
  reader.Check(prefix + "mask_runs", runs, 0, "0 and above", not_negative);
  if (!reader.good()) return;
  int64_t left = all_runs;
  list.mask_begin.push_back(0);
  for (size_t i = 0; i < runs.size(); ++i) {
    if (runs[i] > left) break;
    left -= runs[i];
    const size_t begin = list.mask_begin.back();
    list.mask_begin.push_back(begin + static_cast<size_t>(runs[i]));
    const int64_t height = size[2 * i], width = size[2 * i + 1];
    if (!RunEnds(absl::MakeSpan(list.ends).subspan(begin, static_cast<size_t>(runs[i])), height, width)) {
      return reader.Wrong(prefix + "mask_counts",
                          absl::StrCat("do not add up to ", height, " * ", width, " at mask ", i,
                                       "; allowed: runs of 0 and above that do, up to 2^53"));
    }
    list.areas.push_back(static_cast<double>(list.mask(i).area));
    const auto& [known, fresh] = sizes.try_emplace(list.images[i], height, width);
    if (known->second != std::pair(height, width)) {
      return reader.Wrong(prefix + "mask_sizes",
                          absl::StrCat("is ", height, ", ", width, " at mask ", i, "; another mask of image ",
                                       list.images[i], " has ", known->second.first, ", ", known->second.second));
    }
  }
  if (list.mask_begin.size() <= runs.size() || left != 0) {
    reader.Wrong(prefix + "mask_counts",
                 absl::StrCat("has ", all_runs, " counts; ", prefix, "mask_runs must add up to exactly that"));
  }
}

void ReadClasses(const std::string& prefix, int64_t& rows, InputReader& reader, ObjectList& list) {
  const auto classes = reader.Read<int64_t>(prefix + "classes", 0, rows);
  reader.Check(prefix + "classes", classes, 0, absl::StrCat("0 to ", kObjectLimit - 1),
               [](int64_t v) { return v >= 0 && v < kObjectLimit; });
  list.classes.assign(classes.begin(), classes.end());
  list.images = reader.Read<int64_t>(prefix + "images", 0, rows);
}

void SortOnce(std::vector<int64_t>& images) {
  if (!std::is_sorted(images.begin(), images.end())) std::sort(images.begin(), images.end());
  images.erase(std::unique(images.begin(), images.end()), images.end());
}

}  // namespace

absl::StatusOr<ObjectBatch> ReadObjects(const MetricBatch& batch, std::string_view box_format) {
  Violations violations;
  InputReader reader(batch, violations);
  ObjectBatch objects;
  int64_t detections = -1, targets = -1, evaluated = -1;
  objects.scores = reader.Read<double>("scores", 0, detections);
  reader.Check("scores", objects.scores, 0, "numbers", [](double v) { return !std::isnan(v); });
  ReadClasses("", detections, reader, objects.detections);
  ReadClasses("target_", targets, reader, objects.targets);
  for (const auto& [name, rows] : {std::pair("scores", detections), std::pair("target_classes", targets)}) {
    if (rows < kObjectLimit) continue;
    reader.Wrong(name, absl::StrCat("has ", rows, " objects; allowed: ", kObjectLimit - 1, " in a batch"));
  }
  if (batch.signal() == "instances") {
    MaskSizes sizes;
    ReadMasks("", detections, reader, objects.detections, sizes);
    ReadMasks("target_", targets, reader, objects.targets, sizes);
  } else {
    ReadBoxes("boxes", box_format, detections, reader, objects.detections);
    ReadBoxes("target_boxes", box_format, targets, reader, objects.targets);
  }
  const auto crowd = reader.Read<int64_t>("target_crowd", 0, targets, true);
  reader.Check("target_crowd", crowd, 0, "0, 1", [](int64_t v) { return v == 0 || v == 1; });
  const auto areas = reader.Read<double>("target_area", 0, targets, true);
  reader.Check("target_area", areas, 0, "finite numbers", [](double v) { return std::isfinite(v); });
  objects.images = reader.Read<int64_t>("evaluated_images", 0, evaluated, true);
  if (!violations.empty()) return violations.ToStatus();

  objects.crowd.assign(crowd.begin(), crowd.end());
  objects.crowd.resize(objects.targets.size());
  if (!areas.empty()) objects.targets.areas = areas;
  for (const ObjectList* list : {&objects.detections, &objects.targets}) {
    objects.images.insert(objects.images.end(), list->images.begin(), list->images.end());
  }
  SortOnce(objects.images);
  return objects;
}

ObjectGroups::ObjectGroups(const ObjectBatch& batch)
    : detections_(Ordered(batch.detections, &batch.scores)), targets_(Ordered(batch.targets, nullptr)) {
  indices_.resize(detections_.size() + targets_.size());
  for (size_t i = 0; i < detections_.size(); ++i) indices_[i] = detections_[i].index;
  for (size_t i = 0; i < targets_.size(); ++i) indices_[detections_.size() + i] = targets_[i].index;
}

std::vector<ObjectGroups::Key> ObjectGroups::Ordered(const ObjectList& list, const std::vector<double>* scores) {
  std::vector<Key> keys(list.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    keys[i] = {list.images[i], list.classes[i], static_cast<uint32_t>(i), scores == nullptr ? 0 : (*scores)[i]};
  }
  std::sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
    if (a.image != b.image) return a.image < b.image;
    if (a.class_id != b.class_id) return a.class_id < b.class_id;
    if (a.score != b.score) return a.score > b.score;
    return a.index < b.index;
  });
  return keys;
}

bool ObjectGroups::Next(ObjectGroup& group) {
  const bool detection = next_detection_ < detections_.size(), target = next_target_ < targets_.size();
  if (!detection && !target) return false;
  const auto place = [](const Key& key) { return std::pair(key.image, key.class_id); };
  std::pair<int64_t, int32_t> first = place(detection ? detections_[next_detection_] : targets_[next_target_]);
  if (target) first = std::min(first, place(targets_[next_target_]));
  const auto take = [&](const std::vector<Key>& keys, size_t& next) {
    const size_t begin = next;
    while (next < keys.size() && place(keys[next]) == first) ++next;
    return std::pair(begin, next - begin);
  };
  const auto [d, d_count] = take(detections_, next_detection_);
  const auto [t, t_count] = take(targets_, next_target_);
  const absl::Span<const uint32_t> all(indices_);
  group = {first.first, first.second, all.subspan(d, d_count), all.subspan(detections_.size() + t, t_count)};
  return true;
}

}  // namespace gradeline
