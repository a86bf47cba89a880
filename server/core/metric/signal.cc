#include "server/core/metric/signal.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

const TensorView* Find(const std::vector<NamedTensor>& tensors, const char* name) {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(), [name](const NamedTensor& tensor) { return tensor.name == name; });
  return found == tensors.end() ? nullptr : &found->tensor;
}

// By the axes: a class axis beside the target's, one axis, two, more. Decided classes have the target's shape too, and
// come first.
std::vector<std::string> Fitting(const TensorView& prediction, const TensorView& target) {
  const size_t axes = prediction.shape.size();
  if (axes == target.shape.size() + 1) return {"multiclass", "pixel-multiclass"};
  std::vector<std::string> fitting;
  if (!IsReal(prediction.dtype)) fitting = {"multiclass", "pixel-multiclass"};
  if (axes == 1) fitting.insert(fitting.end(), {"binary", "pixel-binary"});
  if (axes == 2) fitting.push_back("multilabel");
  if (axes == 3) fitting.push_back("pixel-binary");
  if (axes >= 4) fitting.push_back("pixel-multilabel");
  return fitting;
}

}  // namespace

absl::StatusOr<std::string> SignalOf(const Metric& metric, const std::string& asked,
                                     const std::vector<NamedTensor>& tensors) {
  if (!asked.empty()) {
    GRADELINE_RETURN_IF_ERROR(CheckSignal(metric, asked));
    return asked;
  }
  if (metric.signals.size() == 1) return metric.signals[0];
  const TensorView *prediction = Find(tensors, "prediction"), *target = Find(tensors, "target");
  if (prediction != nullptr && target != nullptr) {
    for (const std::string& signal : Fitting(*prediction, *target)) {
      if (CheckSignal(metric, signal).ok()) return signal;
    }
  } else if (Find(tensors, "mask_sizes") != nullptr && CheckSignal(metric, "instances").ok()) {
    return "instances";
  } else if (Find(tensors, "boxes") != nullptr && CheckSignal(metric, "detections").ok()) {
    return "detections";
  }
  Violations violations;
  violations.Add("signal",
                 absl::StrCat("is not clear from the inputs; allowed: ", absl::StrJoin(metric.signals, ", ")));
  return violations.ToStatus();
}

}  // namespace gradeline
