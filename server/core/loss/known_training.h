// What this server itself knows of trainings: their numbers and the schedules that it computes, each with the widest
// range that it can do. The catalog's files have the same names and kinds and may only narrow.
#ifndef GRADELINE_SERVER_CORE_LOSS_KNOWN_TRAINING_H_
#define GRADELINE_SERVER_CORE_LOSS_KNOWN_TRAINING_H_

#include <vector>

#include "absl/types/span.h"
#include "server/core/base/status.h"
#include "server/core/loss/offer.h"

namespace gradeline {

/// Named as the fields of an experiment's training and of its early stopping.
const std::vector<ParamSpec>& TrainingFields();

/// Those of core/experiment/schedule.h, with their parameters. By id.
const std::vector<ChoiceInfo>& Schedules();

/// Adds what `specs` lacks of `known`, has besides it, or allows beyond it. `noun` is what they are parameters of, "a
/// training". Fields "<path>.parameters.<name>.min".
void CheckNarrows(absl::Span<const ParamSpec> specs, absl::Span<const ParamSpec> known, const std::string& path,
                  const std::string& noun, Violations& violations);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_LOSS_KNOWN_TRAINING_H_
