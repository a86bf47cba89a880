// See app.h.
#include "client/cli/app.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/near_names.h"

namespace gradeline::cli {
namespace {

constexpr char kFooter[] = R"(Examples:
  gradeline get losses --task classification
  gradeline import dataset fashion --format idx --from /usr/share/datasets/fashion-mnist
  gradeline create split fashion-a --dataset fashion --task classification --ratios train=70,validation=10,test=20 --seed 7
  gradeline create experiment first --split fashion-a --architecture resnet --loss classification=cross_entropy \
      --metric accuracy --set training.epochs=5
  gradeline db backup --to gradeline.backup
  gradeline eval loss cross_entropy --input prediction=p.npy --input target=t.npy -o json

JSON forms print only JSON on standard output; errors, notes and progress go to standard error.
`gradeline help exit-codes` lists the exit codes.)";

void AddGlobalFlags(CLI::App& app, Context& context, std::string& timeout) {
  app.add_option("--server", context.server,
                 "address of the server, host:port or unix:/path; of several over one database, "
                 "ipv4:IP:port,IP:port or dns:///name:port")
      ->envname("GRADELINE_SERVER")
      ->capture_default_str();
  static const std::map<std::string, OutputForm> kForms = {{"table", OutputForm::kTable},
                                                           {"json", OutputForm::kJson},
                                                           {"jsonl", OutputForm::kJsonl},
                                                           {"yaml", OutputForm::kYaml},
                                                           {"name", OutputForm::kName}};
  app.add_option_function<std::string>(
         "-o,--output",
         [&context](const std::string& given) {
           const std::string word(absl::StripPrefix(given, "="));  // -o=name
           const auto found = kForms.find(word);
           if (found == kForms.end()) {
             throw CLI::ValidationError("-o",
                                        absl::StrCat("is \"", word, "\", allowed are table, json, jsonl, yaml, name"));
           }
           context.form = found->second;
         },
         "form of the output: table, json, jsonl, yaml, name")
      ->type_name("FORM");
  app.add_option("--timeout", timeout, "give up after this time: 30s, 5m, 2h")->type_name("TIME");
}

absl::Status ReadTimeout(const std::string& text, Context& context) {
  double seconds = 0;
  if (text.empty()) return absl::OkStatus();
  if (absl::SimpleAtod(text, &seconds)) {
    context.timeout = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, &context.timeout)) {
    context.timeout = absl::ZeroDuration();
  }
  if (context.timeout <= absl::ZeroDuration()) {
    return UsageError(absl::StrCat("--timeout is \"", text, "\", must be a time above 0 like 30s, 5m or 2h"));
  }
  return absl::OkStatus();
}

// The word that no subcommand of the chosen one knows, with the near ones; CLI11 itself only says that one is required.
std::string Explain(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* current = &app;
  while (!current->get_subcommands().empty()) {
    current = current->get_subcommands().front();
  }
  std::vector<std::string> known;
  for (const CLI::App* sub : current->get_subcommands([](const CLI::App*) { return true; })) {
    known.push_back(sub->get_name());
  }
  if (!known.empty()) {
    for (const std::string& word : app.remaining(true)) {
      if (!absl::StartsWith(word, "-")) {
        return absl::StrCat("\"", word, "\" is not known", current == &app ? "" : " to " + current->get_name(),
                            Suggestion(word, known));
      }
    }
  }
  return error.what();
}

// Before anything is parsed: an error must take the form that was asked for.
OutputForm FormAskedFor(const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    const bool last = i + 1 == arguments.size();
    for (const char* form : {"json", "jsonl"}) {
      if (((word == "-o" || word == "--output") && !last && arguments[i + 1] == form) ||
          word == absl::StrCat("--output=", form) || word == absl::StrCat("-o", form) ||
          word == absl::StrCat("-o=", form)) {
        return OutputForm::kJson;
      }
    }
  }
  return OutputForm::kTable;
}

}  // namespace

CLI::App* FindSubcommand(CLI::App* app, const std::string& word) {
  for (CLI::App* sub : app->get_subcommands([](CLI::App*) { return true; })) {
    if (sub->check_name(word)) return sub;
  }
  return nullptr;
}

CLI::App* VerbOf(CLI::App& app, const char* verb, const char* help) {
  if (CLI::App* known = FindSubcommand(&app, verb)) return known;
  CLI::App* added = app.add_subcommand(verb, help);
  added->require_subcommand(1);
  return added;
}

CLI::Option* AddRepeated(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                         const std::string& help) {
  return app.add_option(name, values, help)->allow_extra_args(false);
}

absl::StatusOr<std::map<std::string, std::string>> Assignments(const std::string& flag, const std::string& form,
                                                               const std::vector<std::string>& texts) {
  std::map<std::string, std::string> out;
  for (const std::string& text : texts) {
    std::string key, value;
    if (absl::Status status = SplitAssignment(flag, form, text, &key, &value); !status.ok()) return status;
    if (!out.emplace(key, value).second) return UsageError(absl::StrCat(flag, " ", key, " comes twice"));
  }
  return out;
}

absl::Status SplitAssignment(const std::string& flag, const std::string& form, const std::string& text,
                             std::string* key, std::string* value) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return UsageError(absl::StrCat(flag, " is \"", text, "\", must be ", form));
  }
  *key = text.substr(0, equals);
  *value = text.substr(equals + 1);
  return absl::OkStatus();
}

int RunApp(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) {
  Context context(out, err);
  CLI::App app("Gradeline's command line: tasks, losses, data, experiments.", "gradeline");
  app.fallthrough();
  app.require_subcommand(1);
  app.footer(kFooter);
  std::string timeout;
  AddGlobalFlags(app, context, timeout);
  AddGetAndDescribe(app, context);
  AddImport(app, context);
  AddCreate(app, context);
  AddLifecycle(app, context);
  AddDelete(app, context);
  AddExperimentVerbs(app, context);
  AddApplyAndExport(app, context);
  AddWatch(app, context);
  AddEval(app, context);
  AddEvalMetric(app, context);
  AddPreview(app, context);
  AddServer(app, context);
  AddDb(app, context);
  AddCompletion(app, context);
  AddHelp(app, context);
  if (!arguments.empty() && arguments.front() == "__complete") {
    if (const char* server = std::getenv("GRADELINE_SERVER")) context.server = server;
    Complete(app, {arguments.begin() + 1, arguments.end()}, context);
    return kExitOk;
  }

  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help
      return app.exit(error, out, err) == 0 ? kExitOk : kExitUsage;
    }
    const absl::Status usage = UsageError(Explain(app, error));
    PrintError(usage, FormAskedFor(arguments), err);
    return kExitUsage;
  }
  absl::Status status = ReadTimeout(timeout, context);
  if (status.ok()) status = context.action();
  out.flush();
  if (status.ok() && !out) status = absl::UnknownError("standard output cannot be written");
  if (!status.ok()) PrintError(status, context.form, err);
  return ExitCodeOf(status);
}

}  // namespace gradeline::cli
