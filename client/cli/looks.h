// The table columns of each kind of resource.
#ifndef GRADELINE_CLIENT_CLI_LOOKS_H_
#define GRADELINE_CLIENT_CLI_LOOKS_H_

#include "client/cli/output.h"

namespace gradeline::cli {

Look TaskLook();
Look ArchitectureLook();
Look LossOfferLook();
Look LossLook();
Look MetricLook();
Look SolverLook();
Look SchedulerLook();
Look AugmentationLook();
Look ParameterLook();
Look ScheduledRateLook();
Look DatasetLook();
Look SplitLook();
Look ItemLook();
Look ExperimentLook();
Look EpochLook();
Look AttemptLook();
Look PluginLook();

/// "2026-01-31 08:00:00" in UTC, "" for a time that is not set.
std::string ShortTime(int64_t unix_seconds);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_LOOKS_H_
