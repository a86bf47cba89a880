// delete and undelete: datasets, splits.
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

absl::Status DeleteSplit(Context& context, const Doomed& doomed) {
  if (doomed.purge && !doomed.yes) {
    return UsageError("--purge cannot be undone: confirm it with --yes");
  }
  v1::DeleteSplitRequest request;
  request.set_name(ResourceName("splits", doomed.name));
  request.set_force(doomed.force);
  request.set_purge(doomed.purge);
  v1::Split split;
  if (absl::Status status =
          context.Call(&client::Connection::splits, &v1::SplitService::Stub::DeleteSplit, request, &split);
      !status.ok()) {
    return status;
  }
  if (context.form == OutputForm::kTable) {
    context.err << (doomed.purge ? "purged split " : "deleted split ") << IdOf(doomed.name) << '\n';
  } else {
    PrintOne(split, LookOf("split"), context.form, false, context.out);
  }
  return absl::OkStatus();
}

absl::Status UndeleteSplit(Context& context, const Doomed& doomed) {
  v1::UndeleteSplitRequest request;
  request.set_name(ResourceName("splits", doomed.name));
  v1::Split split;
  if (absl::Status status =
          context.Call(&client::Connection::splits, &v1::SplitService::Stub::UndeleteSplit, request, &split);
      !status.ok()) {
    return status;
  }
  PrintOne(split, LookOf("split"), context.form, false, context.out);
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

CLI::App* AddKind(CLI::App& verb, Context& context, const std::string& kind, const std::string& help,
                  const std::shared_ptr<Doomed>& doomed, absl::Status (*run)(Context&, const Doomed&)) {
  CLI::App* app = verb.add_subcommand(kind, help);
  app->alias(kind + "s");
  app->add_option("NAME", doomed->name, "name of the " + kind)->required();
  app->callback(
      [&context, doomed, run] { context.action = [&context, doomed, run] { return run(context, *doomed); }; });
  return app;
}

void AddDeleted(CLI::App& verb, Context& context, const std::string& kind, const std::string& users,
                absl::Status (*run)(Context&, const Doomed&)) {
  const auto doomed = std::make_shared<Doomed>();
  CLI::App* app =
      AddKind(verb, context, kind, absl::StrCat("Hide a ", kind, " that no ", users, " uses; undelete brings it back"),
              doomed, run);
  app->add_flag("--force", doomed->force, absl::StrCat("though ", users, "s use it"));
  app->add_flag("--purge", doomed->purge, "remove it for good, deleted before or not");
  app->add_flag("--yes", doomed->yes, "confirm --purge");
}

}  // namespace

void AddDelete(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("delete", "Hide a resource; undelete brings it back");
  verb->require_subcommand(1);
  AddDeleted(*verb, context, "dataset", "split", DeleteDataset);
  AddDeleted(*verb, context, "split", "experiment", DeleteSplit);
  CLI::App* back = app.add_subcommand("undelete", "Bring a deleted resource back");
  back->require_subcommand(1);
  AddKind(*back, context, "dataset", "Bring a deleted dataset back", std::make_shared<Doomed>(), UndeleteDataset);
  AddKind(*back, context, "split", "Bring a deleted split back", std::make_shared<Doomed>(), UndeleteSplit);
}

}  // namespace gradeline::cli
