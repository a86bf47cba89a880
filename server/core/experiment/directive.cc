#include "server/core/experiment/directive.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/core/base/status.h"
#include "server/core/experiment/names.h"
#include "server/core/experiment/phases.h"
#include "server/core/metric/metric.h"

namespace gradeline {
namespace {

constexpr const char* kField = "training.earlyStopping";
constexpr int32_t kMostPatience = 100'000;

// The heads whose batches the metric is computed from in the phase.
std::vector<std::string> HeadsWith(const Experiment& experiment, Phase phase, const std::string& metric) {
  std::vector<std::string> heads;
  for (const ResolvedHead& head : experiment.heads) {
    const bool reports = std::find(head.phases.begin(), head.phases.end(), phase) != head.phases.end();
    if (reports && FindMetric(metric, head.signal).ok()) heads.push_back(head.head);
  }
  return heads;
}

std::string Allowed(const Experiment& experiment) {
  std::vector<std::string> allowed;
  for (const Phase phase : {Phase::kTrain, Phase::kValidation}) {
    if (!HasPhase(experiment, phase)) continue;
    allowed.push_back(absl::StrCat(NameOf(phase), ".loss"));
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

bool Better(const EarlyStopping& stopping, double value, double best) {
  const double gain = stopping.mode == MonitorMode::kMax ? value - best : best - value;
  return gain > 0 && gain >= stopping.min_delta;
}

}  // namespace

absl::StatusOr<Measure> FindMeasure(const Experiment& experiment, const std::string& monitor) {
  const std::vector<std::string> words = absl::StrSplit(monitor, '.');
  const auto phase = ParsePhase(words.front());
  if (phase && *phase != Phase::kTest && HasPhase(experiment, *phase) && (words.size() == 2 || words.size() == 3)) {
    Measure measure{*phase, "", words.back()};
    if (words.size() == 2 && measure.metric == "loss") {
      measure.metric.clear();
      return measure;
    }
    const auto& metrics = experiment.metrics;
    if (std::find(metrics.begin(), metrics.end(), measure.metric) != metrics.end()) {
      const std::vector<std::string> heads = HeadsWith(experiment, *phase, measure.metric);
      if (words.size() == 3) measure.head = words[1];
      if (words.size() == 2 && heads.size() == 1) measure.head = heads.front();
      if (std::find(heads.begin(), heads.end(), measure.head) != heads.end()) return measure;
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", monitor, "\" is no measure of the experiment; allowed: ", Allowed(experiment)));
}

absl::Status ResolveEarlyStopping(Experiment& experiment) {
  if (!experiment.training.early_stopping) return absl::OkStatus();
  EarlyStopping& stopping = *experiment.training.early_stopping;
  Violations violations;
  const absl::StatusOr<Measure> measure = FindMeasure(experiment, stopping.monitor);
  // Without heads the architecture is wrong, and says so.
  if (!experiment.heads.empty()) violations.Merge(absl::StrCat(kField, ".monitor"), measure.status());
  if (measure.ok() && !stopping.mode) {
    const auto found = std::find_if(Metrics().begin(), Metrics().end(),
                                    [&measure](const Metric* known) { return known->info().id == measure->metric; });
    const bool maximise = found != Metrics().end() && (*found)->info().maximise;
    stopping.mode = maximise ? MonitorMode::kMax : MonitorMode::kMin;
  }
  if (stopping.patience < 1 || stopping.patience > kMostPatience) {
    violations.Add(absl::StrCat(kField, ".patience"),
                   absl::StrCat(stopping.patience, "; allowed: 1 to ", kMostPatience));
  }
  if (!std::isfinite(stopping.min_delta) || stopping.min_delta < 0) {
    violations.Add(absl::StrCat(kField, ".minDelta"), absl::StrCat(stopping.min_delta, "; allowed: finite, 0 or more"));
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
      if (same && metric.count > 0) value = metric.value;
    }
  }
  return value && std::isfinite(*value) ? value : std::nullopt;
}

bool HasDirective(const Experiment& experiment, Phase phase) {
  if (phase == Phase::kTrain) return true;
  if (!experiment.training.early_stopping) return false;
  const absl::StatusOr<Measure> measure = FindMeasure(experiment, experiment.training.early_stopping->monitor);
  return measure.ok() && measure->phase == phase;
}

Directive Decide(const Experiment& experiment, const Seal& seal, const std::optional<Seal>& before) {
  Directive directive;
  directive.learning_rate = experiment.training.learning_rate;
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
