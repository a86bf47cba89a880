// Directives: what a seal tells the ranks to do next. Pure functions of complete seals in order, so that a crash
// between a seal and its directive, or a second computation, changes nothing.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_DIRECTIVE_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_DIRECTIVE_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/core/experiment/types.h"

namespace gradeline {

/// A number of a seal that can be monitored: "train.loss", "validation.accuracy", "validation.box.accuracy".
struct Measure {
  Phase phase = Phase::kValidation;
  std::string head;    ///< empty: the only one that has it
  std::string metric;  ///< empty: the loss
};

/// INVALID_ARGUMENT that says what is allowed, with the experiment's metrics. Its heads must be resolved. A measure of
/// a phase or a head that the experiment does not have is refused too.
absl::StatusOr<Measure> FindMeasure(const Experiment& experiment, const std::string& monitor);

/// Checks early stopping and fills in the mode. All violations, fields below "training.earlyStopping".
absl::Status ResolveEarlyStopping(Experiment& experiment);

/// The value of a measure in a seal; nullopt if nothing counted there or it is not finite.
std::optional<double> ValueOf(const Experiment& experiment, const Measure& measure, const Seal& seal);

/// Whether seals of the phase carry a directive: train, and the monitored phase.
bool HasDirective(const Experiment& experiment, Phase phase);

/// The directive of a complete seal. `before`: the complete seal of the same phase with the highest earlier epoch, of
/// the newest attempt that has it. Its best value counts on; the epochs without improvement are counted within an
/// attempt. Better: by at least min_delta, and by more than nothing. The last epoch has nothing to stop; what an
/// attempt was told once stays said.
Directive Decide(const Experiment& experiment, const Seal& seal, const std::optional<Seal>& before);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_DIRECTIVE_H_
