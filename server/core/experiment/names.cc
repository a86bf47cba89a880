#include "server/core/experiment/names.h"

#include <array>
#include <cstddef>

namespace gradeline {
namespace {

// Each list is in the order of its enum's numbers, from 1.
constexpr std::array<const char*, 3> kPhases = {"train", "validation", "test"};
constexpr std::array<const char*, 8> kStates = {"DRAFT",         "QUEUED",    "RUNNING", "SUCCEEDED",
                                                "EARLY_STOPPED", "CANCELLED", "FAILED",  "LOST"};
constexpr std::array<const char*, 4> kRankStates = {"FREE", "HELD", "GONE", "DONE"};

template <typename E, size_t n>
const char* Name(const std::array<const char*, n>& names, E value) {
  const size_t number = static_cast<size_t>(value);
  return number >= 1 && number <= n ? names[number - 1] : "?";
}

template <typename E, size_t n>
std::optional<E> Parse(const std::array<const char*, n>& names, std::string_view name) {
  for (size_t i = 0; i < n; ++i) {
    if (name == names[i]) return static_cast<E>(i + 1);
  }
  return std::nullopt;
}

}  // namespace

const char* NameOf(Phase phase) { return Name(kPhases, phase); }
const char* NameOf(ExperimentState state) { return Name(kStates, state); }
const char* NameOf(RankState state) { return Name(kRankStates, state); }
std::optional<Phase> ParsePhase(std::string_view name) { return Parse<Phase>(kPhases, name); }
std::optional<ExperimentState> ParseExperimentState(std::string_view name) {
  return Parse<ExperimentState>(kStates, name);
}
std::optional<RankState> ParseRankState(std::string_view name) { return Parse<RankState>(kRankStates, name); }

bool IsTerminal(ExperimentState state) { return state >= ExperimentState::kSucceeded; }

}  // namespace gradeline
