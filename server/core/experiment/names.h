// The words of experiments for people and for the database.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_NAMES_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_NAMES_H_

#include <optional>
#include <string_view>

#include "server/core/experiment/store.h"
#include "server/core/experiment/types.h"

namespace gradeline {

const char* NameOf(Phase phase);            ///< "train"
const char* NameOf(ExperimentState state);  ///< "RUNNING"
const char* NameOf(RankState state);        ///< "HELD"
std::optional<Phase> ParsePhase(std::string_view name);
std::optional<ExperimentState> ParseExperimentState(std::string_view name);
std::optional<RankState> ParseRankState(std::string_view name);

/// SUCCEEDED, EARLY_STOPPED, CANCELLED, FAILED or LOST: nothing more happens in this attempt.
bool IsTerminal(ExperimentState state);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_NAMES_H_
