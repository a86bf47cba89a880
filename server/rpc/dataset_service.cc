#include "server/rpc/dataset_service.h"

#include "server/core/base/status.h"
#include "server/rpc/import_stream.h"
#include "server/wire/dataset.h"
#include "server/wire/page.h"

namespace gradeline {
namespace {

absl::StatusOr<v1::ListDatasetsResponse> List(Experiments* experiments, const v1::ListDatasetsRequest& request) {
  GRADELINE_ASSIGN_OR_RETURN(const PageRequest page, PageOf(request));
  const DatasetFilter filter{request.show_deleted(), request.fingerprint()};
  GRADELINE_ASSIGN_OR_RETURN(const Page<Dataset> datasets, experiments->ListDatasets(page.size, page.after, filter));
  v1::ListDatasetsResponse response;
  for (const Dataset& dataset : datasets.items) *response.add_datasets() = ToProto(dataset);
  response.set_next_page_token(NextPageToken(page, datasets.next));
  return response;
}

}  // namespace

grpc::ServerReadReactor<v1::ImportDatasetRequest>* DatasetServiceImpl::ImportDataset(grpc::CallbackServerContext*,
                                                                                     v1::Dataset* response) {
  return ImportStream::Open(experiments_, calls_, response);
}

grpc::ServerUnaryReactor* DatasetServiceImpl::GetDataset(grpc::CallbackServerContext* context,
                                                         const v1::GetDatasetRequest* request, v1::Dataset* response) {
  return calls_->Answer(
      context, "DatasetService/GetDataset", request, response, [this, request]() -> absl::StatusOr<v1::Dataset> {
        GRADELINE_ASSIGN_OR_RETURN(const auto id, IdFromName("name", "datasets", request->name()));
        GRADELINE_ASSIGN_OR_RETURN(const Dataset dataset, experiments_->GetDataset(id, request->show_deleted()));
        return ToProto(dataset);
      });
}

grpc::ServerUnaryReactor* DatasetServiceImpl::ListDatasets(grpc::CallbackServerContext* context,
                                                           const v1::ListDatasetsRequest* request,
                                                           v1::ListDatasetsResponse* response) {
  return calls_->Answer(context, "DatasetService/ListDatasets", request, response,
                        [this, request] { return List(experiments_, *request); });
}

grpc::ServerUnaryReactor* DatasetServiceImpl::DeleteDataset(grpc::CallbackServerContext* context,
                                                            const v1::DeleteDatasetRequest* request,
                                                            v1::Dataset* response) {
  return calls_->Answer(
      context, "DatasetService/DeleteDataset", request, response, [this, request]() -> absl::StatusOr<v1::Dataset> {
        GRADELINE_ASSIGN_OR_RETURN(const auto id, IdFromName("name", "datasets", request->name()));
        GRADELINE_ASSIGN_OR_RETURN(const Dataset dataset,
                                   experiments_->DeleteDataset(id, {request->force(), request->purge()}));
        return ToProto(dataset);
      });
}

grpc::ServerUnaryReactor* DatasetServiceImpl::UndeleteDataset(grpc::CallbackServerContext* context,
                                                              const v1::UndeleteDatasetRequest* request,
                                                              v1::Dataset* response) {
  return calls_->Answer(context, "DatasetService/UndeleteDataset", request, response,
                        [this, request]() -> absl::StatusOr<v1::Dataset> {
                          GRADELINE_ASSIGN_OR_RETURN(const auto id, IdFromName("name", "datasets", request->name()));
                          GRADELINE_ASSIGN_OR_RETURN(const Dataset dataset, experiments_->UndeleteDataset(id));
                          return ToProto(dataset);
                        });
}

}  // namespace gradeline
