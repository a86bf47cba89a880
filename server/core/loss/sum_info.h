// Private to this room: what a weighted sum of losses ("cross_entropy+dice") is, put together from its terms' tables.
// registry.h is the way in; it computes nothing.
#ifndef GRADELINE_SERVER_CORE_LOSS_SUM_INFO_H_
#define GRADELINE_SERVER_CORE_LOSS_SUM_INFO_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/loss/loss_info.h"
#include "server/core/loss/params.h"

namespace gradeline {

/// The ids of a sum's terms in order; of a single loss, the loss. Checks nothing.
std::vector<std::string> TermIds(std::string_view loss);

/// A sum has 2 to 8 terms, each a word that comes once. INVALID_ARGUMENT, without a field.
absl::Status CheckTerms(const std::vector<std::string>& terms);

/// "dice.smooth": what a term's parameter or component is called in a sum.
std::string NameInSum(std::string_view term, std::string_view name);

/// The component's name in a sum: the term's id where it has one component, else NameInSum.
std::string ComponentInSum(const LossInfo& term, size_t component);

/// The parameter that weighs a term: "dice.weight", a number of at least 0, 1 unless given.
std::string WeightOfTerm(const LossInfo& term);

/// The sum as one loss. Inputs: the union by name; of a name, the kinds (labels, reals) that every term with it takes.
/// Required is what any term requires. Signals and tasks: what all terms share. Items are independent if all terms'
/// are; the merge rule is the weakest. It has no functions, no plugin and no version of its own. INVALID_ARGUMENT,
/// without a field, where terms read an input differently (kind, encoding, differentiable or not), or two names would
/// be the same. Axes are not compared: each term binds the shapes itself. An encoding that a parameter decides is
/// compared once the parameters are known.
absl::StatusOr<std::shared_ptr<const LossInfo>> SumInfo(const std::vector<std::shared_ptr<const LossInfo>>& terms);

/// Losses `a` and `b` read input `name` differently: INVALID_ARGUMENT, without a field.
absl::Status Disagreement(const LossInfo& a, const LossInfo& b, const std::string& name, const std::string& of_a,
                          const std::string& of_b);

/// The one loss, or the sum of several.
absl::StatusOr<std::shared_ptr<const LossInfo>> InfoOf(const std::vector<std::shared_ptr<const LossInfo>>& terms);

/// For each tensor of `term`, its index among those of `sum`; nullopt: the sum does not take it.
std::vector<std::optional<size_t>> TensorsInSum(const LossInfo& sum, const LossInfo& term);

/// The values of `params` that belong to `term`, under the term's own names, its weight not among them.
ParamMap ParamsOfTerm(const LossInfo& term, const ParamMap& params);

/// `params` of a term under their names in a sum.
ParamMap ParamsInSum(const LossInfo& term, const ParamMap& params);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_LOSS_SUM_INFO_H_
