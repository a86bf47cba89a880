// gradeline.v1.ExperimentService over Experiments.
#ifndef GRADELINE_SERVER_RPC_EXPERIMENT_SERVICE_H_
#define GRADELINE_SERVER_RPC_EXPERIMENT_SERVICE_H_

#include "gradeline/v1/experiment.grpc.pb.h"
#include "server/core/experiment/experiments.h"
#include "server/rpc/calls.h"

namespace gradeline {

class ExperimentServiceImpl final : public v1::ExperimentService::CallbackService {
 public:
  ExperimentServiceImpl(Experiments* experiments, Calls* calls) : experiments_(experiments), calls_(calls) {}

  grpc::ServerUnaryReactor* CreateExperiment(grpc::CallbackServerContext* context,
                                             const v1::CreateExperimentRequest* request,
                                             v1::Experiment* response) override;
  grpc::ServerUnaryReactor* GetExperiment(grpc::CallbackServerContext* context, const v1::GetExperimentRequest* request,
                                          v1::Experiment* response) override;
  grpc::ServerUnaryReactor* ListExperiments(grpc::CallbackServerContext* context,
                                            const v1::ListExperimentsRequest* request,
                                            v1::ListExperimentsResponse* response) override;
  grpc::ServerUnaryReactor* CloneExperiment(grpc::CallbackServerContext* context,
                                            const v1::CloneExperimentRequest* request,
                                            v1::Experiment* response) override;
  grpc::ServerUnaryReactor* UpdateExperiment(grpc::CallbackServerContext* context,
                                             const v1::UpdateExperimentRequest* request,
                                             v1::Experiment* response) override;
  grpc::ServerUnaryReactor* DeleteExperiment(grpc::CallbackServerContext* context,
                                             const v1::DeleteExperimentRequest* request,
                                             v1::Experiment* response) override;
  grpc::ServerUnaryReactor* UndeleteExperiment(grpc::CallbackServerContext* context,
                                               const v1::UndeleteExperimentRequest* request,
                                               v1::Experiment* response) override;
  grpc::ServerUnaryReactor* StartExperiment(grpc::CallbackServerContext* context,
                                            const v1::StartExperimentRequest* request,
                                            v1::StartExperimentResponse* response) override;
  grpc::ServerUnaryReactor* ResumeExperiment(grpc::CallbackServerContext* context,
                                             const v1::ResumeExperimentRequest* request,
                                             v1::StartExperimentResponse* response) override;
  grpc::ServerUnaryReactor* ListAttempts(grpc::CallbackServerContext* context, const v1::ListAttemptsRequest* request,
                                         v1::ListAttemptsResponse* response) override;
  grpc::ServerUnaryReactor* CancelExperiment(grpc::CallbackServerContext* context,
                                             const v1::CancelExperimentRequest* request,
                                             v1::Experiment* response) override;
  grpc::ServerWriteReactor<v1::WatchExperimentResponse>* WatchExperiment(
      grpc::CallbackServerContext* context, const v1::WatchExperimentRequest* request) override;
  grpc::ServerUnaryReactor* ListEpochs(grpc::CallbackServerContext* context, const v1::ListEpochsRequest* request,
                                       v1::ListEpochsResponse* response) override;

 private:
  Experiments* experiments_;
  Calls* calls_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_EXPERIMENT_SERVICE_H_
