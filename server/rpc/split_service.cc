#include "server/rpc/split_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/wire/dataset.h"
#include "server/wire/page.h"
#include "server/wire/split.h"
#include "server/wire/status.h"

namespace gradeline {
namespace {

absl::StatusOr<v1::Split> Create(Experiments* experiments, const v1::CreateSplitRequest& request) {
  Violations form, violations;
  Split split = SplitFromProto(request.split(), &form);
  violations.Merge("split", form.ToStatus());
  violations.Merge("", CheckRequestId("requestId", request.request_id()));
  // A wrong form stores nothing, but what could be read is checked too: one answer names everything.
  const bool validate_only = request.validate_only() || !violations.empty();
  const auto created = experiments->CreateSplit(std::move(split), request.request_id(), validate_only);
  violations.MergeRest("split", created.status());
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  return ToProto(*created);
}

absl::StatusOr<v1::ListSplitsResponse> List(Experiments* experiments, const v1::ListSplitsRequest& request) {
  GRADELINE_ASSIGN_OR_RETURN(const PageRequest page, PageOf(request));
  GRADELINE_ASSIGN_OR_RETURN(const Page<Split> splits,
                             experiments->ListSplits(page.size, page.after, request.show_deleted()));
  v1::ListSplitsResponse response;
  for (const Split& split : splits.items) *response.add_splits() = ToProto(split);
  response.set_next_page_token(NextPageToken(page, splits.next));
  return response;
}

absl::StatusOr<v1::ListItemsResponse> Items(Experiments* experiments, const v1::ListItemsRequest& request) {
  Violations violations;
  const std::string id = IdFromName("parent", "splits", request.parent(), &violations);
  const absl::StatusOr<Phase> part = PartFromProto(request.part());
  violations.Merge("", part.status());
  const absl::StatusOr<PageRequest> page = PageOf(request, {1000, 100'000});
  violations.Merge("", page.status());
  if (!v1::ItemView_IsValid(request.view())) {
    violations.Add("view", absl::StrCat(static_cast<int>(request.view()),
                                        " is no view; allowed: ITEM_VIEW_BASIC, ITEM_VIEW_FULL"));
  }
  const auto items = experiments->ListItems(id, part.value_or(Phase::kTrain), request.rank(), request.world_size(),
                                            page.ok() ? page->size : 1, page.ok() ? page->after : "");
  violations.MergeRest(absl::IsNotFound(items.status()) ? "parent" : "", items.status());
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  v1::ListItemsResponse response;
  for (const PlacedItem& placed : items->items) {
    *response.add_items() = ToProto(placed.item, request.view() == v1::ITEM_VIEW_FULL);
  }
  response.set_next_page_token(NextPageToken(*page, items->next));
  return response;
}

}  // namespace

grpc::ServerUnaryReactor* SplitServiceImpl::CreateSplit(grpc::CallbackServerContext* context,
                                                        const v1::CreateSplitRequest* request, v1::Split* response) {
  return calls_->Answer(context, "SplitService/CreateSplit", request, response,
                        [this, request] { return Create(experiments_, *request); });
}

grpc::ServerUnaryReactor* SplitServiceImpl::GetSplit(grpc::CallbackServerContext* context,
                                                     const v1::GetSplitRequest* request, v1::Split* response) {
  return calls_->Answer(
      context, "SplitService/GetSplit", request, response, [this, request]() -> absl::StatusOr<v1::Split> {
        GRADELINE_ASSIGN_OR_RETURN(const auto id, IdFromName("name", "splits", request->name()));
        GRADELINE_ASSIGN_OR_RETURN(const Split split, experiments_->GetSplit(id, request->show_deleted()));
        return ToProto(split);
      });
}

grpc::ServerUnaryReactor* SplitServiceImpl::ListSplits(grpc::CallbackServerContext* context,
                                                       const v1::ListSplitsRequest* request,
                                                       v1::ListSplitsResponse* response) {
  return calls_->Answer(context, "SplitService/ListSplits", request, response,
                        [this, request] { return List(experiments_, *request); });
}

grpc::ServerUnaryReactor* SplitServiceImpl::DeleteSplit(grpc::CallbackServerContext* context,
                                                        const v1::DeleteSplitRequest* request, v1::Split* response) {
  return calls_->Answer(context, "SplitService/DeleteSplit", request, response,
                        [this, request]() -> absl::StatusOr<v1::Split> {
                          GRADELINE_ASSIGN_OR_RETURN(const auto id, IdFromName("name", "splits", request->name()));
                          GRADELINE_ASSIGN_OR_RETURN(
                              const Split split, experiments_->DeleteSplit(id, {request->force(), request->purge()}));
                          return ToProto(split);
                        });
}

grpc::ServerUnaryReactor* SplitServiceImpl::UndeleteSplit(grpc::CallbackServerContext* context,
                                                          const v1::UndeleteSplitRequest* request,
                                                          v1::Split* response) {
  return calls_->Answer(context, "SplitService/UndeleteSplit", request, response,
                        [this, request]() -> absl::StatusOr<v1::Split> {
                          GRADELINE_ASSIGN_OR_RETURN(const auto id, IdFromName("name", "splits", request->name()));
                          GRADELINE_ASSIGN_OR_RETURN(const Split split, experiments_->UndeleteSplit(id));
                          return ToProto(split);
                        });
}

grpc::ServerUnaryReactor* SplitServiceImpl::ListItems(grpc::CallbackServerContext* context,
                                                      const v1::ListItemsRequest* request,
                                                      v1::ListItemsResponse* response) {
  return calls_->Answer(context, "SplitService/ListItems", request, response,
                        [this, request] { return Items(experiments_, *request); });
}

}  // namespace gradeline
