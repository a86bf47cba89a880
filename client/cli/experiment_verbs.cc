// clone, delete, undelete and purge experiments.
#include <memory>
#include <utility>

#include "client/cli/commands.h"
#include "client/cli/resources.h"

namespace gradeline::cli {
namespace {

struct Target {
  std::string name, etag, new_name;
  bool dry_run = false;
};

template <typename Request>
absl::Status CallAndPrint(Context& context,
                          grpc::Status (v1::ExperimentService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                              v1::Experiment*),
                          Request request, const Target& target) {
  request.set_name(ResourceName("experiments", target.name));
  request.set_request_id(RandomUuid());  // makes a repeat harmless
  v1::Experiment experiment;
  const absl::Status status = context.Call(&client::Connection::experiments, method, request, &experiment);
  if (status.ok()) PrintOne(experiment, LookOf("experiment"), context.form, false, context.out);
  return status;
}

absl::Status Clone(Context& context, const Target& target) {
  v1::CloneExperimentRequest request;
  request.set_new_name(ResourceName("experiments", target.new_name));
  request.set_validate_only(target.dry_run);
  absl::Status status =
      CallAndPrint(context, &v1::ExperimentService::Stub::CloneExperiment, std::move(request), target);
  if (status.ok() && target.dry_run) context.err << "dry run: everything is right, nothing was stored\n";
  return status;
}

absl::Status Delete(Context& context, const Target& target, bool purge) {
  v1::DeleteExperimentRequest request;
  request.set_etag(target.etag);
  request.set_purge(purge);
  return CallAndPrint(context, &v1::ExperimentService::Stub::DeleteExperiment, std::move(request), target);
}

absl::Status Undelete(Context& context, const Target& target) {
  v1::UndeleteExperimentRequest request;
  request.set_etag(target.etag);
  return CallAndPrint(context, &v1::ExperimentService::Stub::UndeleteExperiment, std::move(request), target);
}

void AddVerb(CLI::App& app, Context& context, const char* verb, const char* help,
             absl::Status (*run)(Context&, const Target&)) {
  CLI::App* verb_app = VerbOf(app, verb, help);
  CLI::App* kind = verb_app->add_subcommand("experiment", help);
  kind->alias("experiments");
  kind->alias("exp");
  const auto target = std::make_shared<Target>();
  kind->add_option("NAME", target->name, "name of the experiment")->required();
  if (run == Clone) {
    kind->add_option("NEW", target->new_name, "name of the copy")->required();
    kind->add_flag("--dry-run", target->dry_run, "check everything, store nothing");
    kind->footer("Example: gradeline clone experiment first second");
  } else {
    kind->add_option("--etag", target->etag, "only if it still has this etag");
  }
  kind->callback(
      [&context, target, run] { context.action = [&context, target, run] { return run(context, *target); }; });
}

}  // namespace

void AddExperimentVerbs(CLI::App& app, Context& context) {
  AddVerb(app, context, "clone", "Make a draft that asks for what another experiment asked for", Clone);
  AddVerb(app, context, "delete", "Hide an experiment that does not run; undelete brings it back",
          [](Context& c, const Target& target) { return Delete(c, target, false); });
  AddVerb(app, context, "undelete", "Bring a deleted experiment back", Undelete);
  AddVerb(app, context, "purge", "Remove a deleted experiment for good, with all that it reported",
          [](Context& c, const Target& target) { return Delete(c, target, true); });
}

}  // namespace gradeline::cli
