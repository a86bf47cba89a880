// gradeline.v1.DatasetService over Experiments.
#ifndef GRADELINE_SERVER_RPC_DATASET_SERVICE_H_
#define GRADELINE_SERVER_RPC_DATASET_SERVICE_H_

#include "gradeline/v1/dataset.grpc.pb.h"
#include "server/core/experiment/experiments.h"
#include "server/rpc/calls.h"

namespace gradeline {

class DatasetServiceImpl final : public v1::DatasetService::CallbackService {
 public:
  DatasetServiceImpl(Experiments* experiments, Calls* calls) : experiments_(experiments), calls_(calls) {}

  grpc::ServerReadReactor<v1::ImportDatasetRequest>* ImportDataset(grpc::CallbackServerContext* context,
                                                                   v1::Dataset* response) override;
  grpc::ServerUnaryReactor* GetDataset(grpc::CallbackServerContext* context, const v1::GetDatasetRequest* request,
                                       v1::Dataset* response) override;
  grpc::ServerUnaryReactor* ListDatasets(grpc::CallbackServerContext* context, const v1::ListDatasetsRequest* request,
                                         v1::ListDatasetsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteDataset(grpc::CallbackServerContext* context, const v1::DeleteDatasetRequest* request,
                                          v1::Dataset* response) override;
  grpc::ServerUnaryReactor* UndeleteDataset(grpc::CallbackServerContext* context,
                                            const v1::UndeleteDatasetRequest* request, v1::Dataset* response) override;

 private:
  Experiments* experiments_;
  Calls* calls_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_DATASET_SERVICE_H_
