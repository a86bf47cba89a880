#include "server/wire/experiment.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/wire/dataset.h"
#include "server/wire/metric.h"
#include "server/wire/params.h"

namespace gradeline {
namespace {

// The names of an enum's values but the unspecified one, for messages.
std::string EnumNames(const google::protobuf::EnumDescriptor* descriptor) {
  std::string names;
  for (int i = 1; i < descriptor->value_count(); ++i) {
    absl::StrAppend(&names, i == 1 ? "" : ", ", descriptor->value(i)->name());
  }
  return names;
}

// Reads an enum's number into `out`; the unspecified one and one that is none leave it as it is.
template <typename T>
void ReadEnum(std::string field, int number, const google::protobuf::EnumDescriptor* descriptor, T* out,
              Violations* violations) {
  if (descriptor->FindValueByNumber(number) == nullptr) {
    violations->Add(std::move(field), absl::StrCat(number, " is unknown; allowed: ", EnumNames(descriptor)));
  } else if (number != 0) {
    *out = static_cast<T>(number);
  }
}

HeadLoss HeadLossFromProto(const std::string& field, const v1::HeadLoss& proto, Violations* violations) {
  HeadLoss loss;
  loss.head = proto.head();
  loss.loss = proto.loss();
  loss.params = ParamsFromProto(absl::StrCat(field, ".params"), proto.params(), violations);
  if (proto.has_weight()) loss.weight = proto.weight();
  Reduction reduction{};
  ReadEnum(absl::StrCat(field, ".reduction"), proto.reduction(), v1::Reduction_descriptor(), &reduction, violations);
  if (reduction != Reduction{}) loss.reduction = reduction;
  return loss;
}

EarlyStopping EarlyStoppingFromProto(const v1::EarlyStopping& proto, Violations* violations) {
  EarlyStopping stopping{proto.monitor(), std::nullopt, proto.patience(), proto.min_delta()};
  MonitorMode mode{};
  ReadEnum("training.earlyStopping.mode", proto.mode(), v1::MonitorMode_descriptor(), &mode, violations);
  if (mode != MonitorMode{}) stopping.mode = mode;
  return stopping;
}

// Numbers that are 0 stay so: the core takes the catalog's defaults.
Training TrainingFromProto(const v1::Training& proto, Violations* violations) {
  Training training;
  training.epochs = proto.epochs();
  training.batch_size = proto.batch_size();
  training.learning_rate = proto.learning_rate();
  training.workers = proto.workers();
  training.iterations = proto.iterations();
  training.seed = proto.seed();
  if (proto.world_size() != 0) training.world_size = proto.world_size();
  ReadEnum("training.rankMean", proto.rank_mean(), v1::RankMean_descriptor(), &training.rank_mean, violations);
  ReadEnum("training.validationRanks", proto.validation_ranks(), v1::PhaseRanks_descriptor(),
           &training.validation_ranks, violations);
  ReadEnum("training.testRanks", proto.test_ranks(), v1::PhaseRanks_descriptor(), &training.test_ranks, violations);
  if (proto.has_early_stopping()) {
    training.early_stopping = EarlyStoppingFromProto(proto.early_stopping(), violations);
  }
  ReadEnum("training.nonFinite", proto.non_finite(), v1::NonFinite_descriptor(), &training.non_finite, violations);
  training.solver = proto.solver();
  training.solver_params = ParamsFromProto("training.solverParameters", proto.solver_parameters(), violations);
  training.scheduler = proto.scheduler();
  training.scheduler_params = ParamsFromProto("training.schedulerParameters", proto.scheduler_parameters(), violations);
  for (int i = 0; i < proto.augmentations_size(); ++i) {
    const v1::ChosenAugmentation& from = proto.augmentations(i);
    const std::string field = absl::StrCat("training.augmentations[", i, "].parameters");
    training.augmentations.push_back({from.augmentation(), ParamsFromProto(field, from.parameters(), violations)});
  }
  return training;
}

v1::Training ToProto(const Training& training) {
  v1::Training proto;
  proto.set_epochs(training.epochs);
  proto.set_batch_size(training.batch_size);
  proto.set_learning_rate(training.learning_rate);
  proto.set_seed(training.seed);
  proto.set_world_size(training.world_size);
  proto.set_rank_mean(static_cast<v1::RankMean>(training.rank_mean));
  proto.set_validation_ranks(static_cast<v1::PhaseRanks>(training.validation_ranks));
  proto.set_test_ranks(static_cast<v1::PhaseRanks>(training.test_ranks));
  if (training.early_stopping) {
    v1::EarlyStopping* out = proto.mutable_early_stopping();
    out->set_monitor(training.early_stopping->monitor);
    if (training.early_stopping->mode) out->set_mode(static_cast<v1::MonitorMode>(*training.early_stopping->mode));
    out->set_patience(training.early_stopping->patience);
    out->set_min_delta(training.early_stopping->min_delta);
  }
  proto.set_non_finite(static_cast<v1::NonFinite>(training.non_finite));
  proto.set_solver(training.solver);
  if (!training.solver_params.empty()) *proto.mutable_solver_parameters() = ParamsToProto(training.solver_params);
  proto.set_scheduler(training.scheduler);
  if (!training.scheduler_params.empty()) {
    *proto.mutable_scheduler_parameters() = ParamsToProto(training.scheduler_params);
  }
  for (const ChosenAugmentation& chosen : training.augmentations) {
    v1::ChosenAugmentation* out = proto.add_augmentations();
    out->set_augmentation(chosen.augmentation);
    if (!chosen.params.empty()) *out->mutable_parameters() = ParamsToProto(chosen.params);
  }
  proto.set_workers(training.workers);
  proto.set_iterations(training.iterations);
  return proto;
}

v1::Directive ToProto(const Directive& directive) {
  v1::Directive proto;
  proto.set_stop(directive.stop);
  if (directive.learning_rate) proto.set_learning_rate(*directive.learning_rate);
  if (directive.momentum) proto.set_momentum(*directive.momentum);
  if (directive.best_epoch) proto.set_best_epoch(*directive.best_epoch);
  proto.set_best_value(directive.best_value);
  proto.set_stale_epochs(directive.stale_epochs);
  return proto;
}

v1::RefusedBatch ToProto(const RefusedBatch& batch, const std::vector<ResolvedHead>& heads) {
  v1::RefusedBatch proto;
  proto.set_rank(batch.rank);
  proto.set_step(batch.step);
  proto.set_head(heads.at(static_cast<size_t>(batch.head)).head);
  proto.set_part(batch.part);
  proto.set_code(batch.code);
  proto.set_reason(batch.refusal.reason);
  proto.set_component(batch.refusal.component);
  if (batch.refusal.item) proto.set_item(*batch.refusal.item);
  return proto;
}

}  // namespace

Experiment ExperimentFromProto(const v1::Experiment& proto, Violations* violations) {
  Experiment experiment;
  experiment.id = IdFromName("name", "experiments", proto.name(), violations);
  experiment.split = IdFromName("split", "splits", proto.split(), violations);
  experiment.architecture = proto.architecture();
  experiment.architecture_params =
      ParamsFromProto("architectureParameters", proto.architecture_parameters(), violations);
  for (int i = 0; i < proto.losses_size(); ++i) {
    experiment.losses.push_back(HeadLossFromProto(absl::StrCat("losses[", i, "]"), proto.losses(i), violations));
  }
  experiment.metrics.assign(proto.metrics().begin(), proto.metrics().end());
  experiment.training = TrainingFromProto(proto.training(), violations);
  experiment.labels = {proto.labels().begin(), proto.labels().end()};
  experiment.notes = proto.notes();
  return experiment;
}

v1::ResolvedHead ToProto(const ResolvedHead& head) {
  v1::ResolvedHead proto;
  proto.set_head(head.head);
  proto.set_signal(head.signal);
  proto.set_loss(head.loss);
  proto.set_loss_version(head.loss_version);
  proto.set_plugin_digest(head.plugin_digest);
  *proto.mutable_params() = ParamsToProto(head.params);
  proto.set_weight(head.weight);
  proto.set_reduction(static_cast<v1::Reduction>(head.reduction));
  proto.mutable_inputs()->Assign(head.inputs.begin(), head.inputs.end());
  proto.mutable_components()->Assign(head.components.begin(), head.components.end());
  proto.set_classes(head.classes);
  for (const ResolvedTerm& term : head.terms) {
    v1::ResolvedTerm* out = proto.add_terms();
    out->set_loss(term.loss);
    out->set_loss_version(term.loss_version);
    out->set_plugin_digest(term.plugin_digest);
    out->set_weight(term.weight);
  }
  for (const Phase phase : head.phases) proto.add_phases(static_cast<v1::Phase>(phase));
  return proto;
}

v1::Experiment ToProto(const Experiment& experiment) {
  v1::Experiment proto;
  proto.set_name(absl::StrCat("experiments/", experiment.id));
  proto.set_split(absl::StrCat("splits/", experiment.split));
  proto.set_architecture(experiment.architecture);
  if (!experiment.architecture_params.empty()) {
    *proto.mutable_architecture_parameters() = ParamsToProto(experiment.architecture_params);
  }
  for (const HeadLoss& loss : experiment.losses) {
    v1::HeadLoss* out = proto.add_losses();
    out->set_head(loss.head);
    out->set_loss(loss.loss);
    if (!loss.params.empty()) *out->mutable_params() = ParamsToProto(loss.params);
    if (loss.weight) out->set_weight(*loss.weight);
    if (loss.reduction) out->set_reduction(static_cast<v1::Reduction>(*loss.reduction));
  }
  proto.mutable_metrics()->Assign(experiment.metrics.begin(), experiment.metrics.end());
  *proto.mutable_training() = ToProto(experiment.training);
  proto.set_state(static_cast<v1::ExperimentState>(experiment.state));
  proto.set_state_reason(experiment.reason);
  if (experiment.state_ms != 0) *proto.mutable_state_time() = TimestampOf(experiment.state_ms);
  if (experiment.create_ms != 0) *proto.mutable_create_time() = TimestampOf(experiment.create_ms);
  proto.set_attempt(experiment.attempt);
  proto.set_revision(experiment.revision);
  proto.set_etag(absl::StrCat(experiment.etag));
  proto.set_task(experiment.task);
  for (const ResolvedHead& head : experiment.heads) *proto.add_heads() = ToProto(head);
  proto.set_catalog_digest(experiment.catalog_digest);
  proto.set_numerics(experiment.numerics);
  proto.mutable_labels()->insert(experiment.labels.begin(), experiment.labels.end());
  proto.set_notes(experiment.notes);
  if (experiment.delete_ms != 0) *proto.mutable_delete_time() = TimestampOf(experiment.delete_ms);
  return proto;
}

v1::Epoch ToProto(const Seal& seal, const std::vector<ResolvedHead>& heads, bool details) {
  v1::Epoch proto;
  proto.set_attempt(seal.attempt);
  proto.set_phase(static_cast<v1::Phase>(seal.phase));
  proto.set_epoch(seal.epoch);
  proto.set_verdict(seal.complete ? v1::SEAL_VERDICT_COMPLETE : v1::SEAL_VERDICT_PARTIAL);
  for (const int32_t rank : seal.missing_ranks) proto.add_missing_ranks(rank);
  proto.set_loss(seal.loss);
  proto.set_average(seal.average);
  for (const ComponentTotal& total : seal.components) {
    const ResolvedHead& head = heads.at(static_cast<size_t>(total.head));
    v1::ComponentTotal* out = proto.add_components();
    out->set_head(head.head);
    out->set_component(head.components.at(static_cast<size_t>(total.component)));
    out->set_numerator(total.numerator);
    out->set_denominator(total.denominator);
    out->set_value(total.value);
    out->set_weight(total.weight);
    out->set_batch_mean(total.batch_mean);
  }
  for (const MetricValue& metric : seal.metrics) {
    const ResolvedHead& head = heads.at(static_cast<size_t>(metric.head));
    *proto.add_metrics() = ToProto(head.head, metric.metric, metric.result, details);
  }
  proto.set_batches(seal.batches);
  proto.set_items(seal.items);
  for (const auto& [code, count] : seal.refused) {
    v1::RefusedCount* out = proto.add_refused();
    out->set_code(code);
    out->set_count(count);
  }
  proto.set_revision(seal.revision);
  *proto.mutable_seal_time() = TimestampOf(seal.seal_ms);
  if (seal.directive) *proto.mutable_directive() = ToProto(*seal.directive);
  if (seal.first_refused) *proto.mutable_first_refused() = ToProto(*seal.first_refused, heads);
  return proto;
}

v1::LateRank ToProto(const LateRank& late) {
  v1::LateRank proto;
  proto.set_rank(late.rank);
  proto.set_silent_ms(late.silent_ms);
  if (late.last) {
    proto.set_phase(static_cast<v1::Phase>(late.last->phase));
    proto.set_epoch(late.last->epoch);
    proto.set_step(late.last->step);
  }
  return proto;
}

v1::Attempt ToProto(const AttemptRow& attempt, const Experiment& experiment) {
  v1::Attempt proto;
  proto.set_attempt(attempt.attempt);
  proto.set_state(static_cast<v1::ExperimentState>(attempt.ended.value_or(experiment.state)));
  proto.set_state_reason(attempt.ended ? attempt.reason : experiment.reason);
  proto.set_first_epoch(attempt.first_epoch);
  proto.set_world_size(attempt.world_size);
  proto.set_numerics(attempt.numerics);
  proto.set_late_messages(attempt.late);
  return proto;
}

v1::Progress ToProto(const Progress& progress) {
  v1::Progress proto;
  proto.set_attempt(progress.attempt);
  proto.set_phase(static_cast<v1::Phase>(progress.phase));
  proto.set_epoch(progress.epoch);
  proto.set_batches(progress.batches);
  proto.set_items(progress.items);
  proto.set_loss(progress.loss);
  proto.set_average(progress.average);
  proto.set_ranks_joined(progress.ranks_joined);
  proto.set_world_size(progress.world_size);
  for (const LateRank& late : progress.suspect) *proto.add_suspect() = ToProto(late);
  return proto;
}

}  // namespace gradeline
