// gradeline.v1.CatalogService over the registry.
#ifndef GRADELINE_SERVER_RPC_CATALOG_SERVICE_H_
#define GRADELINE_SERVER_RPC_CATALOG_SERVICE_H_

#include "gradeline/v1/catalog.grpc.pb.h"
#include "server/core/loss/registry.h"
#include "server/rpc/calls.h"

namespace gradeline {

class CatalogServiceImpl final : public v1::CatalogService::CallbackService {
 public:
  CatalogServiceImpl(const LossRegistry* registry, Calls* calls) : registry_(registry), calls_(calls) {}

  grpc::ServerUnaryReactor* ListTasks(grpc::CallbackServerContext* context, const v1::ListTasksRequest* request,
                                      v1::ListTasksResponse* response) override;
  grpc::ServerUnaryReactor* ListArchitectures(grpc::CallbackServerContext* context,
                                              const v1::ListArchitecturesRequest* request,
                                              v1::ListArchitecturesResponse* response) override;
  grpc::ServerUnaryReactor* ListLosses(grpc::CallbackServerContext* context, const v1::ListLossesRequest* request,
                                       v1::ListLossesResponse* response) override;
  grpc::ServerUnaryReactor* GetLoss(grpc::CallbackServerContext* context, const v1::GetLossRequest* request,
                                    v1::Loss* response) override;
  grpc::ServerUnaryReactor* ListMetrics(grpc::CallbackServerContext* context, const v1::ListMetricsRequest* request,
                                        v1::ListMetricsResponse* response) override;
  grpc::ServerUnaryReactor* ListSolvers(grpc::CallbackServerContext* context, const v1::ListSolversRequest* request,
                                        v1::ListSolversResponse* response) override;
  grpc::ServerUnaryReactor* ListSchedulers(grpc::CallbackServerContext* context,
                                           const v1::ListSchedulersRequest* request,
                                           v1::ListSchedulersResponse* response) override;
  grpc::ServerUnaryReactor* ListAugmentations(grpc::CallbackServerContext* context,
                                              const v1::ListAugmentationsRequest* request,
                                              v1::ListAugmentationsResponse* response) override;
  grpc::ServerUnaryReactor* ListTrainingParameters(grpc::CallbackServerContext* context,
                                                   const v1::ListTrainingParametersRequest* request,
                                                   v1::ListTrainingParametersResponse* response) override;
  grpc::ServerUnaryReactor* PreviewSchedule(grpc::CallbackServerContext* context,
                                            const v1::PreviewScheduleRequest* request,
                                            v1::PreviewScheduleResponse* response) override;

 private:
  const LossRegistry* registry_;
  Calls* calls_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_CATALOG_SERVICE_H_
