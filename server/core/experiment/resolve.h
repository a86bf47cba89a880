// What an experiment asks for, checked against catalog and registry, and resolved: every head with its loss, parameters
// and weight. Pure; stores nothing.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_RESOLVE_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_RESOLVE_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/experiment/rank_session.h"
#include "server/core/experiment/types.h"
#include "server/core/loss/registry.h"

namespace gradeline {

/// The same with the code FAILED_PRECONDITION.
absl::Status ToPrecondition(const absl::Status& status);

/// Fills task, heads, catalog digest and what the training leaves out of `experiment`. `split`: the split it names, or
/// why there is none. All violations at once, fields as in gradeline.v1.Experiment ("losses[0].params.gamma",
/// "training.worldSize"). When the only problem is a loss, architecture or metric that exists but is not valid here, or
/// a split that is not to be used (a FAILED_PRECONDITION in `split`), the code is FAILED_PRECONDITION; otherwise
/// INVALID_ARGUMENT. Both carry the violations. `dataset_classes`: of the split's dataset; 0: unknown.
absl::Status ResolveExperiment(const LossRegistry& registry, const absl::StatusOr<Split>& split, Experiment& experiment,
                               int64_t dataset_classes = 0);

/// The heads of a stored experiment with losses ready to compute, from what was resolved at its creation: the catalog
/// of today does not matter. FAILED_PRECONDITION if a loss is no longer loaded, or in another version (both named): all
/// violations at once, fields "heads[0]".
absl::StatusOr<std::vector<SessionHead>> LoadHeads(const LossRegistry& registry, const Experiment& experiment);

/// The same without the losses: enough to fold records, whatever is loaded today.
std::vector<SessionHead> HeadsForFold(const Experiment& experiment);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_RESOLVE_H_
