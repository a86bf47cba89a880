#include "tests/bench/loss_cases.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace gradeline::bench {
namespace {

constexpr std::string_view kAll = "L2 64MiB 1GiB", kLarge = "64MiB 1GiB", kCold = "1GiB";
constexpr std::string_view kBoxes = "N=100 N=1000 N=1000000 1GiB";
constexpr std::string_view kFlat = "E=1e3 E=1e4 E=2e4 E=4e4 E=1e5 E=1e6 E=3e6 E=1e7 E=1e8";
constexpr Limit kCopy = Limit::kCopy, kTriad = Limit::kTriad, kSort = Limit::kSort, kNone = Limit::kNone;

// Limit goals are of batches that do not fit a cache; of what fits, only goals next to PyTorch are held to.
constexpr LossCase kCases[] = {
    {"cross_entropy", "", "rows", 10, kAll, kCopy, 0, 5},
    {"cross_entropy", "", "rows", 100, kLarge, kCopy, 0, 5},
    {"cross_entropy", "", "rows", 1000, kAll, kCopy, 0.7, 5},
    {"cross_entropy", "", "rows", 32000, kCold, kCopy, 0, 5},
    {"cross_entropy", "", "pixels", 2, kCold, kCopy, 0.35, 5},
    {"cross_entropy", "", "pixels", 19, kAll, kCopy, 0.5, 5},
    {"cross_entropy", "", "pixels", 81, kCold, kCopy, 0.5, 5},
    {"cross_entropy", "", "pixels", 150, kCold, kCopy, 0.5, 5},
    {"binary_cross_entropy", "", "reals", 0, kAll, kTriad, 0.6, 6},
    {"binary_cross_entropy", "", "values", 0, kAll, kTriad, 0, 6},
    {"mse", "", "values", 0, kAll, kTriad, 0.9, 2.5},
    {"l1", "", "values", 0, kAll, kTriad, 0, 0},
    {"smooth_l1", "", "values", 0, kAll, kTriad, 0.9, 2.5},
    {"huber", "", "values", 0, kAll, kTriad, 0, 0},
    {"focal/binary", "alpha=0.25", "values", 0, kAll, kTriad, 0, 8},
    {"focal", "activation=sigmoid;alpha=0.25", "rows", 80, kAll, kCopy, 0, 8},
    {"focal", "activation=softmax", "rows", 1000, kAll, kCopy, 0, 8},
    {"poly1_cross_entropy", "", "rows", 1000, kLarge, kCopy, 0, 0},
    {"class_balanced_cross_entropy", "samples_per_class=cycle", "rows", 1000, kLarge, kCopy, 0, 0},
    {"asymmetric", "", "rows", 80, kLarge, kTriad, 0, 0},
    {"kl_divergence", "", "rows", 1000, kLarge, kTriad, 0, 0},
    {"dice", "", "pixels", 2, kCold, kCopy, 0.35, 5},
    {"dice", "", "pixels", 19, kAll, kCopy, 0.5, 5},
    {"dice", "", "pixels", 150, kCold, kCopy, 0.5, 5},
    {"generalized_dice", "", "pixels", 19, kLarge, kCopy, 0, 0},
    {"jaccard", "", "pixels", 19, kLarge, kCopy, 0, 0},
    {"tversky", "", "pixels", 19, kLarge, kCopy, 0, 0},
    {"focal_tversky", "", "pixels", 19, kLarge, kCopy, 0, 0},
    {"dice_cross_entropy", "", "pixels", 19, kLarge, kCopy, 0, 0},
    {"cross_entropy_iou_2d", "", "pixels", 2, kCold, kCopy, 0.35, 5},
    {"cross_entropy_iou_2d", "", "pixels", 19, kAll, kCopy, 0.5, 5},
    {"cross_entropy_iou_2d", "", "pixels", 150, kCold, kCopy, 0.5, 5},
    {"lovasz_softmax", "", "pixels", 19, kAll, kSort, 0, 4},
    {"lovasz_hinge", "", "pixels", 0, kAll, kSort, 0, 4},
    {"ohem_cross_entropy", "k=0.25", "pixels", 19, kLarge, kCopy, 0, 0},
    {"boundary", "", "pixels", 19, kLarge, kTriad, 0, 0},
    {"bounding_box_regression", "type=smooth_l1", "boxes", 0, kBoxes, kTriad, 0, 0},
    {"bounding_box_regression", "type=giou", "boxes", 0, kBoxes, kTriad, 0, 6},
    {"bounding_box_regression", "type=diou", "boxes", 0, kBoxes, kTriad, 0, 0},
    {"bounding_box_regression", "type=ciou", "boxes", 0, kBoxes, kTriad, 0, 6},
    {"iou", "", "boxes", 0, kBoxes, kTriad, 0, 0},
    {"quality_focal", "", "rows", 80, kLarge, kCopy, 0, 0},
    {"distribution_focal", "", "sides", 17, kLarge, kCopy, 0, 0},
    {"varifocal", "", "rows", 80, kLarge, kCopy, 0, 0},
    {"seesaw", "", "rows", 1203, kLarge, kCopy, 0, 0},
    // What the host costs: hardly anything to compute.
    {"mse", "", "values", 0, "N=4", kNone, 0, 0},
    {"cross_entropy", "", "rows", 3, "N=4", kNone, 0, 0},
    {"dice", "", "rows", 3, "N=4", kNone, 0, 0},
    // How one loss of each family scales.
    {"mse", "", "values", 0, kFlat, kNone, 0, 0},
    {"cross_entropy", "", "rows", 100, kFlat, kNone, 0, 0},
    {"cross_entropy", "", "pixels", 19, kFlat, kNone, 0, 0},
    {"dice", "", "pixels", 19, kFlat, kNone, 0, 0},
    {"bounding_box_regression", "type=giou", "boxes", 0, kFlat, kNone, 0, 0},
    {"lovasz_softmax", "", "pixels", 19, kFlat, kNone, 0, 0},
};

}  // namespace

std::span<const LossCase> LossCases() { return kCases; }

std::vector<std::string_view> SizesOf(const LossCase& which) {
  std::vector<std::string_view> sizes;
  for (size_t begin = 0; begin < which.sizes.size();) {
    const size_t end = std::min(which.sizes.find(' ', begin), which.sizes.size());
    sizes.push_back(which.sizes.substr(begin, end - begin));
    begin = end + 1;
  }
  return sizes;
}

std::string NameOf(const LossCase& which) {
  std::string name(which.loss);
  if (!which.params.empty()) name.append(":").append(which.params);
  name.append("/").append(which.layout);
  if (which.classes > 0) absl::StrAppend(&name, "-", which.classes);
  return name;
}

}  // namespace gradeline::bench
