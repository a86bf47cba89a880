#include "server/core/loss/offer.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/loss/param_check.h"
#include "server/core/loss/params.h"

namespace gradeline {
namespace {

using Words = std::vector<std::string>;

// What core/experiment/schedule.h computes.
const Words kSchedulers{"cosine_annealing_lr",  "cyclic_lr", "exponential_lr", "multi_step_lr",
                        "reduce_lr_on_plateau", "step_lr"};
constexpr size_t kLongestId = 63;

bool Contains(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool IsChoiceId(const std::string& id) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789_";
  return !id.empty() && id.size() <= kLongestId && id.find_first_not_of(kAllowed) == std::string::npos &&
         id[0] >= 'a' && id[0] <= 'z';
}

ParamSpec Field(const char* name, uint32_t kind, double least, double most, double fallback, uint32_t flags = 0) {
  ParamSpec spec;
  spec.name = name;
  spec.kind = kind;
  spec.min = least;
  spec.max = most;
  spec.fallback = fallback;
  spec.flags = flags;
  return spec;
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

// The least and the greatest that a field takes must be among what the server can do.
void CheckTraining(const std::vector<ParamSpec>& training, Violations& violations) {
  CheckParamSpecs(training, "training", violations);
  Words names;
  for (const ParamSpec& field : TrainingFields()) names.push_back(field.name);
  Words lacking = names;
  for (const ParamSpec& spec : training) {
    const std::string path = absl::StrCat("training.parameters.", spec.name);
    const auto field = std::find_if(TrainingFields().begin(), TrainingFields().end(),
                                    [&spec](const ParamSpec& known) { return known.name == spec.name; });
    if (field == TrainingFields().end()) {
      violations.Add(path, absl::StrCat("is no parameter of a training; ", Hint(spec.name, names)));
      continue;
    }
    std::erase(lacking, spec.name);
    if (spec.kind != field->kind) violations.Add(path + ".kind", "is another than the server's");
    if (field->kind == kMeasureKind) continue;
    if ((spec.flags & GDL_MAY_BE_OFF) != 0) violations.Add(path + ".optional", "is true; the server needs a value");
    for (const auto& [at, end] : {std::pair{spec.min, ".min"}, std::pair{spec.max, ".max"}}) {
      if (at >= field->min && at <= field->max) continue;
      violations.Add(path + end, absl::StrCat("is ", ParamText(at), "; allowed: ", ParamText(field->min), " to ",
                                              ParamText(field->max)));
    }
    const bool open = (spec.flags & GDL_MIN_OPEN) != 0 || spec.min > field->min;
    if ((field->flags & GDL_MIN_OPEN) != 0 && !open) {
      violations.Add(path + ".min", absl::StrCat("is ", ParamText(spec.min), "; allowed: greater"));
    }
  }
  if (!lacking.empty()) violations.Add("training.parameters", absl::StrCat("lacks ", absl::StrJoin(lacking, ", ")));
}

}  // namespace

const std::vector<ParamSpec>& TrainingFields() {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  static const auto* const kFields = [] {
    auto* fields = new std::vector<ParamSpec>{
        Field("epochs", GDL_INTEGER, 1, 100'000, 10),
        Field("iterations", GDL_INTEGER, 0, 1 << 30, 0),
        Field("batch_size", GDL_INTEGER, 1, 1 << 20, 32),
        Field("learning_rate", GDL_NUMBER, 0, kInfinity, 0.01, GDL_MIN_OPEN),
        Field("seed", GDL_INTEGER, 0, 9007199254740992.0, 0),
        Field("workers", GDL_INTEGER, 0, 1024, 0),
        Field("patience", GDL_INTEGER, 1, 100'000, 5),
        Field("min_delta", GDL_NUMBER, 0, kInfinity, 0),
        Field("monitor", kMeasureKind, 0, 0, 0, GDL_MAY_BE_OFF),
    };
    fields->back().fallback.reset();
    return fields;
  }();
  return *kFields;
}

void CheckOffer(TrainingOffer& offer, const Words& tasks, Violations& violations) {
  CheckChoices(offer.solvers, "solvers", violations);
  CheckChoices(offer.schedulers, "schedulers", violations);
  CheckChoices(offer.augmentations, "augmentations", violations);
  for (const ChoiceInfo& scheduler : offer.schedulers) {
    if (Contains(kSchedulers, scheduler.id)) continue;
    violations.Add(absl::StrCat("schedulers.", scheduler.id, ".id"),
                   absl::StrCat("is no schedule that the server computes; ", Hint(scheduler.id, kSchedulers)));
  }
  for (const ChoiceInfo& solver : offer.solvers) {
    if (!solver.learning_rate || *solver.learning_rate > 0) continue;
    violations.Add(absl::StrCat("solvers.", solver.id, ".learning_rate"), "is not above 0");
  }
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
}

}  // namespace gradeline
