// describe epoch: the sealed phases of one epoch with everything that their metrics came to.
#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/looks.h"
#include "client/cli/metric_text.h"

namespace gradeline::cli {
namespace {

// Seals come with curves and matrices: few are asked for at a time, and only those that may be shown are kept.
constexpr int kPage = 10;

struct EpochChoice {
  std::string experiment, phase;
  std::optional<int64_t> epoch;
};

// The classes of an experiment's labels, by number; empty where its split is gone.
std::vector<std::string> ClassNames(Context& context, const std::string& experiment) {
  v1::GetExperimentRequest of_experiment;
  of_experiment.set_name(experiment);
  of_experiment.set_show_deleted(true);
  v1::Experiment found;
  if (!context
           .Call(&client::Connection::experiments, &v1::ExperimentService::Stub::GetExperiment, of_experiment, &found)
           .ok()) {
    return {};
  }
  v1::GetSplitRequest of_split;
  of_split.set_name(found.split());
  of_split.set_show_deleted(true);
  v1::Split split;
  if (!context.Call(&client::Connection::splits, &v1::SplitService::Stub::GetSplit, of_split, &split).ok()) return {};
  if (split.class_names_size() > 0) return {split.class_names().begin(), split.class_names().end()};
  v1::GetDatasetRequest of_dataset;
  of_dataset.set_name(split.datasets_size() > 0 ? split.datasets(0) : "");
  of_dataset.set_show_deleted(true);
  v1::Dataset dataset;
  if (!context.Call(&client::Connection::datasets, &v1::DatasetService::Stub::GetDataset, of_dataset, &dataset).ok()) {
    return {};
  }
  return {dataset.classes().begin(), dataset.classes().end()};
}

std::string PhaseOf(const v1::Epoch& epoch) { return ShortEnum("PHASE_", v1::Phase_Name(epoch.phase())); }

// Leaves the phases that are asked for of the epoch that is, or of the newest that has one; of its newest attempt.
void Choose(const EpochChoice& choice, v1::ListEpochsResponse* response) {
  auto& seals = *response->mutable_epochs();
  const auto leave = [&seals](const auto& fits) {
    seals.erase(std::remove_if(seals.begin(), seals.end(), [&](const v1::Epoch& seal) { return !fits(seal); }),
                seals.end());
  };
  leave([&](const v1::Epoch& seal) { return choice.phase.empty() || PhaseOf(seal) == choice.phase; });
  int64_t epoch = choice.epoch.value_or(-1);
  for (const v1::Epoch& seal : seals) epoch = choice.epoch ? epoch : std::max(epoch, seal.epoch());
  leave([&](const v1::Epoch& seal) { return seal.epoch() == epoch; });
  int32_t attempt = 0;
  for (const v1::Epoch& seal : seals) attempt = std::max(attempt, seal.attempt());
  leave([&](const v1::Epoch& seal) { return seal.attempt() == attempt; });
}

absl::Status Describe(Context& context, const EpochChoice& choice) {
  v1::ListEpochsRequest request;
  request.set_parent(ResourceName("experiments", choice.experiment));
  request.set_show_details(true);
  request.set_page_size(kPage);
  v1::ListEpochsResponse response;
  do {
    v1::ListEpochsResponse page;
    if (absl::Status status =
            context.Call(&client::Connection::experiments, &v1::ExperimentService::Stub::ListEpochs, request, &page);
        !status.ok()) {
      return status;
    }
    request.set_page_token(page.next_page_token());
    response.MergeFrom(page);
    Choose(choice, &response);
  } while (!request.page_token().empty());
  response.clear_next_page_token();
  if (response.epochs().empty()) {
    return absl::NotFoundError(absl::StrCat("experiment ", choice.experiment, " has no sealed ",
                                            choice.phase.empty() ? "phase" : choice.phase,
                                            choice.epoch ? absl::StrCat(" of epoch ", *choice.epoch) : ""));
  }
  PrintList(response, EpochLook(), context.form, context.out);
  if (context.form != OutputForm::kTable) return absl::OkStatus();
  const std::vector<std::string> classes = ClassNames(context, request.parent());
  for (const v1::Epoch& seal : response.epochs()) {
    for (const v1::MetricValue& metric : seal.metrics()) {
      context.out << '\n' << PhaseOf(seal) << "  ";
      PrintMetric(metric, classes, context.out);
    }
  }
  return absl::OkStatus();
}

}  // namespace

void AddDescribeEpoch(CLI::App& kind, Context& context) {
  const auto choice = std::make_shared<EpochChoice>();
  const auto not_empty = [](const std::string& text) { return text.empty() ? "is empty" : ""; };
  CLI::Option* name = kind.add_option("NAME", choice->experiment, "name of the experiment");
  name->check(CLI::Validator(not_empty, ""));
  kind.add_option("--experiment", choice->experiment, "the experiment, as NAME")->excludes(name);
  kind.add_option("--epoch", choice->epoch, "which, from 0; absent: the newest that has a seal of the phase");
  kind.add_option("--phase", choice->phase, "only this phase")->check(CLI::IsMember({"train", "validation", "test"}));
  kind.footer("Example: gradeline describe epoch first --epoch 3 --phase validation");
  kind.callback([&context, choice] {
    context.action = [&context, choice] {
      if (choice->experiment.empty()) return UsageError("describe epoch needs --experiment NAME");
      return Describe(context, *choice);
    };
  });
}

}  // namespace gradeline::cli
