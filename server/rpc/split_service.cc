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
  absl::StatusOr<Split> split = SplitFromProto(request.split());
  Violations violations;
  violations.Merge("split", split.status());
  violations.Merge("", CheckRequestId("requestId", request.request_id()));
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  auto created = experiments->CreateSplit(*std::move(split), request.request_id(), request.validate_only());
  if (!created.ok()) return BelowField("split", created.status());
  return ToProto(*created);
}

absl::StatusOr<v1::ListSplitsResponse> List(Experiments* experiments, const v1::ListSplitsRequest& request) {
  GRADELINE_ASSIGN_OR_RETURN(const PageRequest page, PageOf(request));
  GRADELINE_ASSIGN_OR_RETURN(const Page<Split> splits, experiments->ListSplits(page.size, page.after));
  v1::ListSplitsResponse response;
  for (const Split& split : splits.items) *response.add_splits() = ToProto(split);
  response.set_next_page_token(NextPageToken(page, splits.next));
  return response;
}

absl::StatusOr<v1::ListItemsResponse> Items(Experiments* experiments, const v1::ListItemsRequest& request) {
  Violations violations;
  const absl::StatusOr<PageRequest> page = PageOf(request, {1000, 100'000});
  const absl::StatusOr<std::string> id = IdFromName("split", "splits", request.split());
  const absl::StatusOr<Phase> part = PartFromProto(request.part());
  violations.Merge("", id.status());
  violations.Merge("", part.status());
  if (request.world_size() < 0) {
    violations.Add("worldSize", absl::StrCat(request.world_size(), " is negative; allowed: 0 (all items) and above"));
  } else if (request.rank() < 0 || request.rank() >= std::max(request.world_size(), 1)) {
    violations.Add("rank", absl::StrCat(request.rank(), "; allowed: 0 to ", std::max(request.world_size(), 1) - 1));
  }
  violations.Merge("", page.status());
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  GRADELINE_ASSIGN_OR_RETURN(
      const Page<Item> items,
      experiments->ListItems(*id, *part, request.rank(), request.world_size(), page->size, page->after));
  v1::ListItemsResponse response;
  for (const Item& item : items.items) *response.add_items() = ToProto(item);
  response.set_next_page_token(NextPageToken(*page, items.next));
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
  return calls_->Answer(context, "SplitService/GetSplit", request, response,
                        [this, request]() -> absl::StatusOr<v1::Split> {
                          GRADELINE_ASSIGN_OR_RETURN(const auto id, IdFromName("name", "splits", request->name()));
                          GRADELINE_ASSIGN_OR_RETURN(const Split split, experiments_->GetSplit(id));
                          return ToProto(split);
                        });
}

grpc::ServerUnaryReactor* SplitServiceImpl::ListSplits(grpc::CallbackServerContext* context,
                                                       const v1::ListSplitsRequest* request,
                                                       v1::ListSplitsResponse* response) {
  return calls_->Answer(context, "SplitService/ListSplits", request, response,
                        [this, request] { return List(experiments_, *request); });
}

grpc::ServerUnaryReactor* SplitServiceImpl::ListItems(grpc::CallbackServerContext* context,
                                                      const v1::ListItemsRequest* request,
                                                      v1::ListItemsResponse* response) {
  return calls_->Answer(context, "SplitService/ListItems", request, response,
                        [this, request] { return Items(experiments_, *request); });
}

}  // namespace gradeline
