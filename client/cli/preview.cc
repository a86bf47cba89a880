// preview schedule: the learning rates of a scheduler, epoch by epoch, without an experiment.
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/fill.h"
#include "client/cli/looks.h"
#include "client/cli/output.h"

namespace gradeline::cli {
namespace {

struct PreviewArguments {
  std::string scheduler, losses;
  std::vector<std::string> params;
  double learning_rate = 0;
  int32_t epochs = 0;
};

absl::Status Preview(Context& context, const PreviewArguments& arguments) {
  v1::PreviewScheduleRequest request;
  request.set_scheduler(arguments.scheduler);
  request.set_learning_rate(arguments.learning_rate);
  request.set_epochs(arguments.epochs);
  for (const std::string& text : arguments.params) {
    std::string key, value;
    if (absl::Status s = SplitAssignment("--param", "KEY=VALUE", text, &key, &value); !s.ok()) return s;
    if (absl::Status s = SetByPath(absl::StrCat("parameters.", key), value, &request); !s.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--param ", s.message()));
    }
  }
  for (const auto text : absl::StrSplit(arguments.losses, ',', absl::SkipEmpty())) {
    double loss = 0;
    if (!absl::SimpleAtod(text, &loss)) {
      return absl::InvalidArgumentError(absl::StrCat("--losses has \"", text, "\", must be numbers: 1,0.9,0.95"));
    }
    request.add_losses(loss);
  }
  v1::PreviewScheduleResponse response;
  if (absl::Status s =
          context.Call(&client::Connection::catalog, &v1::CatalogService::Stub::PreviewSchedule, request, &response);
      !s.ok()) {
    return s;
  }
  PrintList(response, ScheduledRateLook(), context.form, context.out);
  return absl::OkStatus();
}

}  // namespace

void AddPreview(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("preview", "Show what a choice would do, without an experiment");
  verb->require_subcommand(1);
  CLI::App* schedule = verb->add_subcommand("schedule", "The learning rate of every epoch");
  const auto arguments = std::make_shared<PreviewArguments>();
  schedule->add_option("ID", arguments->scheduler, "the scheduler")->required();
  AddRepeated(*schedule, "--param", arguments->params, "KEY=VALUE: numbers, words, lists like milestones=10,20");
  schedule->add_option("--learning-rate", arguments->learning_rate, "the base learning rate; absent: the default");
  schedule->add_option("--epochs", arguments->epochs, "how many; absent: one more than losses, or the default");
  schedule->add_option("--losses", arguments->losses,
                       "of reduce_lr_on_plateau, the monitored value of each epoch: 1,0.9,0.95");
  schedule->footer(
      "Example: gradeline preview schedule cosine_annealing_lr --param t_max=20 --learning-rate 0.1 --epochs 20");
  schedule->callback(
      [&context, arguments] { context.action = [&context, arguments] { return Preview(context, *arguments); }; });
}

}  // namespace gradeline::cli
