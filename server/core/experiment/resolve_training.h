// How an experiment trains, checked against the catalog and filled in: numbers, solver, scheduler, augmentations. Pure.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_RESOLVE_TRAINING_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_RESOLVE_TRAINING_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/experiment/schedule.h"
#include "server/core/experiment/types.h"
#include "server/core/loss/catalog.h"

namespace gradeline {

/// Fills in what `experiment.training`, as asked for, leaves at 0 or does not name, and keeps it as asked for too: an
/// update changes that, so that what was filled in follows. Task and heads must be resolved, if they can be.
/// INVALID_ARGUMENT with all violations, fields below "training": "training.solverParameters.momentum".
absl::Status ResolveTraining(const Catalog& catalog, Experiment& experiment);

/// A schedule to look at: fields as in gradeline.v1.PreviewScheduleRequest.
struct SchedulePreview {
  std::string scheduler;
  ParamMap params;
  double learning_rate = 0;
  int32_t epochs = 0;
  std::vector<double> losses;
};

/// The rates of its epochs, by the checks and the computation that an experiment's have.
absl::StatusOr<std::vector<Rate>> PreviewRates(const Catalog& catalog, SchedulePreview preview);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_RESOLVE_TRAINING_H_
