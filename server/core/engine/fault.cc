#include "server/core/engine/fault.h"

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"
#include "server/core/engine/tile_tensor.h"

namespace gradeline {
namespace {

/// "[0, 17]", the indices of flat element `element`; empty for a scalar.
std::string IndexText(int64_t element, absl::Span<const int64_t> shape) {
  std::vector<int64_t> index(shape.size());
  for (size_t axis = shape.size(); axis-- > 0;) {
    index[axis] = element % shape[axis];
    element /= shape[axis];
  }
  return index.empty() ? "" : absl::StrCat("[", absl::StrJoin(index, ", "), "]");
}

std::string NumberText(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Inf" : "-Inf";
  if (value == std::floor(value) && std::fabs(value) < 1e15) return absl::StrCat(static_cast<int64_t>(value));
  char text[32];
  std::snprintf(text, sizeof(text), "%.9g", value);
  return text;
}

/// " is [5, 0, 3, 2]", the numbers of an item that has up to four (a box); else empty.
std::string ItemText(const TensorPlan& tensor, int64_t inner, int64_t item, const TensorView& view) {
  constexpr int64_t kMost = 4;
  if (!tensor.present || tensor.label || tensor.whole || tensor.small < 2 || tensor.small > kMost) return "";
  std::vector<std::string> numbers;
  for (int64_t k = 0; k < tensor.small; ++k) {
    const int64_t element = (item / inner * tensor.small + k) * inner + item % inner;
    numbers.push_back(NumberText(ValueAt(tensor.dtype, view.data, element)));
  }
  return absl::StrCat(" is [", absl::StrJoin(numbers, ", "), "]");
}

std::string Allowed(const TensorPlan& tensor) {
  if (tensor.label) {
    return absl::StrCat("labels lie in [0, ", tensor.label_size, ")",
                        tensor.ignore ? absl::StrCat(" or are ", *tensor.ignore, " (ignored)") : "");
  }
  if (!tensor.ranged) return "allowed are finite numbers";
  if (std::isinf(tensor.max)) return absl::StrCat("allowed are finite numbers of at least ", NumberText(tensor.min));
  if (std::isinf(tensor.min)) return absl::StrCat("allowed are finite numbers of at most ", NumberText(tensor.max));
  return absl::StrCat("allowed are numbers in [", NumberText(tensor.min), ", ", NumberText(tensor.max), "]");
}

}  // namespace

absl::Status ToStatus(const Fault& fault, const CallPlan& plan, absl::Span<const std::optional<TensorView>> views) {
  const TensorPlan& tensor = plan.tensors[fault.tensor];
  const TensorSpec& spec = plan.loss.info().tensors[fault.tensor];
  std::string field = absl::StrCat("inputs.", spec.name);
  std::string value, description;
  if (fault.element) {
    absl::StrAppend(&field, IndexText(*fault.element, views[fault.tensor]->shape));
    value = tensor.dtype == DType::kI64 && tensor.label
                ? absl::StrCat(LabelAt(views[fault.tensor]->data, *fault.element))
                : NumberText(ValueAt(tensor.dtype, views[fault.tensor]->data, *fault.element));
    description = absl::StrCat("is ", value, "; ", fault.what != nullptr ? fault.what : Allowed(tensor));
  } else {
    const std::string item = IndexText(fault.item, plan.binding.item_shape);
    description = absl::StrCat("item ", item.empty() ? "0" : item,
                               ItemText(tensor, plan.shape.inner, fault.item, *views[fault.tensor]), ": ", fault.what);
  }
  Violations violations;
  violations.Add(field, description);
  const bool finite = value != "NaN" && value != "Inf" && value != "-Inf";
  return WithReason(violations.ToStatus(), finite ? "BAD_VALUE" : "NOT_FINITE",
                    {{"input", spec.name}, {"item", absl::StrCat(fault.item)}, {"field", field}, {"value", value}});
}

}  // namespace gradeline
