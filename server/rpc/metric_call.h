// EvaluateMetric: a metric of one batch without an experiment. Raw bytes in, computed on a lane.
#ifndef GRADELINE_SERVER_RPC_METRIC_CALL_H_
#define GRADELINE_SERVER_RPC_METRIC_CALL_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include "server/core/engine/engine.h"
#include "server/rpc/calls.h"
#include "server/rpc/lane_call.h"

namespace gradeline {

/// Answers calls of EvaluateMetric. Thread-safe; outlives its calls.
class MetricEvaluator {
 public:
  /// `max_bytes`: of memory that a call may count in, beside its message.
  MetricEvaluator(Engine* engine, Calls* calls, int64_t max_bytes)
      : calls_(calls), max_bytes_(max_bytes), lanes_(engine) {}
  grpc::ServerUnaryReactor* Evaluate(const grpc::ByteBuffer* request, grpc::ByteBuffer* response);

 private:
  class Call;

  Calls* const calls_;
  const int64_t max_bytes_;
  LanePool lanes_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_METRIC_CALL_H_
