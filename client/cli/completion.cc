// completion SHELL prints a small adapter; the shells then call the hidden __complete with the words typed so far, the
// last one unfinished. It prints one candidate per line and, whatever fails, nothing else.
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/metric_text.h"
#include "client/cli/resources.h"

namespace gradeline::cli {
namespace {

constexpr char kBash[] = R"bash(_gradeline() {
  local IFS=$'\n'
  COMPREPLY=($(gradeline __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -o nosort -F _gradeline gradeline
)bash";
constexpr char kZsh[] = R"zsh(#compdef gradeline
_gradeline() {
  local -a candidates
  candidates=(${(f)"$(gradeline __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( ${#candidates} )); then compadd -a candidates; else _files; fi
}
compdef _gradeline gradeline
)zsh";
constexpr char kFish[] =
    R"fish(complete -c gradeline -a '(gradeline __complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
)fish";

// Losses are listed per task; without one, those that the plugins bring.
std::vector<std::string> LossIds(Context& context) {
  v1::ListPluginsResponse plugins;
  std::vector<std::string> out;
  if (!context
           .CallAllPages(&client::Connection::admin, &v1::AdminService::Stub::ListPlugins, v1::ListPluginsRequest(),
                         &plugins)
           .ok()) {
    return out;
  }
  for (const v1::Plugin& plugin : plugins.plugins()) {
    if (plugin.refusal().empty()) out.insert(out.end(), plugin.losses().begin(), plugin.losses().end());
  }
  return out;
}

bool IsDeleted(const google::protobuf::Message& item) {
  const auto* time = item.GetDescriptor()->FindFieldByName("delete_time");
  return time != nullptr && item.GetReflection()->HasField(item, time);
}

std::vector<std::string> IdsOf(Context& context, const std::string& kind, const Selection& selection,
                               bool of_deleted = false) {
  std::vector<std::string> out;
  if ((kind == "loss" || kind == "losses") && selection.task.empty()) return LossIds(context);
  const Resource* resource = FindResource(kind);
  if (resource == nullptr) return out;
  const auto response = resource->list(context, selection);
  if (!response.ok()) return out;
  for (const auto* item : ItemsOf(**response)) {
    if (!of_deleted || IsDeleted(*item)) out.push_back(resource->look.id(*item));
  }
  return out;
}

// The value that was typed for a flag, so that candidates fit it.
std::string Typed(const std::vector<std::string>& words, const std::string& flag) {
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == flag) return words[i + 1];
  }
  return "";
}

// Candidates for what follows `flag`; `offered` is false where files are meant.
std::vector<std::string> ValuesOf(Context& context, const std::string& flag, const std::vector<std::string>& words) {
  Selection selection;
  selection.task = Typed(words, "--task");
  if (flag == "-o" || flag == "--output") return {"table", "json", "jsonl", "yaml", "name"};
  if (flag == "--part" || flag == "--phase") return {"train", "validation", "test"};
  if (flag == "--signal") return {kMetricSignals.begin(), kMetricSignals.end()};
  if (flag == "--format") return {"idx"};
  if (flag == "--strategy") return {"random", "stratified"};
  if (flag == "--reduction") return {"mean", "mean_all", "sum", "given", "none"};
  if (flag == "--task" || flag == "--dataset" || flag == "--split" || flag == "--metric" || flag == "--architecture" ||
      flag == "--experiment") {
    if (flag == "--task") selection.task.clear();
    return IdsOf(context, flag.substr(2), selection);
  }
  return {};
}

std::vector<std::string> Candidates(Context& context, CLI::App& app, const std::vector<std::string>& words) {
  const std::string& last = words.back();
  CLI::App* current = &app;
  std::string kind;
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (CLI::App* next = FindSubcommand(current, words[i])) {
      current = next;
      kind = words[i];
    }
  }
  if (absl::StartsWith(last, "-")) {
    std::vector<std::string> flags;
    for (const CLI::App* level : {static_cast<const CLI::App*>(current), static_cast<const CLI::App*>(&app)}) {
      for (const CLI::Option* option : level->get_options()) {
        for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
      }
      if (current == &app) break;
    }
    return flags;
  }
  const std::string before = words.size() > 1 ? words[words.size() - 2] : "";
  if (absl::StartsWith(before, "-") && current->get_option_no_throw(before) != nullptr &&
      current->get_option_no_throw(before)->get_expected_max() > 0) {
    return ValuesOf(context, before, words);
  }
  if (absl::StartsWith(before, "-") && app.get_option_no_throw(before) != nullptr) {
    return ValuesOf(context, before, words);
  }
  std::vector<std::string> subcommands;
  for (const CLI::App* sub : current->get_subcommands([](const CLI::App*) { return true; })) {
    subcommands.push_back(sub->get_name());
  }
  if (!subcommands.empty()) return subcommands;
  if (kind == "epoch" || kind == "epochs") kind = "experiment";
  if (kind == "item" || kind == "items") kind = "split";
  if (kind == "schedule") kind = "scheduler";
  Selection selection;
  selection.task = Typed(words, "--task");
  const bool of_deleted = words.front() == "undelete" || words.front() == "purge";
  selection.show_deleted = of_deleted;
  return IdsOf(context, kind, selection, of_deleted);
}

}  // namespace

void Complete(CLI::App& app, std::vector<std::string> words, Context& context) {
  if (!words.empty() && words.front() == "--") words.erase(words.begin());
  if (words.empty()) words.emplace_back();
  if (const std::string server = Typed(words, "--server"); !server.empty()) context.server = server;
  std::ostream nowhere(nullptr);
  Context quiet(context.out, nowhere);
  quiet.server = context.server;
  quiet.timeout = absl::Seconds(1);  // a shell waits for this
  for (const std::string& candidate : Candidates(quiet, app, words)) {
    if (absl::StartsWith(candidate, words.back())) context.out << candidate << '\n';
  }
}

void AddCompletion(CLI::App& app, Context& context) {
  CLI::App* completion = app.add_subcommand("completion", "Print the completion script of a shell");
  completion->require_subcommand(1);
  completion->footer("Example: source <(gradeline completion bash)");
  for (const auto& [shell, script] : {std::pair{"bash", kBash}, std::pair{"zsh", kZsh}, std::pair{"fish", kFish}}) {
    CLI::App* sub = completion->add_subcommand(shell, absl::StrCat("for ", shell));
    sub->callback([&context, text = script] {
      context.action = [&context, text] {
        context.out << text;
        return absl::OkStatus();
      };
    });
  }
}

}  // namespace gradeline::cli
