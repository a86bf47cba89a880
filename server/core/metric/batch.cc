#include "server/core/metric/batch.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"

namespace gradeline {

MetricBatch::MetricBatch(std::string_view signal, std::vector<NamedTensor> tensors, int64_t ignore_index)
    : signal_(signal), tensors_(std::move(tensors)), ignore_index_(ignore_index) {}

const TensorView* MetricBatch::Find(std::string_view name) const {
  for (const NamedTensor& tensor : tensors_) {
    if (tensor.name == name) return &tensor.tensor;
  }
  return nullptr;
}

absl::StatusOr<const TensorView*> MetricBatch::Input(std::string_view name) const {
  if (const TensorView* found = Find(name)) return found;
  Violations violations;
  violations.Add("inputs." + std::string(name), "is missing");
  return violations.ToStatus();
}

absl::StatusOr<const Decisions*> MetricBatch::decisions() const {
  if (decisions_ == nullptr) {
    const absl::StatusOr<const TensorView*> prediction = Input("prediction"), target = Input("target");
    Violations violations;
    violations.Merge("", prediction.status());
    violations.Merge("", target.status());
    if (!violations.empty()) return violations.ToStatus();
    GRADELINE_ASSIGN_OR_RETURN(Decisions decisions, Decide(**prediction, **target, ignore_index_));
    decisions_ = std::make_unique<const Decisions>(std::move(decisions));
  }
  return decisions_.get();
}

}  // namespace gradeline
