// gradeline.v1.TrainingService: all methods take raw bytes.
#ifndef GRADELINE_SERVER_RPC_TRAINING_SERVICE_H_
#define GRADELINE_SERVER_RPC_TRAINING_SERVICE_H_

#include "gradeline/v1/training.grpc.pb.h"
#include "server/rpc/evaluate_call.h"
#include "server/rpc/metric_call.h"
#include "server/rpc/train_stream.h"

namespace gradeline {

class TrainingServiceImpl final
    : public v1::TrainingService::WithRawCallbackMethod_Train<v1::TrainingService::WithRawCallbackMethod_EvaluateLoss<
          v1::TrainingService::WithRawCallbackMethod_EvaluateMetric<v1::TrainingService::Service>>> {
 public:
  TrainingServiceImpl(Experiments* experiments, Engine* engine, Calls* calls, int64_t metric_bytes)
      : experiments_(experiments),
        engine_(engine),
        calls_(calls),
        losses_(&experiments->registry(), engine, calls),
        metrics_(engine, calls, metric_bytes) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Train(grpc::CallbackServerContext* context) override {
    return TrainStream::Open(experiments_, engine_, calls_, context);
  }
  grpc::ServerUnaryReactor* EvaluateLoss(grpc::CallbackServerContext*, const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override {
    return losses_.Evaluate(request, response);
  }
  grpc::ServerUnaryReactor* EvaluateMetric(grpc::CallbackServerContext*, const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override {
    return metrics_.Evaluate(request, response);
  }

 private:
  Experiments* experiments_;
  Engine* engine_;
  Calls* calls_;
  LossEvaluator losses_;
  MetricEvaluator metrics_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_TRAINING_SERVICE_H_
