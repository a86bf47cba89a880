// EvaluateLoss: loss and gradient of one batch without an experiment. Raw bytes in and out, computed on a lane.
#ifndef GRADELINE_SERVER_RPC_EVALUATE_CALL_H_
#define GRADELINE_SERVER_RPC_EVALUATE_CALL_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include "server/core/engine/engine.h"
#include "server/core/loss/registry.h"
#include "server/rpc/calls.h"
#include "server/rpc/lane_call.h"

namespace gradeline {

/// Answers calls of EvaluateLoss. Thread-safe; outlives its calls.
class LossEvaluator {
 public:
  LossEvaluator(const LossRegistry* registry, Engine* engine, Calls* calls)
      : registry_(registry), engine_(engine), calls_(calls), lanes_(engine) {}
  grpc::ServerUnaryReactor* Evaluate(const grpc::ByteBuffer* request, grpc::ByteBuffer* response);

 private:
  class Call;

  const LossRegistry* const registry_;
  Engine* const engine_;
  Calls* const calls_;
  LanePool lanes_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_EVALUATE_CALL_H_
