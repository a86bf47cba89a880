// get and describe: one or all resources of a kind.
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/looks.h"
#include "client/cli/near_names.h"
#include "client/cli/resources.h"

namespace gradeline::cli {
namespace {

using google::protobuf::Message;

absl::Status PrintFromList(Context& context, const Resource& resource, const Selection& selection, bool described) {
  const auto response = resource.list(context, selection);
  if (!response.ok()) return response.status();
  std::vector<std::string> ids;
  for (const Message* item : ItemsOf(**response)) {
    ids.push_back(resource.look.id(*item));
    if (ids.back() == IdOf(selection.name)) {
      PrintOne(*item, resource.look, context.form, described, context.out);
      return absl::OkStatus();
    }
  }
  return absl::NotFoundError(
      absl::StrCat("there is no ", resource.singular, " \"", selection.name, "\"", Suggestion(selection.name, ids)));
}

absl::Status Show(Context& context, const Resource& resource, const Selection& selection, bool described) {
  if (selection.name.empty() || resource.name_is_parent) {
    const auto response = resource.list(context, selection);
    if (!response.ok()) return response.status();
    PrintList(**response, resource.look, context.form, context.out);
    return absl::OkStatus();
  }
  if (!resource.get) {
    return PrintFromList(context, resource, selection, described);
  }
  const auto item = resource.get(context, selection);
  if (!item.ok()) return item.status();
  // A loss by its name has more to show than its offers for a head.
  const Look look = resource.singular == "loss" ? LossLook() : resource.look;
  PrintOne(**item, look, context.form, described, context.out);
  return absl::OkStatus();
}

void AddFlags(CLI::App& app, const Resource& resource, Selection& selection, bool described) {
  const auto takes = [&](const char* flag) {
    return std::find(resource.flags.begin(), resource.flags.end(), flag) != resource.flags.end();
  };
  const char* name_help = takes("experiment") ? "name of the experiment" : "name; absent: all";
  const auto not_empty = [](const std::string& text) { return text.empty() ? "is empty" : ""; };
  CLI::Option* name = app.add_option("NAME", selection.name, name_help)->check(CLI::Validator(not_empty, ""));
  if (described && !resource.name_is_parent) name->required();
  if (takes("experiment")) {
    app.add_option("--experiment", selection.experiment, "the experiment, as NAME")->excludes(name);
  }
  if (takes("task")) app.add_option("--task", selection.task, "only of this task");
  if (takes("architecture")) app.add_option("--architecture", selection.architecture, "only of this architecture");
  if (takes("head")) app.add_option("--head", selection.head, "only of this head");
  if (takes("all")) app.add_flag("--all", selection.all, "list the refused ones too, with the reasons");
  if (takes("filter") && !described) {
    app.add_option("--filter", selection.filter,
                   "terms joined by AND, of name, state, split, architecture, task, labels.KEY with =, != and of "
                   "create_time with <, <=, >, >=; name = \"abc*\" is a beginning, labels.KEY:* any value");
    app.add_option("--order-by", selection.order_by,
                   "fields joined by commas: name, state, split, architecture, task, create_time; \" desc\" after one "
                   "turns it round");
  }
  if (takes("show-deleted")) app.add_flag("--show-deleted", selection.show_deleted, "deleted ones too");
  if (takes("part")) {
    app.add_option("--split", selection.split, "the split");
    app.add_option("--part", selection.part, "train, validation or test");
    app.add_option("--rank", selection.rank, "with --world-size: every world-size-th item from the rank-th on");
    app.add_option("--world-size", selection.world_size, "number of ranks");
    app.add_flag("--names", selection.names, "with their uri, group, tags and subset");
  }
}

void AddVerb(CLI::App& app, Context& context, bool described) {
  CLI::App* verb = app.add_subcommand(described ? "describe" : "get",
                                      described ? "Show one resource in full" : "Show one or all resources of a kind");
  verb->require_subcommand(1);
  const std::string example = absl::StrCat("Example: gradeline ", verb->get_name(), " ");
  verb->footer(example + (described ? "loss cross_entropy -o yaml" : FindResource("loss")->example));
  for (const Resource& resource : Resources()) {
    CLI::App* kind = verb->add_subcommand(resource.plural, resource.help);
    kind->alias(resource.singular);
    for (const std::string& alias : resource.aliases) {
      kind->alias(alias);
    }
    if (described && resource.singular == "epoch") {
      AddDescribeEpoch(*kind, context);
      continue;
    }
    kind->footer(example + (described ? absl::StrCat(resource.singular, " NAME -o yaml") : resource.example));
    const auto selection = std::make_shared<Selection>();
    AddFlags(*kind, resource, *selection, described);
    kind->callback([&context, &resource, selection, described] {
      context.action = [&context, &resource, selection, described] {
        return Show(context, resource, *selection, described);
      };
    });
  }
}

}  // namespace

void AddGetAndDescribe(CLI::App& app, Context& context) {
  AddVerb(app, context, false);
  AddVerb(app, context, true);
}

}  // namespace gradeline::cli
