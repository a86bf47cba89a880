#include "server/rpc/metric_call.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gradeline/v1/training.pb.h"
#include "server/core/base/status.h"
#include "server/core/metric/metric_set.h"
#include "server/core/metric/signal.h"
#include "server/rpc/raw_bytes.h"
#include "server/wire/metric.h"
#include "server/wire/params.h"

namespace gradeline {
namespace {

// What a request asks for.
struct Asked {
  ChosenMetric chosen;
  std::string signal;
  std::vector<NamedTensor> inputs;
};

absl::StatusOr<Asked> AskedOf(const v1::EvaluateMetricRequest& request) {
  Violations violations;
  Asked asked;
  const ParamMap beside = ParamsFromProto("params", request.params(), &violations);
  absl::StatusOr<ChosenMetric> chosen = ChooseMetric(request.metric());
  if (chosen.ok()) chosen = WithParams(*chosen, beside);
  violations.MergeRest(absl::IsNotFound(chosen.status()) ? "metric" : "params", chosen.status());
  // Parameters that are wrong do not hide what is wrong with the inputs.
  if (absl::IsInvalidArgument(chosen.status()))
    chosen = ChooseMetric(request.metric().substr(0, request.metric().find('(')));
  if (!chosen.ok()) return violations.ToStatus();
  absl::StatusOr<std::vector<NamedTensor>> inputs = MetricInputsFromProto(request.inputs(), InputsOf(*chosen->metric));
  violations.Merge("", inputs.status());
  if (inputs.ok()) {
    absl::StatusOr<std::string> signal = SignalOf(*chosen->metric, request.signal(), *inputs);
    violations.MergeRest("", signal.status());
    if (signal.ok()) asked.signal = *std::move(signal);
  }
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  asked.chosen = *std::move(chosen);
  asked.inputs = *std::move(inputs);
  return asked;
}

absl::StatusOr<v1::EvaluateMetricResponse> Evaluated(const v1::EvaluateMetricRequest& request, int64_t max_bytes) {
  GRADELINE_ASSIGN_OR_RETURN(Asked asked, AskedOf(request));
  const ChosenMetric& chosen = asked.chosen;
  const int64_t ignore_index = request.has_ignore_index() ? request.ignore_index() : kIgnoreIndex;
  const std::unique_ptr<Counts> counts = chosen.metric->counts(asked.signal).make({chosen.params, max_bytes});
  GRADELINE_RETURN_IF_ERROR(counts->Add(MetricBatch(asked.signal, std::move(asked.inputs), ignore_index)));
  v1::EvaluateMetricResponse response;
  *response.mutable_value() = ToProto("", chosen.name, chosen.metric->compute(*counts, chosen.params), true);
  return response;
}

}  // namespace

class MetricEvaluator::Call final : public LaneCall<v1::EvaluateMetricRequest> {
 public:
  Call(MetricEvaluator* evaluator, const grpc::ByteBuffer* request, grpc::ByteBuffer* response)
      : LaneCall("TrainingService/EvaluateMetric", &evaluator->lanes_, evaluator->calls_, request, response),
        max_bytes_(evaluator->max_bytes_) {}

 private:
  void Run() override {
    const absl::StatusOr<v1::EvaluateMetricResponse> response = Evaluated(request(), max_bytes_);
    if (!response.ok()) return End(response.status());
    Answer(RawBytes(*response));
  }

  const int64_t max_bytes_;
};

grpc::ServerUnaryReactor* MetricEvaluator::Evaluate(const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  auto* call = new Call(this, request, response);
  call->Start();
  return call;
}

}  // namespace gradeline
