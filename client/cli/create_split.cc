// create split: a dataset's items parted for one task.
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/fill.h"
#include "client/cli/resources.h"

namespace gradeline::cli {
namespace {

struct SplitArguments {
  std::string name, task, ratios, strategy = "random", seed = "0";
  std::vector<std::string> datasets, shares, classes, tags, subsets;
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
  if (split->train_percent() == 0 && split->validation_percent() == 0 && split->test_percent() == 0) {
    return absl::InvalidArgumentError(  // on the wire that is the default
        absl::StrCat("--ratios is \"", text, "\", all 0; the percentages must add up to 100"));
  }
  return absl::OkStatus();
}

// "a=train" or "b=test:80".
absl::Status AddShare(const std::string& text, v1::Split* split) {
  constexpr const char* kForm = "DATASET=PART or DATASET=PART:PERCENT";
  std::string dataset, rest;
  if (absl::Status status = SplitAssignment("--dataset-part", kForm, text, &dataset, &rest); !status.ok())
    return status;
  v1::DatasetShare& share = *split->add_dataset_shares();
  share.set_dataset(ResourceName("datasets", dataset));
  const std::vector<std::string> words = absl::StrSplit(rest, absl::MaxSplits(':', 1));
  double percent = 0;
  if (words.size() == 2 && !absl::SimpleAtod(words[1], &percent)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--dataset-part: \"", words[1], "\" is no percentage; form: ", kForm));
  }
  if (words.size() == 2 && percent == 0) {  // on the wire 0 is the default of 100
    return absl::InvalidArgumentError(
        absl::StrCat("--dataset-part: \"", text, "\" has 0 %; allowed: above 0, up to 100"));
  }
  share.set_percent(percent);
  if (absl::Status status = SetByPath("part", words[0], &share); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("--dataset-part: ", status.message()));
  }
  return absl::OkStatus();
}

absl::Status FillSplit(const SplitArguments& arguments, v1::Split& split) {
  split.set_name(ResourceName("splits", arguments.name));
  std::vector<std::string> datasets;
  for (const std::string& list : arguments.datasets) {
    for (const auto dataset : absl::StrSplit(list, ',')) datasets.emplace_back(dataset);
  }
  if (datasets.size() == 1) split.set_dataset(ResourceName("datasets", datasets[0]));
  if (datasets.size() > 1) {
    for (const std::string& dataset : datasets) split.add_datasets(ResourceName("datasets", dataset));
  }
  split.set_task(arguments.task);
  for (const auto& [field, text] : {std::pair("seed", arguments.seed), std::pair("strategy", arguments.strategy)}) {
    if (absl::Status status = SetByPath(field, text, &split); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--", status.message()));
    }
  }
  for (const std::string& share : arguments.shares) {
    if (absl::Status status = AddShare(share, &split); !status.ok()) return status;
  }
  split.mutable_classes()->Assign(arguments.classes.begin(), arguments.classes.end());
  split.mutable_tags()->Assign(arguments.tags.begin(), arguments.tags.end());
  split.mutable_subsets()->Assign(arguments.subsets.begin(), arguments.subsets.end());
  return arguments.ratios.empty() ? absl::OkStatus() : SetRatios(arguments.ratios, &split);
}

// What came out, for people: classes and warnings beside the table's line.
void PrintReport(const v1::Split& split, Context& context) {
  constexpr int kMostClasses = 20;
  for (int i = 0; i < split.class_balance_size() && i < kMostClasses; ++i) {
    const v1::ClassBalance& balance = split.class_balance(i);
    context.err << absl::StrFormat("  %-24s %8d %8d %8d\n", balance.class_name(), balance.train_count(),
                                   balance.validation_count(), balance.test_count());
  }
  if (split.class_balance_size() > kMostClasses) {
    context.err << "  and " << split.class_balance_size() - kMostClasses << " more classes\n";
  }
  for (const v1::SplitWarning& warning : split.warnings()) context.err << "warning: " << warning.message() << '\n';
}

absl::Status CreateSplit(Context& context, const SplitArguments& arguments) {
  v1::CreateSplitRequest request;
  if (absl::Status status = FillSplit(arguments, *request.mutable_split()); !status.ok()) return status;
  request.set_request_id(RandomUuid());
  request.set_validate_only(arguments.dry_run);
  v1::Split made;
  if (absl::Status status =
          context.Call(&client::Connection::splits, &v1::SplitService::Stub::CreateSplit, request, &made);
      !status.ok()) {
    return status;
  }
  PrintOne(made, LookOf("split"), context.form, false, context.out);
  if (context.form == OutputForm::kTable) PrintReport(made, context);
  return absl::OkStatus();
}

}  // namespace

void AddCreateSplit(CLI::App& create, Context& context) {
  CLI::App* app = create.add_subcommand("split", "Part a dataset into train, validation and test");
  app->alias("splits");
  const auto arguments = std::make_shared<SplitArguments>();
  app->add_option("NAME", arguments->name, "name of the split")->required();
  AddRepeated(*app, "--dataset", arguments->datasets, "the dataset; several: again, or separated by commas")
      ->required();
  app->add_option("--task", arguments->task, "the task it is for")->required();
  app->add_option("--ratios", arguments->ratios, "percent of each part; absent: train=70,validation=10,test=20");
  app->add_option("--strategy", arguments->strategy, "random, stratified, group or dataset")->capture_default_str();
  AddRepeated(*app, "--dataset-part", arguments->shares,
              "with --strategy dataset: DATASET=PART, or DATASET=PART:PERCENT; repeat for more");
  AddRepeated(*app, "--class", arguments->classes, "only items with one of these classes; repeat for more");
  AddRepeated(*app, "--tag", arguments->tags, "only items with one of these tags; repeat for more");
  AddRepeated(*app, "--subset", arguments->subsets, "only items of one of these subsets; repeat for more");
  app->add_option("--seed", arguments->seed, "seed of the shuffle")->capture_default_str();
  app->add_flag("--dry-run", arguments->dry_run, "a preview: check everything, part the items, store nothing");
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
