// create experiment: from flags, from a YAML file, or from a file with some fields changed by flags.
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/file.h"
#include "client/cli/fill.h"
#include "client/cli/resources.h"

namespace gradeline::cli {
namespace {

struct ExperimentArguments {
  std::string name, file, split, architecture;
  std::vector<std::string> losses, params, weights, metrics, settings;
  bool dry_run = false;
};

// The entry of a head, added if the head has none yet.
v1::HeadLoss* LossOf(const std::string& head, v1::Experiment* experiment) {
  for (v1::HeadLoss& loss : *experiment->mutable_losses()) {
    if (loss.head() == head) return &loss;
  }
  v1::HeadLoss* added = experiment->add_losses();
  added->set_head(head);
  return added;
}

absl::Status ApplyLosses(const ExperimentArguments& arguments, v1::Experiment* experiment) {
  std::string head, value;
  for (const std::string& text : arguments.losses) {
    if (absl::Status s = SplitAssignment("--loss", "HEAD=ID", text, &head, &value); !s.ok()) return s;
    v1::HeadLoss* loss = LossOf(head, experiment);
    // Another loss than the file's has other parameters.
    if (loss->loss() != value) loss->clear_params();
    loss->set_loss(value);
  }
  for (const std::string& text : arguments.params) {
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
  for (const std::string& text : arguments.weights) {
    double weight = 0;
    if (absl::Status s = SplitAssignment("--loss-weight", "HEAD=W", text, &head, &value); !s.ok()) return s;
    if (!absl::SimpleAtod(value, &weight)) {
      return absl::InvalidArgumentError(absl::StrCat("--loss-weight: ", head, " is \"", value, "\", must be a number"));
    }
    LossOf(head, experiment)->set_weight(weight);
  }
  return absl::OkStatus();
}

absl::Status BuildExperiment(const ExperimentArguments& arguments, v1::Experiment* experiment) {
  if (!arguments.file.empty()) {
    absl::StatusOr<std::string> text = ReadFile(arguments.file);
    if (!text.ok()) return text.status();
    if (absl::Status s = FillFromYaml(arguments.file, *text, experiment); !s.ok()) return s;
  }
  if (!arguments.name.empty()) experiment->set_name(arguments.name);
  if (!arguments.split.empty()) experiment->set_split(arguments.split);
  if (!arguments.architecture.empty()) experiment->set_architecture(arguments.architecture);
  if (experiment->name().empty()) return UsageError("create experiment needs a name, as NAME or in the file of -f");
  experiment->set_name(ResourceName("experiments", experiment->name()));
  experiment->set_split(ResourceName("splits", experiment->split()));
  if (absl::Status s = ApplyLosses(arguments, experiment); !s.ok()) return s;
  if (!arguments.metrics.empty()) experiment->clear_metrics();
  for (const std::string& metrics : arguments.metrics) {
    for (const auto metric : absl::StrSplit(metrics, ',', absl::SkipEmpty())) {
      experiment->add_metrics(std::string(metric));
    }
  }
  for (const std::string& setting : arguments.settings) {
    std::string path, value;
    if (absl::Status s = SplitAssignment("--set", "PATH=VALUE", setting, &path, &value); !s.ok()) return s;
    if (absl::Status s = SetByPath(path, value, experiment); !s.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--set ", s.message()));
    }
  }
  return absl::OkStatus();
}

absl::Status CreateExperiment(Context& context, const ExperimentArguments& arguments) {
  v1::CreateExperimentRequest request;
  if (absl::Status s = BuildExperiment(arguments, request.mutable_experiment()); !s.ok()) return s;
  request.set_request_id(RandomUuid());
  request.set_validate_only(arguments.dry_run);
  v1::Experiment made;
  if (absl::Status s = context.Call(&client::Connection::experiments, &v1::ExperimentService::Stub::CreateExperiment,
                                    request, &made);
      !s.ok()) {
    return s;
  }
  if (arguments.dry_run) context.err << "dry run: everything is right, nothing was stored\n";
  PrintOne(made, LookOf("experiment"), context.form, false, context.out);
  return absl::OkStatus();
}

}  // namespace

void AddCreateExperiment(CLI::App& create, Context& context) {
  CLI::App* app = create.add_subcommand("experiment", "Make an experiment: split, architecture, losses, metrics");
  app->alias("experiments");
  app->alias("exp");
  const auto arguments = std::make_shared<ExperimentArguments>();
  app->add_option("NAME", arguments->name, "name of the experiment");
  app->add_option("-f,--file", arguments->file, "YAML form of the experiment; - is standard input; flags go over it");
  app->add_option("--split", arguments->split, "the split; it brings the task");
  app->add_option("--architecture", arguments->architecture, "the architecture");
  AddRepeated(*app, "--loss", arguments->losses,
              "HEAD=ID: the loss of a head, or a weighted sum of several, ID+ID; heads not named take their default");
  AddRepeated(*app, "--param", arguments->params,
              "HEAD.KEY=VALUE: a parameter; numbers, words, lists like 1,2,0.5; also HEAD.reduction; of a sum "
              "HEAD.ID.KEY, and a term's factor HEAD.ID.weight");
  AddRepeated(*app, "--loss-weight", arguments->weights, "HEAD=W: the head's factor in the loss");
  AddRepeated(*app, "--metric", arguments->metrics, "a metric; may be repeated");
  AddRepeated(*app, "--set", arguments->settings,
              "PATH=VALUE: any other field by its name in YAML or JSON, such as training.epochs=5");
  app->add_flag("--dry-run", arguments->dry_run, "check everything, store nothing");
  app->footer(
      "Example: gradeline create experiment first --split fashion-a --architecture resnet \\\n"
      "  --loss classification=cross_entropy --param classification.label_smoothing=0.1 --metric accuracy \\\n"
      "  --set training.epochs=5 --set training.batch_size=64 --set training.world_size=2\n"
      "A YAML file has the fields of the API's Experiment: gradeline get experiment first -o yaml shows one.");
  app->callback([&context, arguments] {
    context.action = [&context, arguments] { return CreateExperiment(context, *arguments); };
  });
}

}  // namespace gradeline::cli
