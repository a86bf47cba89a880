#include "server/core/experiment/directive.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/core/base/status.h"
#include "server/core/experiment/names.h"
#include "server/core/experiment/phases.h"
#include "server/core/metric/metric_set.h"

namespace gradeline {
namespace {

constexpr const char* kField = "training.earlyStopping";

// The heads whose batches the metric is computed from in the phase.
std::vector<std::string> HeadsWith(const Experiment& experiment, Phase phase, const std::string& metric) {
  std::vector<std::string> heads;
  const absl::StatusOr<ChosenMetric> chosen = ChooseMetric(metric);
  if (!chosen.ok()) return heads;
  for (const ResolvedHead& head : experiment.heads) {
    if (ReportsIn(head, phase) && CheckSignal(*chosen->metric, head.signal).ok()) heads.push_back(head.head);
  }
  return heads;
}

// The experiment's metric that `text` means, as the experiment names it; empty if there is none. "accuracy(k=1)" means
// "accuracy".
std::string MetricMeant(const Experiment& experiment, const std::string& text) {
  const absl::StatusOr<ChosenMetric> meant = ChooseMetric(text);
  if (!meant.ok()) return "";
  for (const std::string& name : experiment.metrics) {
    const absl::StatusOr<ChosenMetric> known = ChooseMetric(name);
    if (known.ok() && *known == *meant) return name;
  }
  return "";
}

// "validation", "box", "f_score(beta=0.5)": the dots of parameters part nothing.
std::vector<std::string> WordsOf(const std::string& monitor) {
  const size_t open = std::min(monitor.find('('), monitor.size());
  std::vector<std::string> words = absl::StrSplit(monitor.substr(0, open), '.');
  words.back() += monitor.substr(open);
  return words;
}

std::string Allowed(const Experiment& experiment) {
  std::vector<std::string> allowed;
  for (const Phase phase : {Phase::kTrain, Phase::kValidation}) {
    if (!HasPhase(experiment, phase)) continue;
    if (HasLoss(experiment, phase)) allowed.push_back(absl::StrCat(NameOf(phase), ".loss"));
    for (const std::string& metric : experiment.metrics) {
      const std::vector<std::string> heads = HeadsWith(experiment, phase, metric);
      for (const std::string& head : heads) {
        allowed.push_back(heads.size() == 1 ? absl::StrCat(NameOf(phase), ".", metric)
                                            : absl::StrCat(NameOf(phase), ".", head, ".", metric));
      }
    }
  }
  return absl::StrJoin(allowed, ", ");
}

// What the schedule looks at; nullopt if it looks at nothing.
std::optional<Measure> ScheduleMeasure(const Experiment& experiment) {
  const Training& training = experiment.training;
  const auto monitor = training.scheduler_params.find("monitor");
  if (training.scheduler != kReduceOnPlateau || monitor == training.scheduler_params.end()) return std::nullopt;
  const absl::StatusOr<Measure> measure = FindMeasure(experiment, ParamText(monitor->second));
  return measure.ok() ? std::optional<Measure>(*measure) : std::nullopt;
}

Schedule ScheduleOf(const Training& training) {
  return Schedule(training.scheduler, training.scheduler_params, training.learning_rate);
}

// The schedule as the seal left it.
Schedule ScheduleAfter(const Training& training, const std::optional<Seal>& seal) {
  Schedule schedule = ScheduleOf(training);
  if (seal && seal->directive && seal->directive->learning_rate && seal->directive->plateau) {
    schedule.Resume(*seal->directive->learning_rate, *seal->directive->plateau);
  }
  return schedule;
}

bool Better(const EarlyStopping& stopping, double value, double best) {
  const double gain = stopping.mode == MonitorMode::kMax ? value - best : best - value;
  return gain > 0 && gain >= stopping.min_delta;
}

}  // namespace

absl::StatusOr<Measure> FindMeasure(const Experiment& experiment, const std::string& monitor) {
  const std::vector<std::string> words = WordsOf(monitor);
  const auto phase = ParsePhase(words.front());
  if (phase && *phase != Phase::kTest && HasPhase(experiment, *phase) && (words.size() == 2 || words.size() == 3)) {
    Measure measure{*phase, "", words.back()};
    if (words.size() == 2 && measure.metric == "loss" && HasLoss(experiment, *phase)) {
      measure.metric.clear();
      return measure;
    }
    measure.metric = MetricMeant(experiment, measure.metric);
    if (!measure.metric.empty()) {
      const std::vector<std::string> heads = HeadsWith(experiment, *phase, measure.metric);
      if (words.size() == 3) measure.head = words[1];
      if (words.size() == 2 && heads.size() == 1) measure.head = heads.front();
      if (std::find(heads.begin(), heads.end(), measure.head) != heads.end()) return measure;
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", monitor, "\" is no measure of the experiment; allowed: ", Allowed(experiment)));
}

bool IsMaximised(const Measure& measure) {
  const absl::StatusOr<ChosenMetric> chosen = ChooseMetric(measure.metric);
  return chosen.ok() && chosen->metric->maximise;
}

absl::Status ResolveEarlyStopping(Experiment& experiment) {
  if (!experiment.training.early_stopping) return absl::OkStatus();
  EarlyStopping& stopping = *experiment.training.early_stopping;
  Violations violations;
  const absl::StatusOr<Measure> measure = FindMeasure(experiment, stopping.monitor);
  // Without heads the architecture is wrong, and says so.
  if (!experiment.heads.empty()) violations.Merge(absl::StrCat(kField, ".monitor"), measure.status());
  if (measure.ok() && !stopping.mode) {
    stopping.mode = IsMaximised(*measure) ? MonitorMode::kMax : MonitorMode::kMin;
  }
  return violations.ToStatus();
}

std::optional<double> ValueOf(const Experiment& experiment, const Measure& measure, const Seal& seal) {
  std::optional<double> value;
  if (measure.metric.empty()) {
    if (seal.items > 0) value = seal.loss;
  } else {
    for (const MetricValue& metric : seal.metrics) {
      const bool same = metric.metric == measure.metric && experiment.heads[metric.head].head == measure.head;
      if (same && metric.result.count > 0) value = metric.result.value;
    }
  }
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::optional<Phase> RatedBy(const Experiment& experiment) {
  const std::optional<Measure> measure = ScheduleMeasure(experiment);
  return measure ? std::optional<Phase>(measure->phase) : std::nullopt;
}

Rate RateOf(const Experiment& experiment, int64_t epoch, const std::optional<Seal>& before) {
  if (RatedBy(experiment)) return ScheduleAfter(experiment.training, before).rate();
  Schedule schedule = ScheduleOf(experiment.training);
  while (schedule.epoch() < epoch) schedule.Step(std::numeric_limits<double>::quiet_NaN());
  return schedule.rate();
}

void DecideRate(const Experiment& experiment, const Seal& seal, const std::optional<Seal>& rated,
                Directive& directive) {
  const std::optional<Measure> measure = ScheduleMeasure(experiment);
  if (!measure || measure->phase != seal.phase) return;
  Schedule schedule = ScheduleAfter(experiment.training, rated);
  // A value that is none is no improvement.
  schedule.Step(ValueOf(experiment, *measure, seal).value_or(std::numeric_limits<double>::quiet_NaN()));
  directive.learning_rate = schedule.rate().learning_rate;
  directive.plateau = schedule.plateau();
}

bool HasDirective(const Experiment& experiment, Phase phase) {
  if (phase == Phase::kTrain || RatedBy(experiment) == phase) return true;
  if (!experiment.training.early_stopping) return false;
  const absl::StatusOr<Measure> measure = FindMeasure(experiment, experiment.training.early_stopping->monitor);
  return measure.ok() && measure->phase == phase;
}

Directive Decide(const Experiment& experiment, const Seal& seal, const std::optional<Seal>& before) {
  Directive directive;
  if (!RatedBy(experiment)) {
    const Rate rate = RateOf(experiment, seal.epoch + 1, std::nullopt);
    directive.learning_rate = rate.learning_rate;
    directive.momentum = rate.momentum;
  }
  if (!experiment.training.early_stopping) return directive;
  const EarlyStopping& stopping = *experiment.training.early_stopping;
  const absl::StatusOr<Measure> measure = FindMeasure(experiment, stopping.monitor);
  if (!measure.ok() || measure->phase != seal.phase) return directive;
  if (before && before->directive) {
    directive.best_epoch = before->directive->best_epoch;
    directive.best_value = before->directive->best_value;
    if (before->attempt == seal.attempt) {
      directive.stale_epochs = before->directive->stale_epochs;
      directive.stop = before->directive->stop;
    }
  }
  const std::optional<double> value = ValueOf(experiment, *measure, seal);
  if (value && (!directive.best_epoch || Better(stopping, *value, directive.best_value))) {
    directive.best_epoch = seal.epoch;
    directive.best_value = *value;
    directive.stale_epochs = 0;
  } else {
    ++directive.stale_epochs;
  }
  const bool last = seal.epoch + 1 >= experiment.training.epochs;
  directive.stop |= directive.stale_epochs >= stopping.patience && !last;
  return directive;
}

}  // namespace gradeline
