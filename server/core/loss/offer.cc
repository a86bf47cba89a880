#include "server/core/loss/offer.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/loss/known_training.h"
#include "server/core/loss/param_check.h"
#include "server/core/loss/params.h"

namespace gradeline {
namespace {

using Words = std::vector<std::string>;

constexpr size_t kLongestId = 63;

bool Contains(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool IsChoiceId(const std::string& id) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789_";
  return !id.empty() && id.size() <= kLongestId && id.find_first_not_of(kAllowed) == std::string::npos &&
         id[0] >= 'a' && id[0] <= 'z';
}

void CheckChoices(std::vector<ChoiceInfo>& choices, const std::string& kind, Violations& violations) {
  std::sort(choices.begin(), choices.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  for (const ChoiceInfo& choice : choices) {
    const std::string path = absl::StrCat(kind, ".", choice.id);
    if (!IsChoiceId(choice.id)) {
      violations.Add(path + ".id", absl::StrCat("is \"", choice.id, "\"; allowed: 1 to ", kLongestId,
                                                " characters of a-z, 0-9 and _, beginning with a letter"));
    }
    CheckParamSpecs(choice.params, path, violations);
  }
}

void CheckSchedulers(const std::vector<ChoiceInfo>& schedulers, Violations& violations) {
  Words ids;
  for (const ChoiceInfo& schedule : Schedules()) ids.push_back(schedule.id);
  for (const ChoiceInfo& scheduler : schedulers) {
    const std::string path = absl::StrCat("schedulers.", scheduler.id);
    const auto schedule = std::find_if(Schedules().begin(), Schedules().end(),
                                       [&](const ChoiceInfo& known) { return known.id == scheduler.id; });
    if (schedule != Schedules().end()) {
      CheckNarrows(scheduler.params, schedule->params, path, scheduler.id, violations);
    } else {
      violations.Add(path + ".id", absl::StrCat("is no schedule that the server computes; ", Hint(scheduler.id, ids)));
    }
  }
}

// Where 0 is a value of a field, it cannot also stand for one that is not given.
void CheckTraining(const std::vector<ParamSpec>& training, Violations& violations) {
  CheckParamSpecs(training, "training", violations);
  CheckNarrows(training, TrainingFields(), "training", "a training", violations);
  for (const ParamSpec& spec : training) {
    if (spec.kind == kMeasureKind || !ResolveParams({&spec, 1}, {{spec.name, 0.0}}).ok()) continue;
    if (spec.fallback.value_or(0) == 0) continue;
    violations.Add(absl::StrCat("training.parameters.", spec.name, ".default"),
                   absl::StrCat("is ", ParamText(*spec.fallback), "; allowed: 0, or a min above it"));
  }
}

void CheckRate(const ChoiceInfo& solver, const std::vector<ParamSpec>& training, Violations& violations) {
  const auto spec =
      std::find_if(training.begin(), training.end(), [](const ParamSpec& one) { return one.name == "learning_rate"; });
  if (!solver.learning_rate || spec == training.end()) return;
  const auto resolved = ResolveParams({&*spec, 1}, {{spec->name, *solver.learning_rate}});
  for (const FieldViolation& violation : FieldViolationsOf(resolved.status())) {
    violations.Add(absl::StrCat("solvers.", solver.id, ".learning_rate"), violation.description);
  }
}

}  // namespace

void CheckOffer(TrainingOffer& offer, const Words& tasks, Violations& violations) {
  CheckChoices(offer.solvers, "solvers", violations);
  CheckChoices(offer.schedulers, "schedulers", violations);
  CheckChoices(offer.augmentations, "augmentations", violations);
  CheckSchedulers(offer.schedulers, violations);
  for (const ChoiceInfo& augmentation : offer.augmentations) {
    const std::string path = absl::StrCat("augmentations.", augmentation.id, ".tasks");
    if (augmentation.tasks.empty()) violations.Add(path, "is empty; an augmentation is for at least one task");
    for (size_t i = 0; i < augmentation.tasks.size(); ++i) {
      const std::string& task = augmentation.tasks[i];
      if (!Contains(tasks, task)) {
        violations.Add(absl::StrCat(path, "[", i, "]"), absl::StrCat("is \"", task, "\"; ", Hint(task, tasks)));
      }
    }
  }
  if (offer.training.empty()) offer.training = TrainingFields();
  CheckTraining(offer.training, violations);
  for (const ChoiceInfo& solver : offer.solvers) CheckRate(solver, offer.training, violations);
}

}  // namespace gradeline
