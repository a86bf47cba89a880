// apply and export: experiments as files.
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/experiment_flags.h"
#include "client/cli/resources.h"

namespace gradeline::cli {
namespace {

struct ApplyFlags {
  std::shared_ptr<ExperimentFlags> fields;
  std::string etag;
};

absl::Status Get(Context& context, const std::string& name, v1::Experiment* experiment) {
  v1::GetExperimentRequest request;
  request.set_name(ResourceName("experiments", name));
  return context.Call(&client::Connection::experiments, &v1::ExperimentService::Stub::GetExperiment, request,
                      experiment);
}

absl::Status Create(Context& context, const v1::Experiment& wanted, bool dry_run, v1::Experiment* made) {
  v1::CreateExperimentRequest request;
  *request.mutable_experiment() = wanted;
  request.set_request_id(RandomUuid());
  request.set_validate_only(dry_run);
  return context.Call(&client::Connection::experiments, &v1::ExperimentService::Stub::CreateExperiment, request, made);
}

absl::Status Update(Context& context, const v1::Experiment& wanted, const google::protobuf::FieldMask& mask,
                    const ApplyFlags& flags, const std::string& etag, v1::Experiment* made) {
  v1::UpdateExperimentRequest request;
  request.mutable_experiment()->set_name(wanted.name());
  if (mask.paths_size() > 0) *request.mutable_experiment() = wanted;
  *request.mutable_update_mask() = mask;
  request.set_etag(etag);
  request.set_request_id(RandomUuid());
  request.set_validate_only(flags.fields->dry_run);
  return context.Call(&client::Connection::experiments, &v1::ExperimentService::Stub::UpdateExperiment, request, made);
}

// Whether a person would see another experiment; by their bytes, in which maps are in order.
bool SaySame(const v1::Experiment& a, const v1::Experiment& b) {
  return ToJson(AskedOf(a), false) == ToJson(AskedOf(b), false);
}

absl::Status Apply(Context& context, const ApplyFlags& flags) {
  const ExperimentFlags& fields = *flags.fields;
  v1::Experiment wanted, stored, made;
  if (absl::Status s = ReadExperimentFile(fields, &wanted); !s.ok()) return s;
  const std::string name = fields.name.empty() ? wanted.name() : fields.name;
  if (name.empty()) return UsageError("apply needs a name, as NAME or in the file of -f");
  absl::Status found = Get(context, name, &stored);
  if (!found.ok() && (!absl::IsNotFound(found) || fields.file.empty())) return found;
  // Without a file the flags go over what is there and over nothing that has come since, and nothing else is asked for.
  google::protobuf::FieldMask mask;
  std::string etag = flags.etag;
  if (fields.file.empty()) {
    wanted = AskedOf(stored);
    if (etag.empty()) etag = stored.etag();
  }
  if (absl::Status s = ApplyExperimentFlags(fields, &wanted, &mask); !s.ok()) return s;
  if (!fields.file.empty()) mask.clear_paths(), mask.add_paths("*");
  absl::Status done =
      found.ok() ? Update(context, wanted, mask, flags, etag, &made) : Create(context, wanted, fields.dry_run, &made);
  if (!done.ok()) return done;
  const char* what = !found.ok() ? "created" : (SaySame(stored, made) ? "unchanged" : "updated");
  context.err << "experiment " << IdOf(made.name()) << ' ' << what
              << (fields.dry_run ? " (dry run: nothing was stored)\n" : "\n");
  PrintOne(made, LookOf("experiment"), context.form, false, context.out);
  return absl::OkStatus();
}

absl::Status Export(Context& context, const std::string& name) {
  v1::Experiment experiment;
  if (absl::Status s = Get(context, name, &experiment); !s.ok()) return s;
  const OutputForm form = context.form == OutputForm::kTable ? OutputForm::kYaml : context.form;
  PrintOne(AskedOf(experiment), LookOf("experiment"), form, false, context.out);
  return absl::OkStatus();
}

std::shared_ptr<ApplyFlags> AddApplyFlags(CLI::App& app) {
  const auto flags = std::make_shared<ApplyFlags>();
  flags->fields = AddExperimentFlags(app);
  app.add_option("--etag", flags->etag, "only if it still has this etag");
  app.footer(
      "With a file: makes the experiment, or gives it what the file says and nothing else. Without: gives it what the\n"
      "flags say. Labels and notes change in any state, all else in DRAFT alone. Says created, updated or unchanged.\n"
      "Example: gradeline apply experiment first --label team=vision --notes 'a baseline'");
  return flags;
}

void AddApply(CLI::App& app, Context& context) {
  CLI::App* apply = app.add_subcommand("apply", "Make or change an experiment so that it is as a YAML file says");
  const auto of_file = AddApplyFlags(*apply);
  CLI::App* experiment = apply->add_subcommand("experiment", apply->get_description());
  experiment->alias("experiments");
  experiment->alias("exp");
  const auto flags = AddApplyFlags(*experiment);
  experiment->add_option("NAME", flags->fields->name, "name of the experiment");
  experiment->callback([&context, flags] { context.action = [&context, flags] { return Apply(context, *flags); }; });
  // `apply -f FILE`, as the file says what it is of.
  apply->callback([&context, apply, of_file] {
    if (apply->get_subcommands().empty()) context.action = [&context, of_file] { return Apply(context, *of_file); };
  });
}

void AddExport(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("export", "Print what an experiment asks for as YAML that apply takes");
  verb->require_subcommand(1);
  CLI::App* experiment = verb->add_subcommand("experiment", verb->get_description());
  experiment->alias("experiments");
  experiment->alias("exp");
  const auto name = std::make_shared<std::string>();
  experiment->add_option("NAME", *name, "name of the experiment")->required();
  experiment->footer("Example: gradeline export experiment first");
  experiment->callback([&context, name] { context.action = [&context, name] { return Export(context, *name); }; });
}

}  // namespace

void AddApplyAndExport(CLI::App& app, Context& context) {
  AddApply(app, context);
  AddExport(app, context);
}

}  // namespace gradeline::cli
