// gradeline.v1.SplitService over Experiments.
#ifndef GRADELINE_SERVER_RPC_SPLIT_SERVICE_H_
#define GRADELINE_SERVER_RPC_SPLIT_SERVICE_H_

#include "gradeline/v1/split.grpc.pb.h"
#include "server/core/experiment/experiments.h"
#include "server/rpc/calls.h"

namespace gradeline {

class SplitServiceImpl final : public v1::SplitService::CallbackService {
 public:
  SplitServiceImpl(Experiments* experiments, Calls* calls) : experiments_(experiments), calls_(calls) {}

  grpc::ServerUnaryReactor* CreateSplit(grpc::CallbackServerContext* context, const v1::CreateSplitRequest* request,
                                        v1::Split* response) override;
  grpc::ServerUnaryReactor* GetSplit(grpc::CallbackServerContext* context, const v1::GetSplitRequest* request,
                                     v1::Split* response) override;
  grpc::ServerUnaryReactor* ListSplits(grpc::CallbackServerContext* context, const v1::ListSplitsRequest* request,
                                       v1::ListSplitsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteSplit(grpc::CallbackServerContext* context, const v1::DeleteSplitRequest* request,
                                        v1::Split* response) override;
  grpc::ServerUnaryReactor* UndeleteSplit(grpc::CallbackServerContext* context, const v1::UndeleteSplitRequest* request,
                                          v1::Split* response) override;
  grpc::ServerUnaryReactor* ListItems(grpc::CallbackServerContext* context, const v1::ListItemsRequest* request,
                                      v1::ListItemsResponse* response) override;

 private:
  Experiments* experiments_;
  Calls* calls_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_SPLIT_SERVICE_H_
