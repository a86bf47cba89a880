// delete, undelete and purge: datasets, splits.
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/resources.h"

namespace gradeline::cli {
namespace {

struct Doomed {
  std::string name;
  bool force = false, purge = false;
};

absl::Status DeleteDataset(Context& context, const Doomed& doomed) {
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

struct Kind {
  const char *name, *user;
  absl::Status (*remove)(Context&, const Doomed&);
  absl::Status (*bring_back)(Context&, const Doomed&);
};

void AddVerbs(CLI::App& app, Context& context, const Kind& kind) {
  const auto deleted = std::make_shared<Doomed>(), purged = std::make_shared<Doomed>();
  purged->purge = true;
  CLI::App* remove =
      AddKind(*VerbOf(app, "delete", "Hide a resource; undelete brings it back"), context, kind.name,
              absl::StrCat("Hide a ", kind.name, " that no ", kind.user, " uses; undelete brings it back"), deleted,
              kind.remove);
  remove->add_flag("--force", deleted->force, absl::StrCat("though ", kind.user, "s use it"));
  AddKind(*VerbOf(app, "undelete", "Bring a deleted resource back"), context, kind.name,
          absl::StrCat("Bring a deleted ", kind.name, " back"), std::make_shared<Doomed>(), kind.bring_back);
  AddKind(*VerbOf(app, "purge", "Remove a deleted resource for good"), context, kind.name,
          absl::StrCat("Remove a deleted ", kind.name, " for good"), purged, kind.remove);
}

}  // namespace

void AddDelete(CLI::App& app, Context& context) {
  AddVerbs(app, context, {"dataset", "split", DeleteDataset, UndeleteDataset});
  AddVerbs(app, context, {"split", "experiment", DeleteSplit, UndeleteSplit});
}

}  // namespace gradeline::cli
