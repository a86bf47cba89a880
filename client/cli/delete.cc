// delete and undelete: datasets.
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/resources.h"

namespace gradeline::cli {
namespace {

struct Doomed {
  std::string name;
  bool force = false, purge = false, yes = false;
};

absl::Status DeleteDataset(Context& context, const Doomed& doomed) {
  if (doomed.purge && !doomed.yes) {
    return UsageError("--purge cannot be undone: confirm it with --yes");
  }
  v1::DeleteDatasetRequest request;
  request.set_name(ResourceName("datasets", doomed.name));
  request.set_force(doomed.force);
  request.set_purge(doomed.purge);
  v1::DeleteDatasetResponse response;
  if (absl::Status status =
          context.Call(&client::Connection::datasets, &v1::DatasetService::Stub::DeleteDataset, request, &response);
      !status.ok()) {
    return status;
  }
  if (context.form == OutputForm::kTable) {
    context.err << (doomed.purge ? "purged dataset " : "deleted dataset ") << IdOf(doomed.name) << '\n';
  } else if (context.form == OutputForm::kName) {
    context.out << IdOf(doomed.name) << '\n';
  } else {
    PrintOne(response, {}, context.form, false, context.out);
  }
  return absl::OkStatus();
}

absl::Status UndeleteDataset(Context& context, const Doomed& doomed) {
  v1::UndeleteDatasetRequest request;
  request.set_name(ResourceName("datasets", doomed.name));
  v1::Dataset dataset;
  if (absl::Status status =
          context.Call(&client::Connection::datasets, &v1::DatasetService::Stub::UndeleteDataset, request, &dataset);
      !status.ok()) {
    return status;
  }
  PrintOne(dataset, LookOf("dataset"), context.form, false, context.out);
  return absl::OkStatus();
}

CLI::App* AddDataset(CLI::App& app, Context& context, const char* verb, const char* help,
                     const std::shared_ptr<Doomed>& doomed, absl::Status (*run)(Context&, const Doomed&)) {
  CLI::App* verb_app = app.add_subcommand(verb, help);
  verb_app->require_subcommand(1);
  CLI::App* kind = verb_app->add_subcommand("dataset", help);
  kind->alias("datasets");
  kind->add_option("NAME", doomed->name, "name of the dataset")->required();
  kind->callback(
      [&context, doomed, run] { context.action = [&context, doomed, run] { return run(context, *doomed); }; });
  return kind;
}

}  // namespace

void AddDelete(CLI::App& app, Context& context) {
  const auto doomed = std::make_shared<Doomed>();
  CLI::App* kind = AddDataset(app, context, "delete", "Hide a dataset that no split uses; undelete brings it back",
                              doomed, DeleteDataset);
  kind->add_flag("--force", doomed->force, "though splits use it: they keep its items");
  kind->add_flag("--purge", doomed->purge, "remove it for good, deleted before or not");
  kind->add_flag("--yes", doomed->yes, "confirm --purge");
  AddDataset(app, context, "undelete", "Bring a deleted dataset back", std::make_shared<Doomed>(), UndeleteDataset);
}

}  // namespace gradeline::cli
