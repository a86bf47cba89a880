#include "server/core/engine/reduction.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"

namespace gradeline {
absl::Status NotFinite(const LossCall& call, size_t k, const std::string& what) {
  const std::string& name = call.loss.component_name(k);
  return WithReason(absl::OutOfRangeError(absl::StrCat("component ", name, ": ", what)), "NOT_FINITE",
                    {{"component", name}});
}

absl::Status CheckReduction(const LossCall& call, const LossInfo* loss) {
  Violations violations;
  const size_t given = call.normalisers.size();
  if (call.reduction != Reduction::kGiven && given > 0) {
    violations.Add("normalisers", absl::StrCat("has ", given, " entries; allowed: none but with reduction given"));
  } else if (call.reduction == Reduction::kGiven && loss != nullptr && given != loss->components.size()) {
    violations.Add("normalisers", absl::StrCat("has ", given, " entries; allowed: one per component of the loss, ",
                                               loss->components.size()));
  }
  for (size_t k = 0; k < given; ++k) {
    if (std::isfinite(call.normalisers[k]) && call.normalisers[k] > 0) continue;
    violations.Add(absl::StrCat("normalisers[", k, "]"),
                   absl::StrCat(call.normalisers[k], "; allowed: finite and above 0"));
  }
  if (!std::isfinite(call.gradient_scale)) {
    violations.Add("gradientScale", absl::StrCat(call.gradient_scale, "; allowed: finite numbers"));
  }
  if (loss == nullptr || (loss->flags & GDL_ITEMS_INDEPENDENT) != 0) return violations.ToStatus();
  const std::string why = absl::StrCat(" by ", loss->id, ", whose items depend on each other");
  if (call.item_losses) violations.Add("itemLosses", absl::StrCat("are not offered", why));
  if (call.reduction == Reduction::kNone) violations.Add("reduction", absl::StrCat("none is not offered", why));
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

absl::StatusOr<std::vector<double>> GradientScales(const LossCall& call, const std::vector<double>& divisors) {
  std::vector<double> scales(divisors.size());
  for (size_t k = 0; k < divisors.size(); ++k) {
    scales[k] = divisors[k] == 0 ? 0 : call.loss.component_weights()[k] * call.gradient_scale / divisors[k];
    if (std::isfinite(scales[k])) continue;
    return NotFinite(call, k,
                     absl::StrCat("the factor of its gradient is not finite: ", call.loss.component_weights()[k], " * ",
                                  call.gradient_scale, " / ", divisors[k]));
  }
  return scales;
}

absl::Status FillValues(const LossCall& call, const CallPlan& plan, const std::vector<double>& numerators,
                        const std::vector<double>& denominators, int64_t valid_items, LossResult& result) {
  const std::vector<double> divisors = Divisors(call, plan, denominators);
  result.empty = valid_items == 0 || std::all_of(divisors.begin(), divisors.end(), [](double d) { return d == 0; });
  result.valid_count = result.empty ? 0 : valid_items;
  for (size_t k = 0; k < divisors.size(); ++k) {
    ComponentResult component;
    component.weight = call.loss.component_weights()[k];
    component.numerator = numerators[k];
    component.denominator = denominators[k];
    component.divisor = divisors[k];
    component.loss = result.empty || divisors[k] == 0 ? 0 : numerators[k] / divisors[k];
    result.loss += component.weight * component.loss;
    result.components.push_back(component);
    if (std::isfinite(component.numerator) && std::isfinite(component.denominator) && std::isfinite(result.loss))
      continue;
    return NotFinite(call, k, absl::StrCat("is not finite: ", component.numerator, " / ", component.denominator));
  }
  return absl::OkStatus();
}

}  // namespace gradeline
