// watch and wait: an experiment's events as they come, and waiting for a state.
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/fill.h"
#include "client/cli/looks.h"
#include "client/cli/resources.h"

namespace gradeline::cli {
namespace {

struct WatchArguments {
  std::string name, wanted;
  int64_t from_revision = 0;
};

std::string StateWord(v1::ExperimentState state) {
  return ShortEnum("EXPERIMENT_STATE_", v1::ExperimentState_Name(state));
}

// Colour helps the eye only: the word itself says everything.
std::string Coloured(v1::ExperimentState state) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool plain = isatty(STDOUT_FILENO) == 0 || (no_color != nullptr && *no_color != '\0') ||
                     (term != nullptr && absl::string_view(term) == "dumb");
  if (plain) return StateWord(state);
  const char* colour = state == v1::EXPERIMENT_STATE_SUCCEEDED || state == v1::EXPERIMENT_STATE_EARLY_STOPPED ? "32"
                       : state == v1::EXPERIMENT_STATE_FAILED || state == v1::EXPERIMENT_STATE_LOST           ? "31"
                                                                                                              : "36";
  return absl::StrCat("\x1b[", colour, "m", StateWord(state), "\x1b[0m");
}

std::string Line(const v1::WatchExperimentResponse& event) {
  if (event.has_experiment()) {
    const v1::Experiment& experiment = event.experiment();
    return absl::StrCat("rev ", event.revision(), "  ", Coloured(experiment.state()),
                        experiment.attempt() > 0 ? absl::StrCat("  attempt ", experiment.attempt()) : "",
                        experiment.state_reason().empty() ? "" : absl::StrCat("  ", experiment.state_reason()));
  }
  const v1::Epoch& epoch = event.sealed();
  std::string out =
      absl::StrCat("rev ", event.revision(), "  ", ShortEnum("PHASE_", v1::Phase_Name(epoch.phase())), " epoch ",
                   epoch.epoch(), "  ", ShortEnum("SEAL_VERDICT_", v1::SealVerdict_Name(epoch.verdict())), "  loss ",
                   ShortNumber(epoch.loss()), "  average ", ShortNumber(epoch.average()), "  items ", epoch.items());
  for (const v1::MetricValue& metric : epoch.metrics()) {
    absl::StrAppend(&out, "  ", metric.metric(), " ", ShortNumber(metric.value()));
  }
  if (epoch.directive().stop()) absl::StrAppend(&out, "  stop");
  return out;
}

std::string ProgressLine(const v1::Progress& progress) {
  std::string out =
      absl::StrCat(ShortEnum("PHASE_", v1::Phase_Name(progress.phase())), " epoch ", progress.epoch(), "  batches ",
                   progress.batches(), "  loss ", ShortNumber(progress.loss()), "  average ",
                   ShortNumber(progress.average()), "  ranks ", progress.ranks_joined(), "/", progress.world_size());
  for (const v1::LateRank& late : progress.suspect()) {
    absl::StrAppend(&out, "  rank ", late.rank(), " silent for ", late.silent_ms() / 1000, " s");
  }
  return out;
}

// Runs `each` on every event until it returns false or the stream ends.
absl::Status ForEachEvent(Context& context, const WatchArguments& arguments,
                          const std::function<bool(const v1::WatchExperimentResponse&)>& each) {
  auto connection = context.Connect();
  if (!connection.ok()) return connection.status();
  v1::WatchExperimentRequest request;
  request.set_name(ResourceName("experiments", arguments.name));
  request.set_from_revision(arguments.from_revision);
  grpc::ClientContext call;
  if (context.timeout > absl::ZeroDuration()) call.set_deadline(context.Deadline());
  const auto reader = (*connection)->experiments().WatchExperiment(&call, request);
  v1::WatchExperimentResponse event;
  while (reader->Read(&event)) {
    if (!each(event)) {
      call.TryCancel();
      reader->Finish();
      return absl::OkStatus();
    }
  }
  return context.Explained(client::StatusFromGrpc(reader->Finish()));
}

absl::Status Watch(Context& context, const WatchArguments& arguments) {
  const bool progress_line = context.form == OutputForm::kTable && isatty(STDERR_FILENO) != 0;
  int64_t revision = arguments.from_revision;
  const absl::Status status = ForEachEvent(context, arguments, [&](const v1::WatchExperimentResponse& event) {
    revision = event.revision();
    switch (context.form) {
      case OutputForm::kTable:
        if (event.has_progress()) {
          if (progress_line) context.err << "\r\x1b[K" << ProgressLine(event.progress()) << std::flush;
          break;
        }
        if (progress_line) context.err << "\r\x1b[K" << std::flush;
        context.out << Line(event) << std::endl;
        break;
      case OutputForm::kYaml:
        context.out << "---\n" << ToYaml(event) << std::flush;
        break;
      case OutputForm::kName:
        if (event.has_experiment()) context.out << StateWord(event.experiment().state()) << std::endl;
        break;
      default:
        context.out << ToJson(event, false) << std::endl;
    }
    return true;
  });
  if (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status)) {
    context.err << "the events after revision " << revision << " are still to come: --from-revision " << revision
                << '\n';
  }
  return status;
}

bool Accepts(const std::vector<v1::ExperimentState>& wanted, v1::ExperimentState state) {
  return std::find(wanted.begin(), wanted.end(), state) != wanted.end();
}

// "state=SUCCEEDED", "SUCCEEDED", "succeeded"; empty: the two good ends.
absl::StatusOr<std::vector<v1::ExperimentState>> WantedStates(const std::string& text) {
  if (text.empty()) {
    return std::vector<v1::ExperimentState>{v1::EXPERIMENT_STATE_SUCCEEDED, v1::EXPERIMENT_STATE_EARLY_STOPPED};
  }
  v1::Experiment probe;
  const std::string word(absl::StripPrefix(text, "state="));
  if (absl::Status status = SetByPath("state", word, &probe); !status.ok()) {
    return UsageError(absl::StrCat("--for ", status.message()));
  }
  return std::vector<v1::ExperimentState>{probe.state()};
}

absl::Status Wait(Context& context, const WatchArguments& arguments) {
  const absl::StatusOr<std::vector<v1::ExperimentState>> wanted = WantedStates(arguments.wanted);
  if (!wanted.ok()) return wanted.status();
  v1::Experiment last;
  bool reached = false;
  const absl::Status status = ForEachEvent(context, arguments, [&](const v1::WatchExperimentResponse& event) {
    if (event.has_experiment()) {
      last = event.experiment();
      reached = Accepts(*wanted, last.state());
    }
    return !reached;
  });
  if (!status.ok() && !reached) {
    return absl::IsDeadlineExceeded(status) ? absl::DeadlineExceededError(absl::StrCat(
                                                  "the time ran out; the experiment is ", StateWord(last.state())))
                                            : status;
  }
  PrintOne(last, LookOf("experiment"), context.form, false, context.out);
  return reached ? absl::OkStatus()
                 : EndedOtherwiseError(absl::StrCat("the experiment ended as ", StateWord(last.state()),
                                                    last.state_reason().empty() ? "" : ": ", last.state_reason()));
}

void AddVerb(CLI::App& app, Context& context, bool wait) {
  CLI::App* verb = app.add_subcommand(
      wait ? "wait" : "watch", wait ? "Wait until an experiment has a state" : "Show what happens to an experiment");
  verb->require_subcommand(1);
  CLI::App* kind = verb->add_subcommand("experiment", verb->get_description());
  kind->alias("experiments");
  kind->alias("exp");
  const auto arguments = std::make_shared<WatchArguments>();
  kind->add_option("NAME", arguments->name, "name of the experiment")->required();
  if (wait) {
    kind->add_option("--for", arguments->wanted,
                     "state=RUNNING, state=CANCELLED ...; absent: SUCCEEDED or EARLY_STOPPED");
    kind->footer(
        "Exit code 8 if it ended in another state, 7 if the --timeout ran out.\n"
        "Example: gradeline wait experiment first --for state=SUCCEEDED --timeout 2h");
  } else {
    kind->add_option("--from-revision", arguments->from_revision, "only what came after this revision")
        ->check(CLI::NonNegativeNumber);
    kind->footer("With -o json each event is one line.");
  }
  kind->callback([&context, arguments, wait] {
    context.action = [&context, arguments, wait] {
      return wait ? Wait(context, *arguments) : Watch(context, *arguments);
    };
  });
}

}  // namespace

void AddWatch(CLI::App& app, Context& context) {
  AddVerb(app, context, false);
  AddVerb(app, context, true);
}

}  // namespace gradeline::cli
