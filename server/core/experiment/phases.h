// Which ranks and heads report in which phase of an experiment.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_PHASES_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_PHASES_H_

#include <cstdint>
#include <vector>

#include "server/core/experiment/types.h"

namespace gradeline {

/// The ranks that report a phase: all, or the first.
bool Reports(const Training& training, Phase phase, int32_t rank);
std::vector<int32_t> ExpectedRanks(const Training& training, Phase phase);
bool ReportsIn(const ResolvedHead& head, Phase phase);
/// Whether any head reports in the phase.
bool HasPhase(const Experiment& experiment, Phase phase);
/// Whether one that is no evaluation does: then the phase has a loss.
bool HasLoss(const Experiment& experiment, Phase phase);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_PHASES_H_
