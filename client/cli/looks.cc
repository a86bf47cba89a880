// See looks.h.
#include "client/cli/looks.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "gradeline/v1/admin.pb.h"
#include "gradeline/v1/catalog.pb.h"
#include "gradeline/v1/dataset.pb.h"
#include "gradeline/v1/experiment.pb.h"
#include "gradeline/v1/split.pb.h"

namespace gradeline::cli {
namespace {

template <typename Message>
auto IdOfName() {
  return [](const google::protobuf::Message& message) {
    return std::string(IdOf(static_cast<const Message&>(message).name()));
  };
}

template <typename Message>
Column IdColumn(const char* header) {
  return {header, IdOfName<Message>()};
}

std::string HeadIds(const v1::Architecture& architecture) {
  return absl::StrJoin(architecture.heads(), ",",
                       [](std::string* out, const v1::Head& head) { absl::StrAppend(out, head.id()); });
}

template <typename Message>
Column ParametersColumn() {
  return MakeColumn<Message>("PARAMETERS", [](const Message& message) {
    return absl::StrJoin(message.parameters(), ",", [](std::string* out, const v1::Parameter& parameter) {
      absl::StrAppend(out, parameter.id());
    });
  });
}

// "1..100000", "above 0", "a|b"; empty where everything goes.
std::string RangeOf(const v1::Parameter& parameter) {
  if (parameter.choices_size() > 0) return absl::StrJoin(parameter.choices(), "|");
  const std::string least = ShortNumber(parameter.min()), most = ShortNumber(parameter.max());
  if (parameter.has_min() && parameter.has_max()) {
    return absl::StrCat(parameter.min_exclusive() ? "above " : "", least, "..",
                        parameter.max_exclusive() ? "below " : "", most);
  }
  if (parameter.has_min()) return absl::StrCat(parameter.min_exclusive() ? "above " : "from ", least);
  if (parameter.has_max()) return absl::StrCat(parameter.max_exclusive() ? "below " : "to ", most);
  return "";
}

std::string DefaultOf(const v1::Parameter& parameter) {
  const google::protobuf::Value& value = parameter.default_value();
  switch (value.kind_case()) {
    case google::protobuf::Value::kNumberValue:
      return ShortNumber(value.number_value());
    case google::protobuf::Value::kBoolValue:
      return value.bool_value() ? "true" : "false";
    default:
      return value.string_value();
  }
}

std::string LossIds(const v1::Experiment& experiment) {
  if (experiment.heads_size() > 0) {
    std::vector<std::string> losses;
    for (const v1::ResolvedHead& head : experiment.heads()) {
      if (!head.loss().empty()) losses.push_back(absl::StrCat(head.head(), "=", head.loss()));  // else it has metrics
    }
    return absl::StrJoin(losses, ",");
  }
  return absl::StrJoin(experiment.losses(), ",", [](std::string* out, const v1::HeadLoss& loss) {
    absl::StrAppend(out, loss.head(), "=", loss.loss());
  });
}

std::string Labels(const v1::Experiment& experiment) {
  const std::map<std::string, std::string> in_order(experiment.labels().begin(), experiment.labels().end());
  return absl::StrJoin(in_order, ",", absl::PairFormatter("="));
}

// With the head where several have the metric.
std::string Metrics(const v1::Epoch& epoch) {
  std::map<std::string, int> heads;
  for (const v1::MetricValue& metric : epoch.metrics()) ++heads[metric.metric()];
  return absl::StrJoin(epoch.metrics(), ",", [&heads](std::string* out, const v1::MetricValue& metric) {
    if (heads[metric.metric()] > 1) absl::StrAppend(out, metric.head(), "/");
    absl::StrAppend(out, metric.metric(), "=", metric.count() == 0 ? "-" : ShortNumber(metric.value()));
  });
}

std::string Refused(const v1::Epoch& epoch) {
  int64_t count = 0;
  for (const v1::RefusedCount& refused : epoch.refused()) {
    count += refused.count();
  }
  return count == 0 ? "" : absl::StrCat(count);
}

std::string PhaseWord(v1::Phase phase) { return ShortEnum("PHASE_", v1::Phase_Name(phase)); }

}  // namespace

std::string ShortTime(int64_t unix_seconds) {
  return unix_seconds == 0
             ? ""
             : absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromUnixSeconds(unix_seconds), absl::UTCTimeZone());
}

Look TaskLook() {
  using T = v1::Task;
  return {{IdColumn<T>("TASK"), MakeColumn<T>("TITLE", [](const T& t) { return t.title(); }),
           MakeColumn<T>("METRICS", [](const T& t) { return absl::StrJoin(t.metrics(), ","); })},
          IdOfName<T>()};
}

Look ArchitectureLook() {
  using T = v1::Architecture;
  return {{IdColumn<T>("ARCHITECTURE"), MakeColumn<T>("TITLE", [](const T& t) { return t.title(); }),
           MakeColumn<T>("TASKS", [](const T& t) { return absl::StrJoin(t.tasks(), ","); }),
           MakeColumn<T>("HEADS", [](const T& t) { return HeadIds(t); })},
          IdOfName<T>()};
}

Look LossOfferLook() {
  using T = v1::LossOffer;
  return {{MakeColumn<T>("LOSS", [](const T& t) { return std::string(IdOf(t.loss().name())); }),
           MakeColumn<T>("VERDICT",
                         [](const T& t) { return ShortEnum("LOSS_VERDICT_", v1::LossVerdict_Name(t.verdict())); }),
           MakeColumn<T>("HEADS", [](const T& t) { return absl::StrJoin(t.heads(), ","); }),
           MakeColumn<T>("ABOUT", [](const T& t) { return t.reason().empty() ? t.loss().description() : t.reason(); })},
          [](const google::protobuf::Message& m) { return std::string(IdOf(static_cast<const T&>(m).loss().name())); }};
}

Look LossLook() {
  using T = v1::Loss;
  return {
      {IdColumn<T>("LOSS"), MakeColumn<T>("SIGNALS", [](const T& t) { return absl::StrJoin(t.signals(), ","); }),
       MakeColumn<T>("TASKS", [](const T& t) { return t.tasks_size() == 0 ? "any" : absl::StrJoin(t.tasks(), ","); }),
       ParametersColumn<T>(), MakeColumn<T>("PLUGIN", [](const T& t) { return std::string(IdOf(t.plugin())); })},
      IdOfName<T>()};
}

Look MetricLook() {
  using T = v1::Metric;
  return {
      {IdColumn<T>("METRIC"), MakeColumn<T>("BETTER", [](const T& t) { return t.maximise() ? "larger" : "smaller"; }),
       MakeColumn<T>("TASKS", [](const T& t) { return absl::StrJoin(t.tasks(), ","); }),
       MakeColumn<T>("HEADS", [](const T& t) { return absl::StrJoin(t.heads(), ","); }), ParametersColumn<T>(),
       MakeColumn<T>("ABOUT", [](const T& t) { return t.description(); })},
      IdOfName<T>()};
}

Look SolverLook() {
  using T = v1::Solver;
  return {
      {IdColumn<T>("SOLVER"),
       MakeColumn<T>("RATE", [](const T& t) { return t.learning_rate() == 0 ? "" : ShortNumber(t.learning_rate()); }),
       ParametersColumn<T>(), MakeColumn<T>("ABOUT", [](const T& t) { return t.description(); })},
      IdOfName<T>()};
}

Look SchedulerLook() {
  using T = v1::Scheduler;
  return {{IdColumn<T>("SCHEDULER"), ParametersColumn<T>(),
           MakeColumn<T>("ABOUT", [](const T& t) { return t.description(); })},
          IdOfName<T>()};
}

Look AugmentationLook() {
  using T = v1::Augmentation;
  return {{IdColumn<T>("AUGMENTATION"), ParametersColumn<T>(),
           MakeColumn<T>("LABELS", [](const T& t) { return t.labels(); }),
           MakeColumn<T>("ABOUT", [](const T& t) { return t.description(); })},
          IdOfName<T>()};
}

Look ParameterLook() {
  using T = v1::Parameter;
  return {
      {MakeColumn<T>("PARAMETER", [](const T& t) { return t.id(); }),
       MakeColumn<T>("KIND", [](const T& t) { return ShortEnum("PARAMETER_KIND_", v1::ParameterKind_Name(t.kind())); }),
       MakeColumn<T>("DEFAULT", DefaultOf), MakeColumn<T>("RANGE", RangeOf),
       MakeColumn<T>("UNIT", [](const T& t) { return t.unit(); }),
       MakeColumn<T>("ABOUT", [](const T& t) { return t.description(); })},
      [](const google::protobuf::Message& m) { return static_cast<const T&>(m).id(); }};
}

Look ScheduledRateLook() {
  using T = v1::ScheduledRate;
  return {{MakeColumn<T>("EPOCH", [](const T& t) { return absl::StrCat(t.epoch()); }),
           MakeColumn<T>("RATE", [](const T& t) { return ShortNumber(t.learning_rate()); }),
           MakeColumn<T>("MOMENTUM", [](const T& t) { return t.has_momentum() ? ShortNumber(t.momentum()) : ""; })},
          [](const google::protobuf::Message& m) { return absl::StrCat(static_cast<const T&>(m).epoch()); }};
}

Look DatasetLook() {
  using T = v1::Dataset;
  return {{IdColumn<T>("DATASET"), MakeColumn<T>("ITEMS", [](const T& t) { return absl::StrCat(t.item_count()); }),
           MakeColumn<T>("CLASSES", [](const T& t) { return absl::StrCat(t.classes_size()); }),
           MakeColumn<T>("CREATED", [](const T& t) { return ShortTime(t.create_time().seconds()); }),
           MakeColumn<T>("DELETED", [](const T& t) { return ShortTime(t.delete_time().seconds()); }),
           MakeColumn<T>("SOURCE", [](const T& t) { return t.source(); })},
          IdOfName<T>()};
}

Look SplitLook() {
  using T = v1::Split;
  return {{IdColumn<T>("SPLIT"),
           MakeColumn<T>("DATASET",
                         [](const T& t) {
                           std::vector<std::string> ids(1, std::string(IdOf(t.dataset())));
                           if (t.datasets_size() > 0) ids.clear();
                           for (const std::string& dataset : t.datasets()) ids.emplace_back(IdOf(dataset));
                           return absl::StrJoin(ids, ",");
                         }),
           MakeColumn<T>("TASK", [](const T& t) { return t.task(); }),
           MakeColumn<T>("STRATEGY",
                         [](const T& t) { return ShortEnum("SPLIT_STRATEGY_", v1::SplitStrategy_Name(t.strategy())); }),
           MakeColumn<T>("TRAIN", [](const T& t) { return absl::StrCat(t.train_count()); }),
           MakeColumn<T>("VALIDATION", [](const T& t) { return absl::StrCat(t.validation_count()); }),
           MakeColumn<T>("TEST", [](const T& t) { return absl::StrCat(t.test_count()); }),
           MakeColumn<T>("SEED", [](const T& t) { return absl::StrCat(t.seed()); })},
          IdOfName<T>()};
}

Look ItemLook() {
  using T = v1::Item;
  return {{MakeColumn<T>("ITEM", [](const T& t) { return absl::StrCat(t.index()); }),
           MakeColumn<T>(
               "LABEL",
               [](const T& t) { return t.has_label() ? absl::StrCat(t.label()) : absl::StrJoin(t.labels(), ","); }),
           MakeColumn<T>("GROUP", [](const T& t) { return t.group(); }),
           MakeColumn<T>("TAGS", [](const T& t) { return absl::StrJoin(t.tags(), ","); }),
           MakeColumn<T>("SUBSET", [](const T& t) { return t.subset(); }),
           MakeColumn<T>("URI", [](const T& t) { return t.uri(); })},
          [](const google::protobuf::Message& m) { return absl::StrCat(static_cast<const T&>(m).index()); }};
}

Look ExperimentLook() {
  using T = v1::Experiment;
  return {{IdColumn<T>("EXPERIMENT"),
           MakeColumn<T>("STATE",
                         [](const T& t) {
                           return ShortEnum("EXPERIMENT_STATE_", v1::ExperimentState_Name(t.state())) +
                                  (t.has_delete_time() ? ", deleted" : "");
                         }),
           MakeColumn<T>("ATTEMPT", [](const T& t) { return absl::StrCat(t.attempt()); }),
           MakeColumn<T>("TASK", [](const T& t) { return t.task(); }),
           MakeColumn<T>("ARCHITECTURE", [](const T& t) { return t.architecture(); }),
           MakeColumn<T>("SPLIT", [](const T& t) { return std::string(IdOf(t.split())); }),
           MakeColumn<T>("LOSSES", [](const T& t) { return LossIds(t); }),
           MakeColumn<T>("LABELS", [](const T& t) { return Labels(t); }),
           MakeColumn<T>("CREATED", [](const T& t) { return ShortTime(t.create_time().seconds()); })},
          IdOfName<T>()};
}

Look EpochLook() {
  using T = v1::Epoch;
  return {
      {MakeColumn<T>("ATTEMPT", [](const T& t) { return absl::StrCat(t.attempt()); }),
       MakeColumn<T>("PHASE", [](const T& t) { return PhaseWord(t.phase()); }),
       MakeColumn<T>("EPOCH", [](const T& t) { return absl::StrCat(t.epoch()); }),
       MakeColumn<T>("SEAL", [](const T& t) { return ShortEnum("SEAL_VERDICT_", v1::SealVerdict_Name(t.verdict())); }),
       MakeColumn<T>("LOSS", [](const T& t) { return ShortNumber(t.loss()); }),
       MakeColumn<T>("AVERAGE", [](const T& t) { return ShortNumber(t.average()); }),
       MakeColumn<T>("METRICS", [](const T& t) { return Metrics(t); }),
       MakeColumn<T>("BATCHES", [](const T& t) { return absl::StrCat(t.batches()); }),
       MakeColumn<T>("ITEMS", [](const T& t) { return absl::StrCat(t.items()); }),
       MakeColumn<T>("REFUSED", [](const T& t) { return Refused(t); })},
      [](const google::protobuf::Message& m) {
        const T& epoch = static_cast<const T&>(m);
        return absl::StrCat(epoch.attempt(), "/", PhaseWord(epoch.phase()), "/", epoch.epoch());
      }};
}

Look AttemptLook() {
  using T = v1::Attempt;
  return {
      {MakeColumn<T>("ATTEMPT", [](const T& t) { return absl::StrCat(t.attempt()); }),
       MakeColumn<T>("STATE",
                     [](const T& t) { return ShortEnum("EXPERIMENT_STATE_", v1::ExperimentState_Name(t.state())); }),
       MakeColumn<T>("FIRST EPOCH", [](const T& t) { return absl::StrCat(t.first_epoch()); }),
       MakeColumn<T>("RANKS", [](const T& t) { return absl::StrCat(t.world_size()); }),
       MakeColumn<T>("LATE", [](const T& t) { return t.late_messages() == 0 ? "" : absl::StrCat(t.late_messages()); }),
       MakeColumn<T>("REASON", [](const T& t) { return t.state_reason(); })},
      [](const google::protobuf::Message& m) { return absl::StrCat(static_cast<const T&>(m).attempt()); }};
}

Look PluginLook() {
  using T = v1::Plugin;
  return {{IdColumn<T>("PLUGIN"), MakeColumn<T>("VERSION", [](const T& t) { return t.version(); }),
           MakeColumn<T>("SOURCE", [](const T& t) { return t.source(); }),
           MakeColumn<T>("LOSSES", [](const T& t) { return absl::StrJoin(t.losses(), ","); }),
           MakeColumn<T>(
               "STATE",
               [](const T& t) { return t.refusal().empty() ? std::string("loaded") : "refused: " + t.refusal(); })},
          IdOfName<T>()};
}

}  // namespace gradeline::cli
