// What an update of an experiment says: the paths of its mask, and the experiment that they make of the stored one.
#ifndef GRADELINE_SERVER_WIRE_EXPERIMENT_MASK_H_
#define GRADELINE_SERVER_WIRE_EXPERIMENT_MASK_H_

#include <string>
#include <vector>

#include "google/protobuf/field_mask.pb.h"
#include "gradeline/v1/experiment.pb.h"
#include "server/core/base/status.h"
#include "server/core/experiment/types.h"

namespace gradeline {

/// The paths that `mask` stands for: itself, what it may name if it is "*", what `given` sets of that if it is empty.
/// Adds a violation of "updateMask" for each path that is none or is not to be changed, and leaves it out.
std::vector<std::string> PathsOfUpdate(const v1::Experiment& given, const google::protobuf::FieldMask& mask,
                                       Violations* violations);

/// `stored`, as asked for, with what `given` has at `paths`; see ExperimentFromProto for the violations.
Experiment MergedExperiment(const Experiment& stored, const v1::Experiment& given,
                            const std::vector<std::string>& paths, Violations* violations);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_EXPERIMENT_MASK_H_
