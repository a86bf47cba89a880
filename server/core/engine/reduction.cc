#include "server/core/engine/reduction.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"

namespace gradeline {

absl::Status CheckReduction(const LossCall& call) {
  const LossInfo& info = call.loss.info();
  const size_t components = info.components.size();
  Violations violations;
  if (call.reduction < Reduction::kMean || call.reduction > Reduction::kNone) {
    violations.Add("reduction", absl::StrCat("is ", static_cast<int>(call.reduction), "; allowed are 1 to 5"));
  }
  if (call.reduction == Reduction::kGiven && call.normalisers.size() != components) {
    violations.Add("normalisers", absl::StrCat("has ", call.normalisers.size(), " values; reduction given needs ",
                                               components, ", one per component of ", info.id));
  }
  if (call.reduction != Reduction::kGiven && !call.normalisers.empty()) {
    violations.Add("normalisers", "may come with reduction given only");
  }
  for (size_t k = 0; k < call.normalisers.size(); ++k) {
    if (std::isfinite(call.normalisers[k]) && call.normalisers[k] > 0) continue;
    violations.Add(absl::StrCat("normalisers[", k, "]"),
                   absl::StrCat("is ", call.normalisers[k], "; allowed are finite numbers above 0"));
  }
  if (!std::isfinite(call.gradient_scale)) {
    violations.Add("gradient_scale", absl::StrCat("is ", call.gradient_scale, "; allowed are finite numbers"));
  }
  if ((info.flags & GDL_ITEMS_INDEPENDENT) == 0) {
    if (call.item_losses)
      violations.Add("item_losses", absl::StrCat("are not offered by ", info.id, ", whose items depend on each other"));
    if (call.reduction == Reduction::kNone) {
      violations.Add("reduction",
                     absl::StrCat("none is not offered by ", info.id, ", whose items depend on each other"));
    }
  }
  return violations.ToStatus();
}

std::vector<double> Divisors(const LossCall& call, const CallPlan& plan, const std::vector<double>& denominators) {
  const std::vector<ComponentSpec>& components = call.loss.info().components;
  std::vector<double> divisors(components.size(), 1);
  for (size_t k = 0; k < components.size(); ++k) {
    if (components[k].kind == GDL_AGGREGATE) continue;
    if (call.reduction == Reduction::kMean) divisors[k] = denominators[k];
    if (call.reduction == Reduction::kMeanAll) divisors[k] = static_cast<double>(plan.binding.items());
    if (call.reduction == Reduction::kGiven) divisors[k] = call.normalisers[k];
  }
  return divisors;
}

std::vector<double> GradientScales(const LossCall& call, const std::vector<double>& divisors) {
  std::vector<double> scales(divisors.size());
  for (size_t k = 0; k < divisors.size(); ++k) {
    scales[k] = divisors[k] == 0 ? 0 : call.loss.component_weights()[k] * call.gradient_scale / divisors[k];
  }
  return scales;
}

void FillValues(const LossCall& call, const CallPlan& plan, const std::vector<double>& numerators,
                const std::vector<double>& denominators, int64_t valid_items, LossResult& result) {
  const std::vector<ComponentSpec>& components = call.loss.info().components;
  bool nothing = valid_items == 0;
  if (!nothing) {
    nothing = true;
    for (size_t k = 0; k < components.size(); ++k) {
      nothing &= components[k].kind == GDL_ADDITIVE && denominators[k] == 0;
    }
  }
  result.empty = nothing;
  result.valid_count = nothing ? 0 : valid_items;
  const std::vector<double> divisors = Divisors(call, plan, denominators);
  for (size_t k = 0; k < components.size(); ++k) {
    ComponentResult component;
    component.weight = call.loss.component_weights()[k];
    component.numerator = numerators[k];
    component.denominator = denominators[k];
    component.loss = nothing || divisors[k] == 0 ? 0 : numerators[k] / divisors[k];
    result.loss += component.weight * component.loss;
    result.components.push_back(component);
  }
}

}  // namespace gradeline
