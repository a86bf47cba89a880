// create experiment.
#include <memory>

#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/experiment_flags.h"
#include "client/cli/resources.h"

namespace gradeline::cli {
namespace {

absl::Status CreateExperiment(Context& context, const ExperimentFlags& flags) {
  v1::CreateExperimentRequest request;
  if (absl::Status s = ReadExperimentFile(flags, request.mutable_experiment()); !s.ok()) return s;
  if (absl::Status s = ApplyExperimentFlags(flags, request.mutable_experiment()); !s.ok()) return s;
  if (request.experiment().name().empty()) {
    return UsageError("create experiment needs a name, as NAME or in the file of -f");
  }
  request.set_request_id(RandomUuid());
  request.set_validate_only(flags.dry_run);
  v1::Experiment made;
  if (absl::Status s = context.Call(&client::Connection::experiments, &v1::ExperimentService::Stub::CreateExperiment,
                                    request, &made);
      !s.ok()) {
    return s;
  }
  if (flags.dry_run) context.err << "dry run: everything is right, nothing was stored\n";
  PrintOne(made, LookOf("experiment"), context.form, false, context.out);
  return absl::OkStatus();
}

}  // namespace

void AddCreateExperiment(CLI::App& create, Context& context) {
  CLI::App* app = create.add_subcommand("experiment", "Make an experiment: split, architecture, losses, metrics");
  app->alias("experiments");
  app->alias("exp");
  const auto flags = AddExperimentFlags(*app);
  app->add_option("NAME", flags->name, "name of the experiment");
  app->footer(
      "Example: gradeline create experiment first --split fashion-a --architecture resnet \\\n"
      "  --loss classification=cross_entropy --param classification.label_smoothing=0.1 --metric accuracy \\\n"
      "  --set training.epochs=5 --set training.batch_size=64 --set training.world_size=2 --label team=vision\n"
      "A YAML file has the fields of the API's Experiment: gradeline export experiment first shows one.");
  app->callback(
      [&context, flags] { context.action = [&context, flags] { return CreateExperiment(context, *flags); }; });
}

}  // namespace gradeline::cli
