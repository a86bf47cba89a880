#include "server/core/experiment/resolve_training.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"
#include "server/core/experiment/directive.h"
#include "server/core/experiment/phases.h"
#include "server/core/metric/metric.h"

namespace gradeline {
namespace {

// A field's name in the catalog -> its path in an experiment.
const std::map<std::string, std::string>& Paths() {
  static const auto* const kPaths = new std::map<std::string, std::string>{
      {"epochs", "training.epochs"},
      {"iterations", "training.iterations"},
      {"batch_size", "training.batchSize"},
      {"learning_rate", "training.learningRate"},
      {"seed", "training.seed"},
      {"workers", "training.workers"},
      {"patience", "training.earlyStopping.patience"},
      {"min_delta", "training.earlyStopping.minDelta"},
  };
  return *kPaths;
}

const ParamSpec& FieldOf(const Catalog& catalog, const std::string& name) {
  const auto& fields = catalog.offer().training;
  return *std::find_if(fields.begin(), fields.end(), [&name](const ParamSpec& spec) { return spec.name == name; });
}

// Checks `value` as the catalog's field says. A 0 that the field does not allow was not given: the default is taken.
template <typename T>
void ResolveField(const Catalog& catalog, const std::string& name, T& value, Violations& violations) {
  const ParamSpec& spec = FieldOf(catalog, name);
  const bool given = value != T{} || ResolveParams({&spec, 1}, {{name, 0.0}}).ok();
  if (!given && spec.fallback) value = static_cast<T>(*spec.fallback);
  const auto resolved = ResolveParams({&spec, 1}, {{name, static_cast<double>(value)}});
  for (const FieldViolation& violation : FieldViolationsOf(resolved.status())) {
    violations.Add(Paths().at(name), violation.description);
  }
}

// Finds `id` in the catalog, checks the parameters and fills them in. nullptr if there is no such choice.
const ChoiceInfo* ResolveChoice(const absl::StatusOr<const ChoiceInfo*>& found, const std::string& field,
                                ParamMap& params, const std::string& params_field, Violations& violations) {
  if (!found.ok()) {
    violations.Add(field, std::string(found.status().message()));
    return nullptr;
  }
  absl::StatusOr<ParamMap> resolved = ResolveParams((*found)->params, params);
  violations.Merge(params_field, resolved.status());
  if (resolved.ok()) params = *std::move(resolved);
  return *found;
}

void RefuseParams(const ParamMap& params, const std::string& field, const char* what, Violations& violations) {
  if (!params.empty()) violations.Add(field, absl::StrCat("is given without a ", what));
}

constexpr size_t kMostMilestones = 1000;

// An epoch is a whole number, which a list of numbers cannot say by itself.
void CheckMilestones(const ParamMap& params, const std::string& field, Violations& violations) {
  const auto found = params.find("milestones");
  const auto* list = found == params.end() ? nullptr : std::get_if<std::vector<double>>(&found->second);
  if (list == nullptr) return;
  if (list->size() > kMostMilestones) {
    violations.Add(field + ".milestones",
                   absl::StrCat("has ", list->size(), " entries; allowed: up to ", kMostMilestones));
  }
  for (size_t i = 0; i < list->size(); ++i) {
    if (std::floor((*list)[i]) == (*list)[i]) continue;
    violations.Add(field + ".milestones",
                   absl::StrCat("has ", ParamText((*list)[i]), " at [", i, "]; allowed: whole epochs"));
  }
}

// What is off was not given, where something else is then taken.
void DropOff(ParamMap& params, const char* name) {
  const auto found = params.find(name);
  if (found != params.end() && found->second == ParamValue(std::string("off"))) params.erase(found);
}

// What an epoch's rate depends on besides the epoch, in one place for experiments and previews. `path` is the message
// that has the fields scheduler and learningRate, with its dot.
void ResolveSchedule(const Catalog& catalog, const std::string& id, double learning_rate, ParamMap& params,
                     const std::string& path, const std::string& params_field, Violations& violations) {
  // The lower end is checked against the upper one whoever gave it.
  DropOff(params, "base_lr");
  const bool taken = id == "cyclic_lr" && learning_rate > 0 && params.emplace("base_lr", learning_rate).second;
  Violations found;
  ResolveChoice(catalog.FindScheduler(id), path + "scheduler", params, params_field, found);
  CheckMilestones(params, params_field, found);
  for (const FieldViolation& violation : found.list()) {
    const bool of_rate = taken && violation.field == params_field + ".base_lr";
    violations.Add(of_rate ? path + "learningRate" : violation.field, violation.description);
  }
}

class TrainingResolver {
 public:
  TrainingResolver(const Catalog& catalog, Experiment& experiment, Violations& violations)
      : catalog_(catalog), experiment_(experiment), training_(experiment.training), violations_(violations) {}

  void Run() {
    const ChoiceInfo* solver = nullptr;
    if (training_.solver.empty()) {
      RefuseParams(training_.solver_params, "training.solverParameters", "solver", violations_);
    } else {
      solver = ResolveChoice(catalog_.FindSolver(training_.solver), "training.solver", training_.solver_params,
                             "training.solverParameters", violations_);
    }
    if (training_.learning_rate == 0 && solver != nullptr && solver->learning_rate) {
      training_.learning_rate = *solver->learning_rate;
    }
    ResolveField(catalog_, "epochs", training_.epochs, violations_);
    ResolveField(catalog_, "batch_size", training_.batch_size, violations_);
    if (training_.world_size < 1 || training_.world_size > 4096) {
      violations_.Add("training.worldSize",
                      absl::StrCat("is ", training_.world_size, "; allowed: integers in [1, 4096]"));
    }
    ResolveField(catalog_, "learning_rate", training_.learning_rate, violations_);
    ResolveField(catalog_, "seed", training_.seed, violations_);
    ResolveField(catalog_, "workers", training_.workers, violations_);
    ResolveField(catalog_, "iterations", training_.iterations, violations_);
    Scheduler(solver);
    for (size_t i = 0; i < training_.augmentations.size(); ++i) {
      Augmentation(training_.augmentations[i], absl::StrCat("training.augmentations[", i, "]"));
    }
    Stopping();
  }

 private:
  void Stopping() {
    violations_.Merge("", ResolveEarlyStopping(experiment_));
    if (!training_.early_stopping) return;
    ResolveField(catalog_, "patience", training_.early_stopping->patience, violations_);
    ResolveField(catalog_, "min_delta", training_.early_stopping->min_delta, violations_);
  }

  void Scheduler(const ChoiceInfo* solver) {
    ParamMap& params = training_.scheduler_params;
    const std::string field = "training.schedulerParameters";
    if (training_.scheduler.empty()) return RefuseParams(params, field, "scheduler", violations_);
    if (training_.scheduler == kReduceOnPlateau) Monitor(params, field);
    ResolveSchedule(catalog_, training_.scheduler, training_.learning_rate, params, "training.", field, violations_);
    const auto cycles = params.find("cycle_momentum");
    if (cycles == params.end() || cycles->second != ParamValue(true)) return;
    const bool has = solver != nullptr && std::any_of(solver->params.begin(), solver->params.end(),
                                                      [](const ParamSpec& spec) { return spec.name == "momentum"; });
    if (has) return;
    const std::string given = training_.solver.empty() ? "none is named" : training_.solver + " has none";
    violations_.Add(field + ".cycle_momentum", absl::StrCat("needs a solver with momentum; ", given));
  }

  // What the plateau is looked for in: as given, as early stopping's, or the loss.
  void Monitor(ParamMap& params, const std::string& field) {
    if (experiment_.heads.empty()) return;  // the architecture is wrong, and says so
    DropOff(params, "monitor");
    if (params.count("monitor") == 0) {
      const bool validates = HasPhase(experiment_, Phase::kValidation);
      params["monitor"] = training_.early_stopping ? training_.early_stopping->monitor
                                                   : std::string(validates ? "validation.loss" : "train.loss");
    }
    const auto* monitor = std::get_if<std::string>(&params["monitor"]);
    if (monitor == nullptr) return;  // of another kind, as its check says
    const absl::StatusOr<Measure> measure = FindMeasure(experiment_, *monitor);
    violations_.Merge(field + ".monitor", measure.status());
    if (measure.ok() && params.count("mode") == 0) params["mode"] = std::string(IsMaximised(*measure) ? "max" : "min");
  }

  void Augmentation(ChosenAugmentation& chosen, const std::string& field) {
    const auto found = catalog_.FindAugmentation(chosen.augmentation);
    Padding(found, chosen.params, field + ".parameters");
    const ChoiceInfo* augmentation =
        ResolveChoice(found, field + ".augmentation", chosen.params, field + ".parameters", violations_);
    if (augmentation == nullptr || experiment_.task.empty()) return;
    const auto& tasks = augmentation->tasks;
    if (std::find(tasks.begin(), tasks.end(), experiment_.task) != tasks.end()) return;
    violations_.Add(field + ".augmentation", absl::StrCat(chosen.augmentation, " is for ", absl::StrJoin(tasks, ", "),
                                                          ", not for task ", experiment_.task));
  }

  // New pixels of label maps are those that the losses ignore.
  void Padding(const absl::StatusOr<const ChoiceInfo*>& found, ParamMap& params, const std::string& field) {
    if (!found.ok()) return;
    const auto& specs = (*found)->params;
    const auto padding =
        std::find_if(specs.begin(), specs.end(), [](const ParamSpec& spec) { return spec.name == kLabelPadding; });
    if (padding == specs.end()) return;
    const absl::StatusOr<ParamMap> resolved = ResolveParams(specs, params);
    if (!padding->when.empty() && resolved.ok() && !RuleHolds(padding->when, *resolved)) return;
    for (const ResolvedHead& head : experiment_.heads) {
      const auto ignored = std::find_if(head.params.begin(), head.params.end(), [](const auto& param) {
        return param.first == "ignore_index" || absl::EndsWith(param.first, ".ignore_index");  // of a sum's term
      });
      if (!absl::StartsWith(head.signal, "pixel-") || ignored == head.params.end()) continue;
      const auto [given, taken] = params.emplace(kLabelPadding, ignored->second);
      if (taken || given->second == ignored->second) continue;
      violations_.Add(absl::StrCat(field, ".", kLabelPadding),
                      absl::StrCat("is ", ParamText(given->second), ", but head ", head.head, " ignores ",
                                   ParamText(ignored->second), ": filled pixels would be learned as a class"));
      return;
    }
  }

  const Catalog& catalog_;
  Experiment& experiment_;
  Training& training_;
  Violations& violations_;
};

}  // namespace

absl::Status ResolveTraining(const Catalog& catalog, Experiment& experiment) {
  Violations violations;
  experiment.asked_training = experiment.training;
  TrainingResolver(catalog, experiment, violations).Run();
  return violations.ToStatus();
}

absl::StatusOr<std::vector<Rate>> PreviewRates(const Catalog& catalog, SchedulePreview preview) {
  Violations violations, numbers;
  if (preview.epochs == 0 && !preview.losses.empty()) {
    preview.epochs = static_cast<int32_t>(std::min<size_t>(preview.losses.size() + 1, INT32_MAX));
  }
  ResolveField(catalog, "learning_rate", preview.learning_rate, numbers);
  ResolveField(catalog, "epochs", preview.epochs, numbers);
  for (const FieldViolation& violation : numbers.list()) {
    violations.Add(violation.field.substr(std::string("training.").size()), violation.description);
  }
  ResolveSchedule(catalog, preview.scheduler, preview.learning_rate, preview.params, "", "parameters", violations);
  if (!preview.losses.empty() && preview.scheduler != kReduceOnPlateau) {
    violations.Add("losses", absl::StrCat("has ", preview.losses.size(), "; only ", kReduceOnPlateau, " looks at any"));
  } else if (numbers.empty() && preview.losses.size() > static_cast<size_t>(preview.epochs)) {
    violations.Add("losses", absl::StrCat("has ", preview.losses.size(),
                                          "; allowed: one per epoch, of which there are ", preview.epochs));
  }
  if (!violations.empty()) return violations.ToStatus();
  Schedule schedule(preview.scheduler, preview.params, preview.learning_rate);
  std::vector<Rate> rates{schedule.rate()};
  const bool measures = preview.scheduler == kReduceOnPlateau;
  while (rates.size() < static_cast<size_t>(preview.epochs)) {
    const size_t epoch = rates.size() - 1;
    if (!measures) schedule.Step(std::numeric_limits<double>::quiet_NaN());
    if (measures && epoch < preview.losses.size()) schedule.Step(preview.losses[epoch]);
    rates.push_back(schedule.rate());
  }
  return rates;
}

}  // namespace gradeline
