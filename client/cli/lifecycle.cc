// start, resume and cancel experiments.
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/resources.h"

namespace gradeline::cli {
namespace {

struct Target {
  std::string name, etag;
  std::optional<int64_t> first_epoch;
};

// Whole, so that scripts find the token, which is shown only here.
void Print(Context& context, const v1::StartExperimentResponse& response) {
  switch (context.form) {
    case OutputForm::kTable:
      PrintOne(response.experiment(), LookOf("experiment"), context.form, false, context.out);
      context.out << "token " << response.attempt_token() << '\n';
      break;
    case OutputForm::kName:
      PrintOne(response.experiment(), LookOf("experiment"), context.form, false, context.out);
      break;
    default:
      PrintOne(response, {}, context.form, false, context.out);
  }
}

// With an id that makes a repeat harmless.
template <typename Request>
Request RequestOn(const Target& target) {
  Request request;
  request.set_name(ResourceName("experiments", target.name));
  request.set_etag(target.etag);
  request.set_request_id(RandomUuid());
  return request;
}

absl::Status Start(Context& context, const Target& target) {
  auto request = RequestOn<v1::StartExperimentRequest>(target);
  v1::StartExperimentResponse response;
  if (absl::Status status = context.Call(&client::Connection::experiments,
                                         &v1::ExperimentService::Stub::StartExperiment, request, &response);
      !status.ok()) {
    return status;
  }
  Print(context, response);
  return absl::OkStatus();
}

absl::Status Resume(Context& context, const Target& target) {
  auto request = RequestOn<v1::ResumeExperimentRequest>(target);
  if (target.first_epoch) request.set_first_epoch(*target.first_epoch);
  v1::StartExperimentResponse response;
  if (absl::Status status = context.Call(&client::Connection::experiments,
                                         &v1::ExperimentService::Stub::ResumeExperiment, request, &response);
      !status.ok()) {
    return status;
  }
  Print(context, response);
  return absl::OkStatus();
}

absl::Status Cancel(Context& context, const Target& target) {
  auto request = RequestOn<v1::CancelExperimentRequest>(target);
  v1::Experiment cancelled;
  if (absl::Status status = context.Call(&client::Connection::experiments,
                                         &v1::ExperimentService::Stub::CancelExperiment, request, &cancelled);
      !status.ok()) {
    return status;
  }
  PrintOne(cancelled, LookOf("experiment"), context.form, false, context.out);
  return absl::OkStatus();
}

void AddVerb(CLI::App& app, Context& context, const char* verb, const char* kind, const char* help,
             absl::Status (*run)(Context&, const Target&)) {
  CLI::App* verb_app = VerbOf(app, verb, help);
  CLI::App* kind_app = verb_app->add_subcommand(kind, help);
  kind_app->alias(absl::StrCat(kind, "s"));
  const auto target = std::make_shared<Target>();
  if (run == Resume) {
    kind_app->add_option("--first-epoch", target->first_epoch,
                         "the epoch that the checkpoint goes on with; absent: the first that is not trained whole");
  }
  kind_app->add_option("NAME", target->name, absl::StrCat("name of the ", kind))->required();
  kind_app->add_option("--etag", target->etag, "only if it still has this etag");
  kind_app->callback(
      [&context, target, run] { context.action = [&context, target, run] { return run(context, *target); }; });
}

}  // namespace

void AddLifecycle(CLI::App& app, Context& context) {
  AddVerb(app, context, "start", "experiment", "Open the first attempt and print the token that its workers need",
          Start);
  AddVerb(app, context, "resume", "experiment",
          "Open the next attempt of one that ended as LOST, FAILED, CANCELLED or EARLY_STOPPED", Resume);
  AddVerb(app, context, "cancel", "experiment", "End an experiment at once", Cancel);
}

}  // namespace gradeline::cli
