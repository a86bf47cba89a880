// What a batch's numerators are divided by, what its gradient is scaled with, and the numbers of the reply.
// Pure arithmetic; knows nothing of tiles.
#ifndef GRADELINE_SERVER_CORE_ENGINE_REDUCTION_H_
#define GRADELINE_SERVER_CORE_ENGINE_REDUCTION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/engine/call_plan.h"
#include "server/core/engine/engine.h"

namespace gradeline {

/// INVALID_ARGUMENT with all violations of "reduction", "normalisers", "gradientScale" and "itemLosses". `loss`: that
/// of the call; nullptr where it is not known, and then what depends on it is not looked at.
absl::Status CheckReduction(const LossCall& call, const LossInfo* loss);

/// One divisor per component: 1 for aggregates.
std::vector<double> Divisors(const LossCall& call, const CallPlan& plan, const std::vector<double>& denominators);

/// The factor of each component's gradient: weight * gradient_scale / divisor; 0 where the divisor is 0. OUT_OF_RANGE,
/// reason NOT_FINITE, names the first component whose factor overflows.
absl::StatusOr<std::vector<double>> GradientScales(const LossCall& call, const std::vector<double>& divisors);

/// Fills loss, components, valid_count and empty. A batch is empty when `valid_items` is 0 or every divisor is.
/// OUT_OF_RANGE, reason NOT_FINITE, names the first component whose numbers overflowed: nothing can be added to them.
absl::Status FillValues(const LossCall& call, const CallPlan& plan, const std::vector<double>& numerators,
                        const std::vector<double>& denominators, int64_t valid_items, LossResult& result);

/// OUT_OF_RANGE, reason NOT_FINITE, about component `k` of the call's loss.
absl::Status NotFinite(const LossCall& call, size_t k, const std::string& what);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_ENGINE_REDUCTION_H_
