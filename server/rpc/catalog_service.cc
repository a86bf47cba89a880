#include "server/rpc/catalog_service.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/core/base/ids.h"
#include "server/core/base/status.h"
#include "server/rpc/list_page.h"
#include "server/rpc/metric_list.h"
#include "server/rpc/offer_calls.h"
#include "server/wire/catalog.h"

namespace gradeline {
namespace {

absl::StatusOr<v1::ListTasksResponse> ListTasksPage(const Catalog& catalog, const v1::ListTasksRequest& request) {
  GRADELINE_ASSIGN_OR_RETURN(const PageRequest page, PageOf(request));
  v1::ListTasksResponse response;
  response.set_next_page_token(AddPage(
      page, catalog.tasks(), [](const TaskInfo& task) { return task.id; },
      [&](const TaskInfo& task) { *response.add_tasks() = ToProto(task); }));
  return response;
}

absl::StatusOr<v1::ListArchitecturesResponse> ListArchitecturesPage(const Catalog& catalog,
                                                                    const v1::ListArchitecturesRequest& request) {
  GRADELINE_ASSIGN_OR_RETURN(const PageRequest page, PageOfTask(catalog, request));
  std::vector<const ArchitectureInfo*> fitting;
  for (const ArchitectureInfo& architecture : catalog.architectures()) {
    const auto& tasks = architecture.tasks;
    if (request.task().empty() || std::find(tasks.begin(), tasks.end(), request.task()) != tasks.end()) {
      fitting.push_back(&architecture);
    }
  }
  v1::ListArchitecturesResponse response;
  absl::Status status;
  response.set_next_page_token(AddPage(
      page, std::move(fitting), [](const ArchitectureInfo* architecture) { return architecture->id; },
      [&](const ArchitectureInfo* architecture) {
        const auto heads = catalog.ResolveHeads(*architecture, {});
        status.Update(heads.status());
        if (heads.ok()) *response.add_architectures() = ToProto(*architecture, *heads);
      }));
  if (!status.ok()) return status;
  return response;
}

absl::StatusOr<v1::ListLossesResponse> ListLossesPage(const LossRegistry& registry,
                                                      const v1::ListLossesRequest& request) {
  Violations violations;
  const bool with_task = !request.task().empty(), with_architecture = !request.architecture().empty();
  absl::Status task, architecture;
  if (with_task) {
    task = registry.catalog().FindTask(request.task()).status();
    violations.MergeRest("task", task);
  } else {
    violations.Add("task", "is missing; allowed: the id of a task");
  }
  if (with_architecture) {
    const std::string& known_task = task.ok() ? request.task() : "";
    architecture = registry.catalog().FindArchitecture(known_task, request.architecture()).status();
    violations.MergeRest("architecture", architecture);
  } else if (!request.head().empty()) {
    violations.Add("architecture", absl::StrCat("is missing; head \"", request.head(), "\" needs one"));
  }
  const absl::StatusOr<PageRequest> page = PageOf(request);
  absl::StatusOr<LossList> list = LossList();
  if (violations.empty()) list = registry.ListFor(request.task(), request.architecture(), request.head());
  violations.MergeRest("head", list.status());
  violations.MergeRest("", page.status());
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  if (!request.show_refused()) {
    std::erase_if(list->offers, [](const LossOffer& offer) { return offer.verdict == LossVerdict::kRefused; });
  }
  v1::ListLossesResponse response;
  response.set_note(list->note);
  response.set_next_page_token(AddPage(
      *page, std::move(list->offers), [](const LossOffer& offer) { return offer.loss->id; },
      [&](const LossOffer& offer) { *response.add_losses() = ToProto(offer); }));
  return response;
}

absl::StatusOr<v1::Loss> FindLoss(const LossRegistry& registry, const std::string& name) {
  constexpr std::string_view kPrefix = "losses/";
  if (name.compare(0, kPrefix.size(), kPrefix) != 0 ||
      !IsLossExpression(std::string_view(name).substr(kPrefix.size()))) {
    Violations violations;
    violations.Add("name", absl::StrCat("\"", name,
                                        "\" is no resource name of the form \"losses/{id}\", an id is of "
                                        "a-z 0-9 _ . / -, a sum is ids with + between them"));
    return violations.ToStatus();
  }
  const auto loss = registry.Find(name.substr(kPrefix.size()));
  if (loss.ok()) return ToProto(**loss);
  if (!absl::IsInvalidArgument(loss.status())) return loss.status();
  Violations violations;
  violations.Merge("name", loss.status());
  return violations.ToStatus();
}

}  // namespace

grpc::ServerUnaryReactor* CatalogServiceImpl::ListTasks(grpc::CallbackServerContext* context,
                                                        const v1::ListTasksRequest* request,
                                                        v1::ListTasksResponse* response) {
  return calls_->Answer(context, "CatalogService/ListTasks", request, response,
                        [this, request] { return ListTasksPage(registry_->catalog(), *request); });
}

grpc::ServerUnaryReactor* CatalogServiceImpl::ListArchitectures(grpc::CallbackServerContext* context,
                                                                const v1::ListArchitecturesRequest* request,
                                                                v1::ListArchitecturesResponse* response) {
  return calls_->Answer(context, "CatalogService/ListArchitectures", request, response,
                        [this, request] { return ListArchitecturesPage(registry_->catalog(), *request); });
}

grpc::ServerUnaryReactor* CatalogServiceImpl::ListLosses(grpc::CallbackServerContext* context,
                                                         const v1::ListLossesRequest* request,
                                                         v1::ListLossesResponse* response) {
  return calls_->Answer(context, "CatalogService/ListLosses", request, response,
                        [this, request] { return ListLossesPage(*registry_, *request); });
}

grpc::ServerUnaryReactor* CatalogServiceImpl::GetLoss(grpc::CallbackServerContext* context,
                                                      const v1::GetLossRequest* request, v1::Loss* response) {
  return calls_->Answer(context, "CatalogService/GetLoss", request, response,
                        [this, request] { return FindLoss(*registry_, request->name()); });
}

grpc::ServerUnaryReactor* CatalogServiceImpl::ListMetrics(grpc::CallbackServerContext* context,
                                                          const v1::ListMetricsRequest* request,
                                                          v1::ListMetricsResponse* response) {
  return calls_->Answer(context, "CatalogService/ListMetrics", request, response,
                        [this, request] { return ListMetricsPage(registry_->catalog(), *request); });
}

grpc::ServerUnaryReactor* CatalogServiceImpl::ListSolvers(grpc::CallbackServerContext* context,
                                                          const v1::ListSolversRequest* request,
                                                          v1::ListSolversResponse* response) {
  return calls_->Answer(context, "CatalogService/ListSolvers", request, response,
                        [this, request] { return ListSolversPage(registry_->catalog(), *request); });
}

grpc::ServerUnaryReactor* CatalogServiceImpl::ListSchedulers(grpc::CallbackServerContext* context,
                                                             const v1::ListSchedulersRequest* request,
                                                             v1::ListSchedulersResponse* response) {
  return calls_->Answer(context, "CatalogService/ListSchedulers", request, response,
                        [this, request] { return ListSchedulersPage(registry_->catalog(), *request); });
}

grpc::ServerUnaryReactor* CatalogServiceImpl::ListAugmentations(grpc::CallbackServerContext* context,
                                                                const v1::ListAugmentationsRequest* request,
                                                                v1::ListAugmentationsResponse* response) {
  return calls_->Answer(context, "CatalogService/ListAugmentations", request, response,
                        [this, request] { return ListAugmentationsPage(registry_->catalog(), *request); });
}

grpc::ServerUnaryReactor* CatalogServiceImpl::ListTrainingParameters(grpc::CallbackServerContext* context,
                                                                     const v1::ListTrainingParametersRequest* request,
                                                                     v1::ListTrainingParametersResponse* response) {
  return calls_->Answer(context, "CatalogService/ListTrainingParameters", request, response,
                        [this, request] { return ListTrainingParametersPage(registry_->catalog(), *request); });
}

grpc::ServerUnaryReactor* CatalogServiceImpl::PreviewSchedule(grpc::CallbackServerContext* context,
                                                              const v1::PreviewScheduleRequest* request,
                                                              v1::PreviewScheduleResponse* response) {
  return calls_->Answer(context, "CatalogService/PreviewSchedule", request, response,
                        [this, request] { return Preview(registry_->catalog(), *request); });
}

}  // namespace gradeline
