#include "server/core/experiment/phases.h"

#include <algorithm>

namespace gradeline {

bool Reports(const Training& training, Phase phase, int32_t rank) {
  if (rank == 0 || phase == Phase::kTrain) return true;
  return (phase == Phase::kValidation ? training.validation_ranks : training.test_ranks) == PhaseRanks::kAll;
}

std::vector<int32_t> ExpectedRanks(const Training& training, Phase phase) {
  std::vector<int32_t> ranks;
  for (int32_t rank = 0; rank < training.world_size; ++rank) {
    if (Reports(training, phase, rank)) ranks.push_back(rank);
  }
  return ranks;
}

bool ReportsIn(const ResolvedHead& head, Phase phase) {
  return std::find(head.phases.begin(), head.phases.end(), phase) != head.phases.end();
}

bool HasPhase(const Experiment& experiment, Phase phase) {
  const auto& heads = experiment.heads;
  return std::any_of(heads.begin(), heads.end(), [phase](const auto& head) { return ReportsIn(head, phase); });
}

bool HasLoss(const Experiment& experiment, Phase phase) {
  const auto& heads = experiment.heads;
  return std::any_of(heads.begin(), heads.end(),
                     [phase](const auto& head) { return !head.evaluation() && ReportsIn(head, phase); });
}

}  // namespace gradeline
