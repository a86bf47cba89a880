#include "server/wire/catalog.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace gradeline {
namespace {

template <typename Range>
void Copy(const Range& from, google::protobuf::RepeatedPtrField<std::string>* to) {
  to->Assign(from.begin(), from.end());
}

void SetFallback(const ParamSpec& spec, v1::Parameter* proto) {
  if (!spec.fallback) return;
  google::protobuf::Value* value = proto->mutable_default_value();
  if (spec.kind == GDL_BOOL) {
    value->set_bool_value(*spec.fallback != 0);
  } else if (spec.kind == GDL_CHOICE) {
    value->set_string_value(spec.choices[static_cast<size_t>(*spec.fallback)]);
  } else {
    value->set_number_value(*spec.fallback);
  }
}

// What solvers, schedulers and augmentations have in common.
template <typename Message>
Message ChoiceToProto(const char* collection, const ChoiceInfo& choice) {
  Message proto;
  proto.set_name(absl::StrCat(collection, "/", choice.id));
  proto.set_title(choice.title);
  proto.set_description(choice.doc);
  proto.set_link(choice.link);
  for (const ParamSpec& spec : choice.params) *proto.add_parameters() = ToProto(spec);
  return proto;
}

v1::LossInput InputToProto(const TensorSpec& spec) {
  v1::LossInput proto;
  proto.set_id(spec.name);
  proto.set_description(spec.doc);
  proto.set_dims(spec.dims);
  proto.set_label(spec.label());
  proto.set_optional(spec.optional());
  proto.set_differentiable(spec.gradient());
  proto.set_one_of(spec.one_of);
  proto.set_encoding(spec.encoding);
  return proto;
}

}  // namespace

v1::Task ToProto(const TaskInfo& task) {
  v1::Task proto;
  proto.set_name(absl::StrCat("tasks/", task.id));
  proto.set_title(task.title);
  proto.set_description(task.doc);
  Copy(task.metrics, proto.mutable_metrics());
  return proto;
}

v1::Parameter ToProto(const ParamSpec& spec) {
  v1::Parameter proto;
  proto.set_id(spec.name);
  proto.set_description(spec.doc);
  proto.set_kind(static_cast<v1::ParameterKind>(spec.kind));
  SetFallback(spec, &proto);
  const bool numeric = spec.kind == GDL_NUMBER || spec.kind == GDL_INTEGER || spec.kind == GDL_VECTOR;
  if (numeric && std::isfinite(spec.min)) proto.set_min(spec.min);
  if (numeric && std::isfinite(spec.max)) proto.set_max(spec.max);
  proto.set_min_exclusive(numeric && (spec.flags & GDL_MIN_OPEN) != 0);
  proto.set_max_exclusive(numeric && (spec.flags & GDL_MAX_OPEN) != 0);
  Copy(spec.choices, proto.mutable_choices());
  proto.set_unit(spec.unit);
  proto.set_group(spec.group);
  proto.set_axis(spec.axis);
  proto.set_when(spec.when);
  proto.set_optional((spec.flags & GDL_MAY_BE_OFF) != 0);
  proto.set_link(spec.link);
  Copy(spec.needs, proto.mutable_needs());
  return proto;
}

v1::Head ToProto(const Head& head) {
  v1::Head proto;
  proto.set_id(head.id);
  proto.set_signal(head.signal);
  proto.set_rows(head.rows);
  proto.set_classes(head.classes_of);
  proto.set_background(head.background);
  proto.set_normaliser(head.normaliser);
  proto.set_normaliser_rule(head.normaliser_rule);
  proto.set_weight(head.weight);
  proto.set_default_loss(head.default_loss);
  Copy(head.phases, proto.mutable_phases());
  return proto;
}

v1::Architecture ToProto(const ArchitectureInfo& architecture, const std::vector<Head>& heads) {
  v1::Architecture proto;
  proto.set_name(absl::StrCat("architectures/", architecture.id));
  proto.set_title(architecture.title);
  proto.set_description(architecture.doc);
  Copy(architecture.tasks, proto.mutable_tasks());
  for (const ParamSpec& spec : architecture.params) *proto.add_parameters() = ToProto(spec);
  for (const Head& head : heads) *proto.add_heads() = ToProto(head);
  for (const EvaluationInfo& evaluation : architecture.evaluations) {
    v1::Evaluation* out = proto.add_evaluations();
    out->set_id(evaluation.id);
    out->set_signal(evaluation.signal);
  }
  return proto;
}

v1::Loss ToProto(const LossInfo& loss) {
  v1::Loss proto;
  proto.set_name(absl::StrCat("losses/", loss.id));
  proto.set_description(loss.doc);
  proto.set_version(loss.version);
  Copy(loss.signals, proto.mutable_signals());
  Copy(loss.tasks, proto.mutable_tasks());
  for (const TensorSpec& spec : loss.tensors) *proto.add_inputs() = InputToProto(spec);
  for (const ParamSpec& spec : loss.params) *proto.add_parameters() = ToProto(spec);
  for (const ComponentSpec& spec : loss.components) {
    v1::LossComponent* component = proto.add_components();
    component->set_id(spec.name);
    component->set_description(spec.doc);
    component->set_aggregate(spec.kind == GDL_AGGREGATE);
  }
  proto.set_merge(static_cast<v1::MergeRule>(loss.merge));
  if (loss.plugin) proto.set_plugin(absl::StrCat("plugins/", loss.plugin->name));
  return proto;
}

v1::LossOffer ToProto(const LossOffer& offer) {
  v1::LossOffer proto;
  *proto.mutable_loss() = ToProto(*offer.loss);
  switch (offer.verdict) {
    case LossVerdict::kDefault:
      proto.set_verdict(v1::LOSS_VERDICT_DEFAULT);
      break;
    case LossVerdict::kValid:
      proto.set_verdict(v1::LOSS_VERDICT_VALID);
      break;
    case LossVerdict::kRefused:
      proto.set_verdict(v1::LOSS_VERDICT_REFUSED);
      break;
  }
  proto.set_reason(offer.reason);
  Copy(offer.heads, proto.mutable_heads());
  return proto;
}

v1::Plugin ToProto(const PluginInfo& plugin) {
  v1::Plugin proto;
  proto.set_name(absl::StrCat("plugins/", plugin.name));
  proto.set_vendor(plugin.vendor);
  proto.set_version(plugin.version);
  proto.set_license(plugin.license);
  proto.set_source(plugin.source);
  proto.set_digest(plugin.digest);
  Copy(plugin.losses, proto.mutable_losses());
  proto.set_refusal(plugin.refusal);
  return proto;
}

v1::Solver SolverToProto(const ChoiceInfo& solver) {
  v1::Solver proto = ChoiceToProto<v1::Solver>("solvers", solver);
  proto.set_learning_rate(solver.learning_rate.value_or(0));
  return proto;
}

v1::Scheduler SchedulerToProto(const ChoiceInfo& scheduler) {
  return ChoiceToProto<v1::Scheduler>("schedulers", scheduler);
}

v1::Augmentation AugmentationToProto(const ChoiceInfo& augmentation) {
  v1::Augmentation proto = ChoiceToProto<v1::Augmentation>("augmentations", augmentation);
  Copy(augmentation.tasks, proto.mutable_tasks());
  proto.set_labels(augmentation.labels);
  return proto;
}

}  // namespace gradeline
