#include "server/core/experiment/resolve.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/ids.h"
#include "server/core/base/status.h"
#include "server/core/experiment/labels.h"
#include "server/core/experiment/names.h"
#include "server/core/experiment/resolve_training.h"
#include "server/core/loss/encoding.h"
#include "server/core/loss/head_axes.h"
#include "server/core/metric/metric_set.h"

namespace gradeline {

absl::Status ToPrecondition(const absl::Status& status) {
  absl::Status precondition(absl::StatusCode::kFailedPrecondition, status.message());
  status.ForEachPayload(
      [&precondition](absl::string_view url, const absl::Cord& payload) { precondition.SetPayload(url, payload); });
  return precondition;
}

namespace {

// Violations that know whether they all say "exists, but not here".
class Problems {
 public:
  void Add(std::string field, std::string description) {
    ++invalid_;
    violations_.Add(std::move(field), std::move(description));
  }
  void AddPrecondition(std::string field, std::string description) {
    violations_.Add(std::move(field), std::move(description));
  }
  // A status without violations is one of `field` itself.
  void Merge(std::string_view field, const absl::Status& status) {
    if (status.ok()) return;
    if (!absl::IsFailedPrecondition(status)) ++invalid_;
    violations_.Merge(field, status);
  }
  absl::Status ToStatus() const {
    absl::Status status = violations_.ToStatus();
    return status.ok() || invalid_ > 0 || violations_.list().size() > 1 ? status : ToPrecondition(status);
  }

 private:
  Violations violations_;
  int invalid_ = 0;
};

std::string Near(std::string_view word, const std::vector<std::string>& known) {
  const std::vector<std::string> near = NearNames(word, known);
  if (!near.empty()) return absl::StrCat("; did you mean ", absl::StrJoin(near, ", "), "?");
  return absl::StrCat("; there are ", known.empty() ? "none" : absl::StrJoin(known, ", "));
}

// The losses that head takes with nothing but defaults.
std::string ValidLosses(const LossRegistry& registry, std::string_view task, const Head& head) {
  std::vector<std::string> valid;
  for (const auto& loss : registry.losses()) {
    if (registry.Resolve(task, head, loss->id, {}).ok()) valid.push_back(loss->id);
  }
  return valid.empty() ? "no loaded loss is valid for it" : absl::StrCat("valid: ", absl::StrJoin(valid, ", "));
}

std::vector<std::string> InputTexts(const LossHandle& loss) {
  std::vector<std::string> texts;
  for (const TensorSpec& tensor : loss.info().tensors) {
    std::string text = absl::StrCat(tensor.name, ": ", tensor.dims);
    const std::string encoding = EncodingOf(tensor, loss.info().params, loss.params());
    if (!encoding.empty()) absl::StrAppend(&text, " ", encoding);
    if (tensor.label()) absl::StrAppend(&text, " labels");
    if (tensor.optional()) absl::StrAppend(&text, " (optional)");
    texts.push_back(std::move(text));
  }
  return texts;
}

// What a head's normaliser divides by. Positives are counted by the worker, who alone knows them.
Reduction ReductionOf(std::string_view normaliser) {
  if (normaliser == "items") return Reduction::kMeanAll;
  return normaliser == "valid_weight" ? Reduction::kMean : Reduction::kGiven;
}

// What must be loaded for the loss to be the same: itself, or the terms of the sum.
std::vector<ResolvedTerm> LoadedTerms(const LossHandle& handle) {
  const auto of = [](const LossInfo& info, double weight) {
    const bool built_in = info.plugin == nullptr || info.plugin->digest.empty();
    return ResolvedTerm{info.id, built_in ? "built-in" : info.plugin->digest, info.version, weight};
  };
  if (handle.terms().empty()) return {of(handle.info(), 1)};
  std::vector<ResolvedTerm> terms;
  for (const LossTerm& term : handle.terms()) terms.push_back(of(term.loss.info(), term.weight));
  return terms;
}

ResolvedHead MakeHead(const Head& head, const HeadLoss* asked, const LossHandle& handle) {
  ResolvedHead resolved;
  resolved.head = head.id;
  resolved.signal = head.signal;
  resolved.loss = handle.info().id;
  resolved.merge = handle.info().merge;
  std::vector<ResolvedTerm> terms = LoadedTerms(handle);
  if (handle.terms().empty()) {
    resolved.loss_version = terms[0].loss_version;
    resolved.plugin_digest = terms[0].plugin_digest;
  } else {
    resolved.terms = std::move(terms);
  }
  for (const LossTerm& term : handle.terms()) {
    const LossInfo& info = term.loss.info();
    resolved.component_merge.insert(resolved.component_merge.end(), info.components.size(), info.merge);
  }
  resolved.params = handle.params();
  resolved.weight = asked != nullptr && asked->weight ? *asked->weight : LossRegistry::WeightOf(head, handle);
  resolved.reduction = ReductionOf(head.normaliser);
  if (asked != nullptr && asked->reduction) resolved.reduction = *asked->reduction;
  resolved.inputs = InputTexts(handle);
  for (const ComponentSpec& component : handle.info().components) resolved.components.push_back(component.name);
  resolved.component_weights = handle.component_weights();
  for (const std::string& phase : head.phases) {
    if (const auto parsed = ParsePhase(phase)) resolved.phases.push_back(*parsed);
  }
  return resolved;
}

// Resolves the losses of an architecture's heads.
class HeadResolver {
 public:
  HeadResolver(const LossRegistry& registry, const Experiment& experiment, int64_t dataset_classes, Problems& problems)
      : registry_(registry), experiment_(experiment), dataset_classes_(dataset_classes), problems_(problems) {}

  std::vector<ResolvedHead> Run(const std::vector<Head>& heads) {
    CheckNames(heads);
    std::vector<ResolvedHead> resolved;
    for (const Head& head : heads) {
      const int asked = IndexFor(head);
      absl::StatusOr<LossHandle> handle = asked < 0 ? Default(head) : Asked(head, asked);
      if (!handle.ok()) continue;
      resolved.push_back(MakeHead(head, asked < 0 ? nullptr : &experiment_.losses[asked], *handle));
      resolved.back().classes = ClassesOf(head, dataset_classes_);
      const absl::Status fits = CheckClassVectors(head.signal, resolved.back().classes, *handle);
      if (fits.ok()) continue;
      asked < 0 ? problems_.Merge("losses", fits) : MergeOnce(asked, fits);
    }
    return resolved;
  }

 private:
  static std::string Path(int index) { return absl::StrCat("losses[", index, "]"); }

  // The entry that names the head itself, or else its base.
  int IndexFor(const Head& head) const {
    int of_base = -1;
    for (size_t i = 0; i < experiment_.losses.size(); ++i) {
      if (experiment_.losses[i].head == head.id) return static_cast<int>(i);
      if (experiment_.losses[i].head == head.base) of_base = static_cast<int>(i);
    }
    return of_base;
  }

  void CheckNames(const std::vector<Head>& heads) {
    std::vector<std::string> known;
    for (const Head& head : heads) {
      for (const std::string& name : {head.base, head.id}) {
        if (!name.empty() && std::find(known.begin(), known.end(), name) == known.end()) known.push_back(name);
      }
    }
    std::set<std::string> seen;
    for (size_t i = 0; i < experiment_.losses.size(); ++i) {
      const HeadLoss& asked = experiment_.losses[i];
      const std::string path = Path(static_cast<int>(i));
      if (std::find(known.begin(), known.end(), asked.head) == known.end()) {
        problems_.Add(path + ".head", absl::StrCat("\"", asked.head, "\" is not a head of ", experiment_.architecture,
                                                   Near(asked.head, known)));
      } else if (!seen.insert(asked.head).second) {
        problems_.Add(path + ".head", absl::StrCat("\"", asked.head, "\" is given twice"));
      }
      if (asked.weight && !(std::isfinite(*asked.weight) && *asked.weight >= 0)) {
        problems_.Add(path + ".weight", absl::StrCat(*asked.weight, " is not a finite number of at least 0"));
      }
      if (asked.reduction == Reduction::kNone) {
        problems_.Add(path + ".reduction",
                      "NONE gives a number per item; training needs one: MEAN, MEAN_ALL, SUM or GIVEN");
      }
    }
  }

  absl::StatusOr<LossHandle> Default(const Head& head) {
    const std::string field = "losses";
    if (head.default_loss.empty()) {
      problems_.AddPrecondition(field, absl::StrCat("head ", head.id, " has no default loss, name one; ",
                                                    ValidLosses(registry_, experiment_.task, head)));
      return absl::FailedPreconditionError("");
    }
    if (!registry_.Find(head.default_loss).ok()) {
      problems_.AddPrecondition(
          field, absl::StrCat("head ", head.id, ": its default loss ", head.default_loss, " is not loaded; ",
                              ValidLosses(registry_, experiment_.task, head)));
      return absl::FailedPreconditionError("");
    }
    absl::StatusOr<LossHandle> handle = registry_.Resolve(experiment_.task, head, head.default_loss, {});
    if (!handle.ok()) {
      const std::string text = absl::StrCat("head ", head.id, ": ", handle.status().message());
      absl::IsFailedPrecondition(handle.status()) ? problems_.AddPrecondition(field, text) : problems_.Add(field, text);
    }
    return handle;
  }

  absl::StatusOr<LossHandle> Asked(const Head& head, int index) {
    const HeadLoss& asked = experiment_.losses[index];
    if (asked.loss.empty()) {
      // No loss named: the default with other parameters or weight.
      absl::StatusOr<LossHandle> handle = registry_.Resolve(experiment_.task, head, head.default_loss, asked.params);
      if (!handle.ok() && absl::IsInvalidArgument(handle.status())) {
        MergeOnce(index, handle.status());
        return handle;
      }
      return handle.ok() ? handle : Default(head);
    }
    absl::StatusOr<LossHandle> handle = registry_.Resolve(experiment_.task, head, asked.loss, asked.params);
    if (!handle.ok()) MergeOnce(index, handle.status());
    return handle;
  }

  // An entry for a base may fail in the same way for each repetition of the head.
  void MergeOnce(int index, const absl::Status& status) {
    if (!merged_.insert(index).second) return;
    // Without a violation it is about the loss itself.
    problems_.Merge(FieldViolationsOf(status).empty() ? Path(index) + ".loss" : Path(index), status);
  }

  const LossRegistry& registry_;
  const Experiment& experiment_;
  const int64_t dataset_classes_;
  Problems& problems_;
  std::set<int> merged_;
};

// What is counted for a metric takes memory, for each head in each phase.
constexpr size_t kMostMetrics = 64;

// Names them as ChosenMetric does. `signals`: of the architecture's heads; empty if there are problems with it, and
// then names and parameters are checked alone.
void ResolveMetrics(Experiment& experiment, const std::vector<std::string>& signals, Problems& problems) {
  if (experiment.metrics.size() > kMostMetrics) {
    problems.Add("metrics", absl::StrCat("are ", experiment.metrics.size(), "; allowed: up to ", kMostMetrics));
    experiment.metrics.clear();
  }
  std::vector<ChosenMetric> seen;
  for (size_t i = 0; i < experiment.metrics.size(); ++i) {
    const std::string field = absl::StrCat("metrics[", i, "]");
    std::string& name = experiment.metrics[i];
    const absl::StatusOr<ChosenMetric> chosen = ChooseMetric(name);
    if (!chosen.ok()) {
      problems.Merge(field, chosen.status());
      continue;
    }
    name = chosen->name;
    if (std::find(seen.begin(), seen.end(), *chosen) != seen.end()) {
      problems.Add(field, absl::StrCat("\"", name, "\" is given twice"));
      continue;
    }
    seen.push_back(*chosen);
    absl::Status last;
    for (const std::string& signal : signals) {
      last = CheckSignal(*chosen->metric, signal);
      if (last.ok()) break;
    }
    problems.Merge(field, last);
  }
}

// What is sure not to fit is refused now, not with every batch.
void CheckMetricMemory(const Experiment& experiment, Problems& problems) {
  for (size_t i = 0; i < experiment.metrics.size(); ++i) {
    absl::Status room;
    for (const ResolvedHead& head : experiment.heads) {
      const MetricSet metric(head.signal, {experiment.metrics[i]}, experiment.metric_bytes);
      room.Update(metric.CheckClasses(head.classes));
    }
    problems.Merge(absl::StrCat("metrics[", i, "]"), room);
  }
}

// The evaluations that a metric of the experiment is computed of. They report where the training does not look.
void AddEvaluations(const ArchitectureInfo& architecture, Experiment& experiment) {
  for (const EvaluationInfo& evaluation : architecture.evaluations) {
    const MetricSet metrics(evaluation.signal, experiment.metrics, experiment.metric_bytes);
    if (metrics.empty()) continue;
    ResolvedHead head;
    head.head = evaluation.id;
    head.signal = evaluation.signal;
    head.phases = {Phase::kValidation, Phase::kTest};
    for (const MetricInput& input : metrics.inputs()) {
      head.inputs.push_back(absl::StrCat(input.name, ": ", input.doc, input.optional ? " (optional)" : ""));
    }
    experiment.heads.push_back(std::move(head));
  }
}

}  // namespace

absl::Status ResolveExperiment(const LossRegistry& registry, const absl::StatusOr<Split>& split, Experiment& experiment,
                               int64_t dataset_classes) {
  Problems problems;
  problems.Merge("name", CheckId(experiment.id));
  if (absl::IsNotFound(split.status())) {
    problems.Merge("split", absl::InvalidArgumentError(split.status().message()));
  } else {
    problems.Merge("", split.status());
  }
  experiment.task = split.ok() ? split->task : "";
  experiment.catalog_digest = registry.catalog().digest();
  experiment.heads.clear();
  const auto architecture = registry.catalog().FindArchitecture(experiment.task, experiment.architecture);
  problems.Merge("architecture", architecture.status());
  std::vector<std::string> signals;
  if (architecture.ok()) {
    const auto heads = registry.catalog().ResolveHeads(**architecture, experiment.architecture_params);
    problems.Merge("architectureParameters", heads.status());
    if (heads.ok() && split.ok())
      experiment.heads = HeadResolver(registry, experiment, dataset_classes, problems).Run(*heads);
    if (heads.ok()) {
      for (const Head& head : *heads) signals.push_back(head.signal);
      for (const EvaluationInfo& evaluation : (*architecture)->evaluations) signals.push_back(evaluation.signal);
    }
  }
  ResolveMetrics(experiment, signals, problems);
  CheckMetricMemory(experiment, problems);
  if (architecture.ok() && !experiment.heads.empty()) AddEvaluations(**architecture, experiment);
  problems.Merge("", ResolveTraining(registry.catalog(), experiment));
  problems.Merge("", CheckLabelsAndNotes(experiment));
  return problems.ToStatus();
}

std::vector<SessionHead> HeadsForFold(const Experiment& experiment) {
  std::vector<SessionHead> heads;
  for (const ResolvedHead& resolved : experiment.heads) {
    heads.push_back({resolved, LossHandle(), MetricSet(resolved.signal, experiment.metrics, experiment.metric_bytes)});
  }
  return heads;
}

namespace {

// The loss of a head as it was resolved, or why it is not loaded.
absl::StatusOr<LossHandle> LoadLoss(const LossRegistry& registry, const std::string& id, const ResolvedHead& resolved) {
  absl::StatusOr<LossHandle> handle = registry.ResolveAlone(resolved.loss, resolved.params);
  if (!handle.ok()) {
    return absl::FailedPreconditionError(absl::StrCat("head ", resolved.head, ": the loss ", resolved.loss,
                                                      " with which ", id,
                                                      " was made cannot be used: ", handle.status().message()));
  }
  std::vector<ResolvedTerm> made = resolved.terms;
  if (made.empty()) made.push_back({resolved.loss, resolved.plugin_digest, resolved.loss_version});
  const std::vector<ResolvedTerm> loaded = LoadedTerms(*handle);
  for (size_t i = 0; i < std::min(made.size(), loaded.size()); ++i) {
    if (made[i] == loaded[i]) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        "head ", resolved.head, ": ", id, " was made with ", made[i].loss, " version ", made[i].loss_version, " (",
        made[i].plugin_digest, "), loaded is version ", loaded[i].loss_version, " (", loaded[i].plugin_digest, ")"));
  }
  return handle;
}

}  // namespace

absl::StatusOr<std::vector<SessionHead>> LoadHeads(const LossRegistry& registry, const Experiment& experiment) {
  std::vector<SessionHead> heads = HeadsForFold(experiment);
  Violations violations;
  for (size_t i = 0; i < heads.size(); ++i) {
    if (heads[i].resolved.evaluation()) continue;
    absl::StatusOr<LossHandle> loss = LoadLoss(registry, experiment.id, heads[i].resolved);
    violations.Merge(absl::StrCat("heads[", i, "]"), loss.status());
    if (loss.ok()) heads[i].loss = *std::move(loss);
  }
  if (!violations.empty()) return ToPrecondition(violations.ToStatus());
  return heads;
}

}  // namespace gradeline
