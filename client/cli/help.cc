// help TOPIC and version.
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/near_names.h"

namespace gradeline::cli {
namespace {

absl::Status Help(Context& context, CLI::App& app, const std::vector<std::string>& topic) {
  if (topic == std::vector<std::string>{"exit-codes"}) {
    context.out << ExitCodesHelp();
    return absl::OkStatus();
  }
  CLI::App* current = &app;
  std::string before;  // the words before the topic's last, for the usage line
  for (const std::string& word : topic) {
    CLI::App* next = FindSubcommand(current, word);
    if (next == nullptr) {
      std::vector<std::string> known;
      for (const CLI::App* sub : current->get_subcommands([](const CLI::App*) { return true; })) {
        known.push_back(sub->get_name());
      }
      if (current == &app) known.push_back("exit-codes");
      return UsageError(absl::StrCat("there is no help on \"", word, "\"", Suggestion(word, known)));
    }
    before = absl::StrCat(before, before.empty() ? "" : " ", current->get_name());
    current = next;
  }
  context.out << current->help(before);
  return absl::OkStatus();
}

}  // namespace

void AddHelp(CLI::App& app, Context& context) {
  CLI::App* help = app.add_subcommand("help", "Help on a verb, or on exit-codes");
  const auto topic = std::make_shared<std::vector<std::string>>();
  help->add_option("TOPIC", *topic, "words of a command, or exit-codes");
  help->callback(
      [&context, &app, topic] { context.action = [&context, &app, topic] { return Help(context, app, *topic); }; });

  CLI::App* version = app.add_subcommand("version", "Print the version of this program");
  version->callback([&context] {
    context.action = [&context] {
      if (context.form == OutputForm::kJson || context.form == OutputForm::kJsonl) {
        context.out << "{\"version\":\"" << GRADELINE_VERSION << "\"}\n";
      } else {
        context.out << "gradeline " << GRADELINE_VERSION << '\n';
      }
      return absl::OkStatus();
    };
  });
  app.set_version_flag("--version", std::string("gradeline ") + GRADELINE_VERSION);
}

}  // namespace gradeline::cli
