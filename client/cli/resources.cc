// See resources.h.
#include "client/cli/resources.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/cli/exit_code.h"
#include "client/cli/looks.h"

namespace gradeline::cli {
namespace {

using MessageOr = absl::StatusOr<std::unique_ptr<google::protobuf::Message>>;
using client::Connection;

template <typename Response>
MessageOr Give(const absl::Status& status, std::unique_ptr<Response> response) {
  if (!status.ok()) return status;
  return std::unique_ptr<google::protobuf::Message>(std::move(response));
}

MessageOr ListTasks(Context& context, const Selection&) {
  auto response = std::make_unique<v1::ListTasksResponse>();
  const auto status = context.CallAllPages(&Connection::catalog, &v1::CatalogService::Stub::ListTasks,
                                           v1::ListTasksRequest(), response.get());
  return Give(status, std::move(response));
}

MessageOr ListArchitectures(Context& context, const Selection& selection) {
  v1::ListArchitecturesRequest request;
  request.set_task(selection.task);
  auto response = std::make_unique<v1::ListArchitecturesResponse>();
  const auto status =
      context.CallAllPages(&Connection::catalog, &v1::CatalogService::Stub::ListArchitectures, request, response.get());
  return Give(status, std::move(response));
}

MessageOr ListLosses(Context& context, const Selection& selection) {
  v1::ListLossesRequest request;
  request.set_task(selection.task);
  request.set_architecture(selection.architecture);
  request.set_head(selection.head);
  request.set_show_refused(selection.all);
  auto response = std::make_unique<v1::ListLossesResponse>();
  const auto status =
      context.CallAllPages(&Connection::catalog, &v1::CatalogService::Stub::ListLosses, request, response.get());
  // For people the note stands beside the table; the other forms carry it in the message.
  if (status.ok() && !response->note().empty() &&
      (context.form == OutputForm::kTable || context.form == OutputForm::kName)) {
    context.err << response->note() << '\n';
  }
  return Give(status, std::move(response));
}

MessageOr GetLoss(Context& context, const Selection& selection) {
  if (!selection.task.empty() || !selection.architecture.empty() || !selection.head.empty() || selection.all) {
    return UsageError("a loss's name and --task, --architecture, --head, --all do not go together");
  }
  v1::GetLossRequest request;
  request.set_name(ResourceName("losses", selection.name));
  auto response = std::make_unique<v1::Loss>();
  const auto status = context.Call(&Connection::catalog, &v1::CatalogService::Stub::GetLoss, request, response.get());
  return Give(status, std::move(response));
}

MessageOr ListMetrics(Context& context, const Selection& selection) {
  v1::ListMetricsRequest request;
  request.set_task(selection.task);
  request.set_architecture(selection.architecture);
  request.set_head(selection.head);
  auto response = std::make_unique<v1::ListMetricsResponse>();
  const auto status =
      context.CallAllPages(&Connection::catalog, &v1::CatalogService::Stub::ListMetrics, request, response.get());
  return Give(status, std::move(response));
}

template <typename Request, typename Response>
MessageOr ListAll(Context& context,
                  grpc::Status (v1::CatalogService::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                  const Request& request) {
  auto response = std::make_unique<Response>();
  const auto status = context.CallAllPages(&Connection::catalog, method, request, response.get());
  return Give(status, std::move(response));
}

MessageOr ListSolvers(Context& context, const Selection&) {
  return ListAll(context, &v1::CatalogService::Stub::ListSolvers, v1::ListSolversRequest());
}

MessageOr ListSchedulers(Context& context, const Selection&) {
  return ListAll(context, &v1::CatalogService::Stub::ListSchedulers, v1::ListSchedulersRequest());
}

MessageOr ListAugmentations(Context& context, const Selection& selection) {
  v1::ListAugmentationsRequest request;
  request.set_task(selection.task);
  return ListAll(context, &v1::CatalogService::Stub::ListAugmentations, request);
}

MessageOr ListTrainingParameters(Context& context, const Selection&) {
  return ListAll(context, &v1::CatalogService::Stub::ListTrainingParameters, v1::ListTrainingParametersRequest());
}

MessageOr ListDatasets(Context& context, const Selection& selection) {
  v1::ListDatasetsRequest request;
  request.set_show_deleted(selection.show_deleted);
  auto response = std::make_unique<v1::ListDatasetsResponse>();
  const auto status =
      context.CallAllPages(&Connection::datasets, &v1::DatasetService::Stub::ListDatasets, request, response.get());
  return Give(status, std::move(response));
}

MessageOr GetDataset(Context& context, const Selection& selection) {
  v1::GetDatasetRequest request;
  request.set_name(ResourceName("datasets", selection.name));
  request.set_show_deleted(selection.show_deleted);
  auto response = std::make_unique<v1::Dataset>();
  const auto status =
      context.Call(&Connection::datasets, &v1::DatasetService::Stub::GetDataset, request, response.get());
  return Give(status, std::move(response));
}

MessageOr ListSplits(Context& context, const Selection& selection) {
  v1::ListSplitsRequest request;
  request.set_show_deleted(selection.show_deleted);
  auto response = std::make_unique<v1::ListSplitsResponse>();
  const auto status =
      context.CallAllPages(&Connection::splits, &v1::SplitService::Stub::ListSplits, request, response.get());
  return Give(status, std::move(response));
}

MessageOr GetSplit(Context& context, const Selection& selection) {
  v1::GetSplitRequest request;
  request.set_name(ResourceName("splits", selection.name));
  request.set_show_deleted(selection.show_deleted);
  auto response = std::make_unique<v1::Split>();
  const auto status = context.Call(&Connection::splits, &v1::SplitService::Stub::GetSplit, request, response.get());
  return Give(status, std::move(response));
}

MessageOr ListItems(Context& context, const Selection& selection) {
  v1::ListItemsRequest request;
  request.set_parent(ResourceName("splits", selection.split.empty() ? selection.name : selection.split));
  v1::Part part = v1::PART_UNSPECIFIED;
  if (request.parent().empty() || !v1::Part_Parse("PART_" + absl::AsciiStrToUpper(selection.part), &part) ||
      part == v1::PART_UNSPECIFIED) {
    return UsageError("get items needs --split NAME and --part train|validation|test");
  }
  request.set_part(part);
  request.set_rank(selection.rank);
  request.set_world_size(selection.world_size);
  request.set_page_size(100'000);
  request.set_view(selection.names ? v1::ITEM_VIEW_FULL : v1::ITEM_VIEW_BASIC);
  auto response = std::make_unique<v1::ListItemsResponse>();
  const auto status =
      context.CallAllPages(&Connection::splits, &v1::SplitService::Stub::ListItems, request, response.get());
  return Give(status, std::move(response));
}

MessageOr ListExperiments(Context& context, const Selection& selection) {
  v1::ListExperimentsRequest request;
  request.set_filter(selection.filter);
  request.set_order_by(selection.order_by);
  request.set_show_deleted(selection.show_deleted);
  auto response = std::make_unique<v1::ListExperimentsResponse>();
  const auto status = context.CallAllPages(&Connection::experiments, &v1::ExperimentService::Stub::ListExperiments,
                                           request, response.get());
  return Give(status, std::move(response));
}

MessageOr GetExperiment(Context& context, const Selection& selection) {
  v1::GetExperimentRequest request;
  if (!selection.filter.empty() || !selection.order_by.empty()) {
    return UsageError("an experiment's name and --filter, --order-by do not go together");
  }
  request.set_name(ResourceName("experiments", selection.name));
  request.set_show_deleted(selection.show_deleted);
  auto response = std::make_unique<v1::Experiment>();
  const auto status =
      context.Call(&Connection::experiments, &v1::ExperimentService::Stub::GetExperiment, request, response.get());
  return Give(status, std::move(response));
}

MessageOr ListEpochs(Context& context, const Selection& selection) {
  const std::string& experiment = selection.experiment.empty() ? selection.name : selection.experiment;
  if (experiment.empty()) return UsageError("get epochs needs --experiment NAME");
  v1::ListEpochsRequest request;
  request.set_parent(ResourceName("experiments", experiment));
  auto response = std::make_unique<v1::ListEpochsResponse>();
  const auto status =
      context.CallAllPages(&Connection::experiments, &v1::ExperimentService::Stub::ListEpochs, request, response.get());
  return Give(status, std::move(response));
}

MessageOr ListAttempts(Context& context, const Selection& selection) {
  const std::string& experiment = selection.experiment.empty() ? selection.name : selection.experiment;
  if (experiment.empty()) return UsageError("get attempts needs --experiment NAME");
  v1::ListAttemptsRequest request;
  request.set_parent(ResourceName("experiments", experiment));
  auto response = std::make_unique<v1::ListAttemptsResponse>();
  const auto status = context.CallAllPages(&Connection::experiments, &v1::ExperimentService::Stub::ListAttempts,
                                           request, response.get());
  return Give(status, std::move(response));
}

MessageOr ListPlugins(Context& context, const Selection&) {
  auto response = std::make_unique<v1::ListPluginsResponse>();
  const auto status = context.CallAllPages(&Connection::admin, &v1::AdminService::Stub::ListPlugins,
                                           v1::ListPluginsRequest(), response.get());
  return Give(status, std::move(response));
}

}  // namespace

const std::vector<Resource>& Resources() {
  static const auto* const kAll = new std::vector<Resource>{
      {"task", "tasks", {}, "what a model solves", {}, "tasks", TaskLook(), ListTasks, {}},
      {"architecture",
       "architectures",
       {"arch", "archs"},
       "model families with their heads",
       {"task"},
       "architectures --task classification",
       ArchitectureLook(),
       ListArchitectures,
       {}},
      {"loss",
       "losses",
       {},
       "losses valid for a task, an architecture, a head",
       {"task", "architecture", "head", "all"},
       "losses --task object-detection --architecture faster-rcnn --head box --all",
       LossOfferLook(),
       ListLosses,
       GetLoss},
      {"metric",
       "metrics",
       {},
       "measures that the server computes",
       {"task", "architecture", "head"},
       "metrics --task classification --architecture resnet",
       MetricLook(),
       ListMetrics,
       {}},
      {"solver", "solvers", {}, "optimisation methods", {}, "solvers", SolverLook(), ListSolvers, {}},
      {"scheduler",
       "schedulers",
       {},
       "schedules of the learning rate",
       {},
       "schedulers",
       SchedulerLook(),
       ListSchedulers,
       {}},
      {"augmentation",
       "augmentations",
       {},
       "changes of the training's images",
       {"task"},
       "augmentations --task semantic-segmentation",
       AugmentationLook(),
       ListAugmentations,
       {}},
      {"training-parameter",
       "training-parameters",
       {},
       "numbers of a training",
       {},
       "training-parameters",
       ParameterLook(),
       ListTrainingParameters,
       {}},
      {"dataset",
       "datasets",
       {"ds"},
       "registered lists of items",
       {"show-deleted"},
       "datasets",
       DatasetLook(),
       ListDatasets,
       GetDataset},
      {"split",
       "splits",
       {},
       "datasets parted into train, validation, test",
       {"show-deleted"},
       "splits -o json",
       SplitLook(),
       ListSplits,
       GetSplit},
      {"item",
       "items",
       {},
       "items of a split's part",
       {"part"},
       "items --split fashion-a --part validation",
       ItemLook(),
       ListItems,
       {},
       true},
      {"experiment",
       "experiments",
       {"exp", "exps"},
       "what is trained",
       {"filter", "show-deleted"},
       "experiments --filter 'state = RUNNING AND labels.team = vision' --order-by 'create_time desc'",
       ExperimentLook(),
       ListExperiments,
       GetExperiment},
      {"epoch",
       "epochs",
       {},
       "sealed phases of an experiment",
       {"experiment"},
       "epochs --experiment first",
       EpochLook(),
       ListEpochs,
       {},
       true},
      {"attempt",
       "attempts",
       {},
       "starts of an experiment",
       {"experiment"},
       "attempts --experiment first",
       AttemptLook(),
       ListAttempts,
       {},
       true},
      {"plugin", "plugins", {}, "loaded and refused plugins", {}, "plugins", PluginLook(), ListPlugins, {}},
  };
  return *kAll;
}

const Resource* FindResource(const std::string& word) {
  for (const Resource& resource : Resources()) {
    if (resource.singular == word || resource.plural == word ||
        std::find(resource.aliases.begin(), resource.aliases.end(), word) != resource.aliases.end()) {
      return &resource;
    }
  }
  return nullptr;
}

const Look& LookOf(const char* singular) { return FindResource(singular)->look; }

}  // namespace gradeline::cli
