// Experiments, epochs and progress between core and gradeline.v1.
#ifndef GRADELINE_SERVER_WIRE_EXPERIMENT_H_
#define GRADELINE_SERVER_WIRE_EXPERIMENT_H_

#include <vector>

#include "absl/status/statusor.h"
#include "gradeline/v1/experiment.pb.h"
#include "server/core/experiment/types.h"

namespace gradeline {

/// Output-only fields are ignored. INVALID_ARGUMENT with all violations that the wire alone can show: names that are
/// none, unknown enum numbers, parameters of no known kind. Rules are the core's.
absl::StatusOr<Experiment> ExperimentFromProto(const v1::Experiment& proto);
v1::Experiment ToProto(const Experiment& experiment);
v1::ResolvedHead ToProto(const ResolvedHead& head);
/// `heads`: those of the experiment, which seals name by number.
v1::Epoch ToProto(const Seal& seal, const std::vector<ResolvedHead>& heads);
v1::Progress ToProto(const Progress& progress);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_EXPERIMENT_H_
