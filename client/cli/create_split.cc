// create split: a dataset's items parted for one task.
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/fill.h"
#include "client/cli/resources.h"

namespace gradeline::cli {
namespace {

struct SplitArguments {
  std::string name, dataset, task, ratios, strategy = "random", seed = "0";
  bool dry_run = false;
};

absl::Status SetRatios(const std::string& text, v1::Split* split) {
  for (const std::string& ratio : std::vector<std::string>(absl::StrSplit(text, ','))) {
    std::string part, number;
    if (absl::Status status = SplitAssignment("--ratios", "train=70,validation=10,test=20", ratio, &part, &number);
        !status.ok()) {
      return status;
    }
    double percent = 0;
    if (!absl::SimpleAtod(number, &percent)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--ratios: ", part, " is \"", number, "\", must be a number of percent"));
    }
    if (part == "train") {
      split->set_train_percent(percent);
    } else if (part == "validation") {
      split->set_validation_percent(percent);
    } else if (part == "test") {
      split->set_test_percent(percent);
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("--ratios: there is no part \"", part, "\", allowed are train, validation, test"));
    }
  }
  return absl::OkStatus();
}

absl::Status CreateSplit(Context& context, const SplitArguments& arguments) {
  v1::CreateSplitRequest request;
  v1::Split& split = *request.mutable_split();
  split.set_name(ResourceName("splits", arguments.name));
  split.set_dataset(ResourceName("datasets", arguments.dataset));
  split.set_task(arguments.task);
  for (const auto& [field, text] : {std::pair("seed", arguments.seed), std::pair("strategy", arguments.strategy)}) {
    if (absl::Status status = SetByPath(field, text, &split); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--", status.message()));
    }
  }
  if (absl::Status status = SetRatios(arguments.ratios, &split); !status.ok()) return status;
  request.set_request_id(RandomUuid());
  request.set_validate_only(arguments.dry_run);
  v1::Split made;
  if (absl::Status status =
          context.Call(&client::Connection::splits, &v1::SplitService::Stub::CreateSplit, request, &made);
      !status.ok()) {
    return status;
  }
  PrintOne(made, LookOf("split"), context.form, false, context.out);
  return absl::OkStatus();
}

}  // namespace

void AddCreateSplit(CLI::App& create, Context& context) {
  CLI::App* app = create.add_subcommand("split", "Part a dataset into train, validation and test");
  app->alias("splits");
  const auto arguments = std::make_shared<SplitArguments>();
  app->add_option("NAME", arguments->name, "name of the split")->required();
  app->add_option("--dataset", arguments->dataset, "the dataset")->required();
  app->add_option("--task", arguments->task, "the task it is for")->required();
  app->add_option("--ratios", arguments->ratios, "percent of each part: train=70,validation=10,test=20")->required();
  app->add_option("--strategy", arguments->strategy, "random or stratified")->capture_default_str();
  app->add_option("--seed", arguments->seed, "seed of the shuffle")->capture_default_str();
  app->add_flag("--dry-run", arguments->dry_run, "check everything, store nothing");
  app->callback(
      [&context, arguments] { context.action = [&context, arguments] { return CreateSplit(context, *arguments); }; });
}

void AddCreate(CLI::App& app, Context& context) {
  CLI::App* create = app.add_subcommand("create", "Make a split or an experiment");
  create->require_subcommand(1);
  AddCreateSplit(*create, context);
  AddCreateExperiment(*create, context);
}

}  // namespace gradeline::cli
