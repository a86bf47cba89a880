// gradeline.v1.TrainingService: both methods take raw bytes.
#ifndef GRADELINE_SERVER_RPC_TRAINING_SERVICE_H_
#define GRADELINE_SERVER_RPC_TRAINING_SERVICE_H_

#include "gradeline/v1/training.grpc.pb.h"
#include "server/rpc/evaluate_call.h"
#include "server/rpc/train_stream.h"

namespace gradeline {

class TrainingServiceImpl final
    : public v1::TrainingService::WithRawCallbackMethod_Train<
          v1::TrainingService::WithRawCallbackMethod_EvaluateLoss<v1::TrainingService::Service>> {
 public:
  TrainingServiceImpl(Experiments* experiments, Engine* engine, Calls* calls)
      : experiments_(experiments),
        engine_(engine),
        calls_(calls),
        evaluator_(&experiments->registry(), engine, calls) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Train(grpc::CallbackServerContext* context) override {
    return TrainStream::Open(experiments_, engine_, calls_, context);
  }
  grpc::ServerUnaryReactor* EvaluateLoss(grpc::CallbackServerContext*, const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override {
    return evaluator_.Evaluate(request, response);
  }

 private:
  Experiments* experiments_;
  Engine* engine_;
  Calls* calls_;
  LossEvaluator evaluator_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_TRAINING_SERVICE_H_
