// See experiment_flags.h.
#include "client/cli/experiment_flags.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/commands.h"
#include "client/cli/context.h"
#include "client/cli/exit_code.h"
#include "client/cli/file.h"
#include "client/cli/fill.h"

namespace gradeline::cli {
namespace {

// The entry of a head, added if the head has none yet.
v1::HeadLoss* LossOf(const std::string& head, v1::Experiment* experiment) {
  for (v1::HeadLoss& loss : *experiment->mutable_losses()) {
    if (loss.head() == head) return &loss;
  }
  v1::HeadLoss* added = experiment->add_losses();
  added->set_head(head);
  return added;
}

absl::Status ApplyLosses(const ExperimentFlags& flags, v1::Experiment* experiment) {
  std::string head, value;
  for (const std::string& text : flags.losses) {
    if (absl::Status s = SplitAssignment("--loss", "HEAD=ID", text, &head, &value); !s.ok()) return s;
    v1::HeadLoss* loss = LossOf(head, experiment);
    // Another loss than the file's has other parameters.
    if (loss->loss() != value) loss->clear_params();
    loss->set_loss(value);
  }
  for (const std::string& text : flags.params) {
    if (absl::Status s = SplitAssignment("--param", "HEAD.KEY=VALUE", text, &head, &value); !s.ok()) return s;
    const size_t dot = head.find('.');
    if (dot == std::string::npos || dot == 0 || dot + 1 == head.size()) {
      return UsageError(absl::StrCat("--param is \"", text, "\", must be HEAD.KEY=VALUE"));
    }
    v1::HeadLoss* loss = LossOf(head.substr(0, dot), experiment);
    if (absl::Status s = SetLossParameter(head.substr(dot + 1), value, loss); !s.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--param ", head.substr(0, dot), ".", s.message()));
    }
  }
  for (const std::string& text : flags.weights) {
    double weight = 0;
    if (absl::Status s = SplitAssignment("--loss-weight", "HEAD=W", text, &head, &value); !s.ok()) return s;
    if (!absl::SimpleAtod(value, &weight)) {
      return absl::InvalidArgumentError(absl::StrCat("--loss-weight: ", head, " is \"", value, "\", must be a number"));
    }
    LossOf(head, experiment)->set_weight(weight);
  }
  return absl::OkStatus();
}

absl::Status ApplyLabels(const ExperimentFlags& flags, v1::Experiment* experiment,
                         google::protobuf::FieldMask& changed) {
  for (const std::string& text : flags.labels) {
    std::string key, value;
    if (!absl::StrContains(text, '=') && text.size() > 1 && text.back() == '-') {
      key = text.substr(0, text.size() - 1);
      experiment->mutable_labels()->erase(key);
      changed.add_paths(absl::StrCat("labels.", key));
      continue;
    }
    if (absl::Status s = SplitAssignment("--label", "KEY=VALUE, or KEY- to remove one", text, &key, &value); !s.ok()) {
      return s;
    }
    (*experiment->mutable_labels())[key] = value;
    changed.add_paths(absl::StrCat("labels.", key));
  }
  return absl::OkStatus();
}

// "accuracy,f_score(beta=2,average=micro)": commas between parentheses part parameters.
std::vector<std::string> SplitMetrics(const std::string& list) {
  std::vector<std::string> metrics(1);
  int depth = 0;
  for (const char c : list) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (c == ',' && depth <= 0) {
      metrics.emplace_back();
    } else {
      metrics.back().push_back(c);
    }
  }
  metrics.erase(std::remove(metrics.begin(), metrics.end(), ""), metrics.end());
  return metrics;
}

}  // namespace

absl::Status ReadExperimentFile(const ExperimentFlags& flags, v1::Experiment* experiment) {
  if (flags.file.empty()) return absl::OkStatus();
  absl::StatusOr<std::string> text = ReadFile(flags.file);
  if (!text.ok()) return text.status();
  return FillFromYaml(flags.file, *text, experiment);
}

absl::Status ApplyExperimentFlags(const ExperimentFlags& flags, v1::Experiment* experiment,
                                  google::protobuf::FieldMask* changed) {
  google::protobuf::FieldMask mask;
  const auto note = [&mask](bool given, const char* path) {
    if (given) mask.add_paths(path);
    return given;
  };
  if (!flags.name.empty()) experiment->set_name(flags.name);
  if (note(!flags.split.empty(), "split")) experiment->set_split(flags.split);
  if (note(!flags.architecture.empty(), "architecture")) experiment->set_architecture(flags.architecture);
  if (note(flags.notes_option->count() > 0, "notes")) experiment->set_notes(flags.notes);
  note(!flags.losses.empty() || !flags.params.empty() || !flags.weights.empty(), "losses");
  experiment->set_name(ResourceName("experiments", experiment->name()));
  experiment->set_split(ResourceName("splits", experiment->split()));
  if (absl::Status s = ApplyLosses(flags, experiment); !s.ok()) return s;
  if (absl::Status s = ApplyLabels(flags, experiment, mask); !s.ok()) return s;
  if (note(!flags.metrics.empty(), "metrics")) experiment->clear_metrics();
  for (const std::string& metrics : flags.metrics) {
    for (std::string& metric : SplitMetrics(metrics)) experiment->add_metrics(std::move(metric));
  }
  for (const std::string& setting : flags.settings) {
    std::string path, value;
    if (absl::Status s = SplitAssignment("--set", "PATH=VALUE", setting, &path, &value); !s.ok()) return s;
    if (absl::Status s = SetByPath(path, value, experiment, mask.add_paths()); !s.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--set ", s.message()));
    }
  }
  if (changed != nullptr) *changed = mask;
  return absl::OkStatus();
}

v1::Experiment AskedOf(const v1::Experiment& experiment) {
  v1::Experiment asked;
  asked.set_name(experiment.name());
  asked.set_split(experiment.split());
  asked.set_architecture(experiment.architecture());
  if (experiment.has_architecture_parameters()) {
    *asked.mutable_architecture_parameters() = experiment.architecture_parameters();
  }
  *asked.mutable_losses() = experiment.losses();
  *asked.mutable_metrics() = experiment.metrics();
  if (experiment.has_training()) *asked.mutable_training() = experiment.training();
  *asked.mutable_labels() = experiment.labels();
  asked.set_notes(experiment.notes());
  return asked;
}

std::shared_ptr<ExperimentFlags> AddExperimentFlags(CLI::App& app) {
  auto flags = std::make_shared<ExperimentFlags>();
  app.add_option("-f,--file", flags->file, "YAML form of the experiment; - is standard input; flags go over it");
  app.add_option("--split", flags->split, "the split; it brings the task");
  app.add_option("--architecture", flags->architecture, "the architecture");
  AddRepeated(app, "--loss", flags->losses,
              "HEAD=ID: the loss of a head, or a weighted sum of several, ID+ID; heads not named take their default");
  AddRepeated(app, "--param", flags->params,
              "HEAD.KEY=VALUE: a parameter; numbers, words, lists like 1,2,0.5; also HEAD.reduction; of a sum "
              "HEAD.ID.KEY, and a term's factor HEAD.ID.weight");
  AddRepeated(app, "--loss-weight", flags->weights, "HEAD=W: the head's factor in the loss");
  AddRepeated(app, "--metric", flags->metrics, "a metric, ID or ID(KEY=VALUE,KEY=VALUE); may be repeated");
  AddRepeated(app, "--set", flags->settings,
              "PATH=VALUE: any other field by its name in YAML or JSON, such as training.epochs=5");
  AddRepeated(app, "--label", flags->labels, "KEY=VALUE: a label; KEY- removes one of the file's; may be repeated");
  flags->notes_option = app.add_option("--notes", flags->notes, "notes for people");
  app.add_flag("--dry-run", flags->dry_run, "check everything, store nothing");
  return flags;
}

}  // namespace gradeline::cli
