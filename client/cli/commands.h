// The verbs. Each function adds its subcommands to the command line and, when one is chosen, leaves what to do in
// context.action. Needs CLI11; nothing else of the program does but app.cc.
#ifndef GRADELINE_CLIENT_CLI_COMMANDS_H_
#define GRADELINE_CLIENT_CLI_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

#include "client/cli/context.h"

namespace gradeline::cli {

void AddGetAndDescribe(CLI::App& app, Context& context);
void AddImport(CLI::App& app, Context& context);
/// create split, create experiment; `create` is shared, so one function adds both.
void AddCreate(CLI::App& app, Context& context);
void AddCreateSplit(CLI::App& create, Context& context);
void AddCreateExperiment(CLI::App& create, Context& context);
/// start, resume, cancel experiment.
void AddLifecycle(CLI::App& app, Context& context);
/// delete, undelete, purge dataset and split.
void AddDelete(CLI::App& app, Context& context);
/// clone, delete, undelete, purge experiment.
void AddExperimentVerbs(CLI::App& app, Context& context);
/// apply and export experiment.
void AddApplyAndExport(CLI::App& app, Context& context);
/// watch, wait experiment.
void AddWatch(CLI::App& app, Context& context);
/// eval loss.
void AddEval(CLI::App& app, Context& context);
/// eval metric.
void AddEvalMetric(CLI::App& app, Context& context);
/// Makes `kind`, of `describe`, describe an experiment's epoch.
void AddDescribeEpoch(CLI::App& kind, Context& context);
/// preview schedule.
void AddPreview(CLI::App& app, Context& context);
/// server status.
void AddServer(CLI::App& app, Context& context);
/// db backup, check, restore.
void AddDb(CLI::App& app, Context& context);
/// completion SHELL.
void AddCompletion(CLI::App& app, Context& context);
/// What the completion scripts call, hidden, as `gradeline __complete -- WORDS...`: one candidate for the last word per
/// line.
void Complete(CLI::App& app, std::vector<std::string> words, Context& context);
/// help TOPIC, version.
void AddHelp(CLI::App& app, Context& context);

/// The subcommand called `word`, by its name or an alias; null if there is none.
CLI::App* FindSubcommand(CLI::App* app, const std::string& word);

/// The verb's subcommand, which needs a kind of resource. Where it is there already, for another kind, it keeps its
/// help.
CLI::App* VerbOf(CLI::App& app, const char* verb, const char* help);

/// A flag that may be repeated and takes one value each time.
CLI::Option* AddRepeated(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                         const std::string& help);

/// KEY=VALUE flags by key; a key that comes twice is a usage error.
absl::StatusOr<std::map<std::string, std::string>> Assignments(const std::string& flag, const std::string& form,
                                                               const std::vector<std::string>& texts);

/// Splits "KEY=VALUE"; a usage error naming `flag` and its form where there is no '=' or no key.
absl::Status SplitAssignment(const std::string& flag, const std::string& form, const std::string& text,
                             std::string* key, std::string* value);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_COMMANDS_H_
