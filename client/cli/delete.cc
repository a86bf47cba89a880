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

template <typename Stub, typename Request, typename Response>
using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

template <typename Service, typename Stub, typename Request, typename Response>
absl::Status Delete(Context& context, Service service, Method<Stub, Request, Response> method, const char* collection,
                    const Doomed& doomed) {
  Request request;
  request.set_name(ResourceName(collection, doomed.name));
  request.set_force(doomed.force);
  request.set_purge(doomed.purge);
  Response response;
  if (absl::Status status = context.Call(service, method, request, &response); !status.ok()) return status;
  if (context.form == OutputForm::kTable) {
    context.err << (doomed.purge ? "purged " : "deleted ") << FindResource(collection)->singular << ' '
                << IdOf(doomed.name) << '\n';
  } else if (context.form == OutputForm::kName) {
    context.out << IdOf(doomed.name) << '\n';
  } else {
    PrintOne(response, {}, context.form, false, context.out);
  }
  return absl::OkStatus();
}

template <typename Service, typename Stub, typename Request, typename Response>
absl::Status Undelete(Context& context, Service service, Method<Stub, Request, Response> method, const char* collection,
                      const Doomed& doomed) {
  Request request;
  request.set_name(ResourceName(collection, doomed.name));
  Response response;
  if (absl::Status status = context.Call(service, method, request, &response); !status.ok()) return status;
  PrintOne(response, FindResource(collection)->look, context.form, false, context.out);
  return absl::OkStatus();
}

absl::Status DeleteDataset(Context& context, const Doomed& doomed) {
  return Delete(context, &client::Connection::datasets, &v1::DatasetService::Stub::DeleteDataset, "datasets", doomed);
}
absl::Status DeleteSplit(Context& context, const Doomed& doomed) {
  return Delete(context, &client::Connection::splits, &v1::SplitService::Stub::DeleteSplit, "splits", doomed);
}
absl::Status UndeleteDataset(Context& context, const Doomed& doomed) {
  return Undelete(context, &client::Connection::datasets, &v1::DatasetService::Stub::UndeleteDataset, "datasets",
                  doomed);
}
absl::Status UndeleteSplit(Context& context, const Doomed& doomed) {
  return Undelete(context, &client::Connection::splits, &v1::SplitService::Stub::UndeleteSplit, "splits", doomed);
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
