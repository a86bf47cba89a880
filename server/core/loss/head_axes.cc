#include "server/core/loss/head_axes.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/loss/dims.h"
#include "server/core/loss/signal.h"

namespace gradeline {
namespace {

std::vector<Dim> DimsOf(std::string_view text) {
  auto dims = ParseDims(text);
  return dims.ok() ? *std::move(dims) : std::vector<Dim>();
}

/// Where `axis` is among the dims of the loss's prediction; -1: nowhere.
int PositionOf(const LossInfo& loss, const std::string& axis) {
  for (const TensorSpec& spec : loss.tensors) {
    if (spec.name != "prediction") continue;
    const std::vector<Dim> dims = DimsOf(spec.dims);
    const auto found = std::find_if(dims.begin(), dims.end(), [&](const Dim& dim) { return dim.name == axis; });
    return found == dims.end() ? -1 : static_cast<int>(found - dims.begin());
  }
  return -1;
}

bool HasTail(const std::vector<Dim>& dims) { return !dims.empty() && dims.back().kind == Dim::Kind::kTail; }

}  // namespace

int64_t ClassesOf(const Head& head, int64_t dataset_classes) {
  const SignalInfo* signal = FindSignal(head.signal);
  if (signal == nullptr || signal->class_axis < 0 || head.classes_of != "all" || dataset_classes == 0) return 0;
  const bool own_class = head.background == "first" || head.background == "last";
  return dataset_classes + (own_class ? 1 : 0);
}

absl::Status CheckClassVectors(std::string_view signal, int64_t classes, const LossHandle& loss) {
  if (!loss.terms().empty()) {
    Violations of_terms;
    for (const LossTerm& term : loss.terms()) {
      of_terms.Merge("", InSum(term, CheckClassVectors(signal, classes, term.loss)));
    }
    return of_terms.ToStatus();
  }
  const SignalInfo* contract = FindSignal(signal);
  if (contract == nullptr) return absl::OkStatus();
  const std::vector<Dim> dims = DimsOf(contract->prediction);
  const int axes = static_cast<int>(dims.size()) - (HasTail(dims) ? 1 : 0);
  Violations violations;
  for (const ParamSpec& spec : loss.info().params) {
    const auto value = loss.params().find(spec.name);
    const int position = spec.axis.empty() ? -1 : PositionOf(loss.info(), spec.axis);
    if (position < 0 || value == loss.params().end()) continue;
    const auto* vector = std::get_if<std::vector<double>>(&value->second);
    const bool one_for_all = (spec.flags & GDL_ONE_FOR_ALL) != 0;
    if (vector == nullptr || (vector->size() == 1 && one_for_all)) continue;
    const std::string has = absl::StrCat("has ", vector->size(), vector->size() == 1 ? " value" : " values");
    if (position >= axes) {
      violations.Add(absl::StrCat("params.", spec.name),
                     absl::StrCat(has, "; the signal ", std::string(signal),
                                  " has no classes, allowed: ", one_for_all ? "one for all" : "none"));
    } else if (position == contract->class_axis && classes > 0 && static_cast<int64_t>(vector->size()) != classes) {
      violations.Add(absl::StrCat("params.", spec.name),
                     absl::StrCat(has, "; the head has ", classes, " classes, allowed: one per class",
                                  one_for_all ? ", or one for all" : ""));
    }
  }
  return violations.ToStatus();
}

absl::Status CheckHeadInputs(std::string_view signal, int64_t classes, const LossInfo& loss,
                             absl::Span<const std::optional<TensorView>> inputs) {
  const SignalInfo* contract = FindSignal(signal);
  const auto prediction = std::find_if(loss.tensors.begin(), loss.tensors.end(),
                                       [](const TensorSpec& spec) { return spec.name == "prediction"; });
  const auto index = static_cast<size_t>(prediction - loss.tensors.begin());
  if (contract == nullptr || index >= inputs.size() || !inputs[index]) return absl::OkStatus();
  const absl::Span<const int64_t> shape = inputs[index]->shape;
  const std::vector<Dim> dims = DimsOf(contract->prediction);
  const size_t axes = dims.size() - (HasTail(dims) ? 1 : 0);
  Violations violations;
  const auto refuse = [&](const std::string& what) {
    violations.Add("inputs.prediction",
                   absl::StrCat("has shape ", ShapeText(shape), "; a head of signal ", std::string(signal), " needs ",
                                std::string(contract->prediction), what));
  };
  if (shape.size() < axes || (shape.size() > axes && !HasTail(dims))) {
    refuse("");
    return violations.ToStatus();
  }
  for (size_t d = 0; d < axes; ++d) {
    if (dims[d].kind == Dim::Kind::kNumber && shape[d] != dims[d].number) refuse("");
  }
  if (contract->class_axis >= 0 && classes > 0 && shape[static_cast<size_t>(contract->class_axis)] != classes) {
    refuse(absl::StrCat(", ", dims[static_cast<size_t>(contract->class_axis)].name, " = ", classes, " classes"));
  }
  return violations.ToStatus();
}

}  // namespace gradeline
