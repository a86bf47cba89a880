// EvaluateLoss: loss and gradient of one batch without an experiment. Raw bytes in and out, computed on a lane.
#ifndef GRADELINE_SERVER_RPC_EVALUATE_CALL_H_
#define GRADELINE_SERVER_RPC_EVALUATE_CALL_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <mutex>
#include <vector>

#include "server/core/engine/engine.h"
#include "server/core/loss/registry.h"
#include "server/rpc/calls.h"

namespace gradeline {

/// Answers calls of EvaluateLoss. Keeps as many lanes as calls ever ran at a time. Thread-safe; outlives its calls.
class LossEvaluator {
 public:
  LossEvaluator(const LossRegistry* registry, Engine* engine, Calls* calls)
      : registry_(registry), engine_(engine), calls_(calls) {}
  grpc::ServerUnaryReactor* Evaluate(const grpc::ByteBuffer* request, grpc::ByteBuffer* response);

 private:
  class Call;
  std::shared_ptr<Lane> TakeLane();
  void GiveBack(std::shared_ptr<Lane> lane);

  const LossRegistry* const registry_;
  Engine* const engine_;
  Calls* const calls_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<Lane>> idle_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_EVALUATE_CALL_H_
