// Experiments, epochs and progress between core and gradeline.v1.
#ifndef GRADELINE_SERVER_WIRE_EXPERIMENT_H_
#define GRADELINE_SERVER_WIRE_EXPERIMENT_H_

#include <vector>

#include "gradeline/v1/experiment.pb.h"
#include "server/core/base/status.h"
#include "server/core/experiment/store.h"
#include "server/core/experiment/types.h"

namespace gradeline {

/// The experiment as far as it can be read, output-only fields left aside. Adds the violations that the wire alone can
/// show: names that are none, unknown enum numbers, parameters of no known kind. Rules are the core's.
Experiment ExperimentFromProto(const v1::Experiment& proto, Violations* violations);
v1::Experiment ToProto(const Experiment& experiment);
v1::ResolvedHead ToProto(const ResolvedHead& head);
/// `heads`: those of the experiment, which seals name by number. `details`: curves and matrices of the metrics too.
v1::Epoch ToProto(const Seal& seal, const std::vector<ResolvedHead>& heads, bool details = false);
v1::LateRank ToProto(const LateRank& late);
v1::Progress ToProto(const Progress& progress);
/// `experiment`: whose state an open attempt has.
v1::Attempt ToProto(const AttemptRow& attempt, const Experiment& experiment);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_EXPERIMENT_H_
