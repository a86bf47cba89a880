// Directives: what a seal tells the ranks to do next. Pure functions of complete seals in order, so that a crash
// between a seal and its directive, or a second computation, changes nothing.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_DIRECTIVE_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_DIRECTIVE_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/core/experiment/schedule.h"
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

/// Whether larger is better.
bool IsMaximised(const Measure& measure);

/// Checks what early stopping monitors and fills in the mode. The field is "training.earlyStopping.monitor".
absl::Status ResolveEarlyStopping(Experiment& experiment);

/// The value of a measure in a seal; nullopt if nothing counted there or it is not finite.
std::optional<double> ValueOf(const Experiment& experiment, const Measure& measure, const Seal& seal);

/// The phase whose seals decide the learning rate by what they measure; nullopt: it depends on the epoch alone.
std::optional<Phase> RatedBy(const Experiment& experiment);

/// What `epoch` trains with. `before`: with RatedBy, the complete seal of that phase with the highest earlier epoch
/// that decided a rate.
Rate RateOf(const Experiment& experiment, int64_t epoch, const std::optional<Seal>& before);

/// Lets a seal of the phase of RatedBy decide the rate of the next epoch. `rated`: the seal before it that did so, of
/// whatever attempt; nullopt: the schedule begins.
void DecideRate(const Experiment& experiment, const Seal& seal, const std::optional<Seal>& rated, Directive& directive);

/// Whether seals of the phase carry a directive: train, and the monitored phases.
bool HasDirective(const Experiment& experiment, Phase phase);

/// The directive of a complete seal. `before`: the complete seal of the same phase with the highest earlier epoch, of
/// the newest attempt that has it. Its best value counts on; the epochs without improvement are counted within an
/// attempt. Better: by at least min_delta, and by more than nothing. The last epoch has nothing to stop; what an
/// attempt was told once stays said. Without the rate of a schedule that looks at a measure: see DecideRate.
Directive Decide(const Experiment& experiment, const Seal& seal, const std::optional<Seal>& before);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_DIRECTIVE_H_
