#include "server/rpc/evaluate_call.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gradeline/v1/training.pb.h"
#include "server/core/base/status.h"
#include "server/core/engine/reduction.h"
#include "server/core/loss/binding.h"
#include "server/rpc/loss_outcome.h"
#include "server/rpc/raw_bytes.h"
#include "server/wire/params.h"
#include "server/wire/reply_bytes.h"
#include "server/wire/tensor.h"
#include "server/wire/training.h"

namespace gradeline {
namespace {

// Whether the loss takes the shapes of those inputs that it knows.
bool Takes(const LossHandle& loss, const google::protobuf::RepeatedPtrField<v1::Tensor>& inputs) {
  std::vector<std::optional<InputShape>> shapes(loss.info().tensors.size());
  for (const v1::Tensor& tensor : inputs) {
    if (tensor.data_type() < v1::DATA_TYPE_F32 || tensor.data_type() > v1::DATA_TYPE_I64) return false;
    const auto dtype = static_cast<DType>(tensor.data_type());
    if (const std::optional<size_t> index = FindInput(loss.info(), tensor.name(), dtype)) {
      shapes[*index] = InputShape{dtype, {tensor.shape().begin(), tensor.shape().end()}};
    }
  }
  return CheckShapes(loss, shapes).ok();
}

// Without a head it is the inputs that say which loss of a family is meant, alone or as a term of a sum: the first that
// takes their shapes.
std::string LossOfFamily(const v1::EvaluateLossRequest& request, const LossRegistry& registry) {
  constexpr size_t kMostTerms = 8;
  std::vector<std::string> terms = absl::StrSplit(request.loss(), '+');
  if (terms.size() > kMostTerms) return request.loss();  // which is no sum
  for (std::string& term : terms) {
    const std::vector<std::string> family = registry.Family(term);
    const auto takes = [&](const std::string& member) {
      const absl::StatusOr<LossHandle> loss = registry.ResolveAlone(member, {});
      return loss.ok() && Takes(*loss, request.inputs());
    };
    const auto found = family.size() > 1 ? std::find_if(family.begin(), family.end(), takes) : family.end();
    if (found != family.end()) term = *found;
  }
  return absl::StrJoin(terms, "+");
}

absl::StatusOr<LossCall> CallOf(const v1::EvaluateLossRequest& request, const LossRegistry& registry, Engine& engine) {
  Violations violations;
  LossCall call;
  const ParamMap params = ParamsFromProto("params", request.params(), &violations);
  const std::string id = LossOfFamily(request, registry);
  const absl::StatusOr<LossHandle> loss = registry.ResolveAlone(id, params);
  const bool no_such_sum = absl::IsInvalidArgument(loss.status()) && FieldViolationsOf(loss.status()).empty();
  if (no_such_sum) violations.Merge("loss", loss.status());
  if (!no_such_sum) violations.MergeRest(absl::IsNotFound(loss.status()) ? "loss" : "", loss.status());
  if (loss.ok()) call.loss = *loss;
  const auto info = registry.Find(id);
  bool inputs_read = false;
  if (info.ok()) {
    auto inputs = InputsFromProto(request.inputs(), **info);
    violations.Merge("", inputs.status());
    inputs_read = inputs.ok();
    if (inputs_read) call.inputs = *std::move(inputs);
  }
  if (!v1::Reduction_IsValid(request.reduction())) {
    violations.Add("reduction", absl::StrCat(static_cast<int>(request.reduction()), " is unknown; allowed: ",
                                             "REDUCTION_MEAN, MEAN_ALL, SUM, GIVEN, NONE (1 to 5)"));
  } else if (request.reduction() != v1::REDUCTION_UNSPECIFIED) {
    call.reduction = static_cast<Reduction>(request.reduction());
  }
  call.normalisers.assign(request.normalisers().begin(), request.normalisers().end());
  call.gradient = request.gradient();
  if (request.has_gradient_scale()) call.gradient_scale = request.gradient_scale();
  call.item_losses = request.item_losses() || call.reduction == Reduction::kNone;
  if (violations.empty()) return call;
  // Computing would check the rest.
  violations.MergeRest("", CheckReduction(call, info.ok() ? info->get() : nullptr));
  if (loss.ok() && inputs_read) violations.MergeRest("", engine.ResultBytes(call).status());
  return violations.ToStatus();
}

std::vector<ReplyPiece> ReplyOf(LossResult result, const LossInfo& loss) {
  v1::EvaluateLossResponse reply;
  *reply.mutable_value() = LossValueToProto(result, loss.components);
  std::vector<ReplyTensor> tensors =
      ReplyGradients(v1::EvaluateLossResponse::kGradientsFieldNumber, std::move(result.gradients), loss.tensors);
  if (result.item_losses) {
    tensors.push_back({v1::EvaluateLossResponse::kItemLossesFieldNumber, "item_losses", DType::kF64,
                       std::move(result.item_shape), *std::move(result.item_losses)});
  }
  return ReplyBytes(reply, std::move(tensors), 0);
}

}  // namespace

class LossEvaluator::Call final : public LaneCall<v1::EvaluateLossRequest> {
 public:
  Call(LossEvaluator* evaluator, const grpc::ByteBuffer* request, grpc::ByteBuffer* response)
      : LaneCall("TrainingService/EvaluateLoss", &evaluator->lanes_, evaluator->calls_, request, response),
        evaluator_(evaluator) {}

  void OnCancel() override { cancelled_ = true; }

 private:
  void Run() override {
    absl::StatusOr<LossCall> call = CallOf(request(), *evaluator_->registry_, *evaluator_->engine_);
    if (!call.ok()) return End(call.status());
    if (const auto bytes = evaluator_->engine_->ResultBytes(*call); bytes.ok()) {
      if (const absl::Status status = CheckReply(*bytes); !status.ok()) return End(status);
    }
    call->cancelled = &cancelled_;
    loss_ = call->loss;
    start_ = std::chrono::steady_clock::now();
    lane().Compute(*std::move(call), [this](absl::StatusOr<LossResult> result) { Computed(std::move(result)); });
  }

  void Computed(absl::StatusOr<LossResult> result) {
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start_;
    evaluator_->calls_->metrics().LossEvaluated(LossLabel(loss_.info().id), LossOutcome(result.status()),
                                                seconds.count());
    if (!result.ok()) return End(result.status());
    Answer(RawBytes(ReplyOf(*std::move(result), loss_.info())));
  }

  LossEvaluator* const evaluator_;
  LossHandle loss_;
  std::atomic<bool> cancelled_{false};
  std::chrono::steady_clock::time_point start_;
};

grpc::ServerUnaryReactor* LossEvaluator::Evaluate(const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  auto* call = new Call(this, request, response);
  call->Start();
  return call;
}

}  // namespace gradeline
