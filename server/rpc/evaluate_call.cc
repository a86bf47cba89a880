#include "server/rpc/evaluate_call.h"

#include <grpcpp/support/proto_buffer_reader.h>

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
#include "server/wire/status.h"
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

// Finishes exactly once; gRPC keeps request and response until then, and this until OnDone.
class LossEvaluator::Call final : public grpc::ServerUnaryReactor {
 public:
  Call(LossEvaluator* evaluator, const grpc::ByteBuffer* request, grpc::ByteBuffer* response)
      : evaluator_(evaluator), timer_(evaluator->calls_->Timer("TrainingService/EvaluateLoss")), response_(response) {
    // gRPC keeps the request until the call ends, and would keep the bytes beside the parsed message.
    bytes_.Swap(const_cast<grpc::ByteBuffer*>(request));
  }

  void Start() {
    const auto size = static_cast<int64_t>(bytes_.Length());
    if (const absl::Status status = evaluator_->calls_->CheckSize(size); !status.ok()) {
      return Finish(timer_.End(status));
    }
    admitted_ = 2 * size;
    // Once it is granted, another thread may finish this call before the next line is reached.
    const absl::Status admitted = evaluator_->engine_->AdmitOrRefuse(admitted_, [this] {
      lane_ = evaluator_->TakeLane();
      lane_->Post([this] { Run(); });
    });
    if (!admitted.ok()) Finish(timer_.End(admitted));
  }

  void OnCancel() override { cancelled_ = true; }
  void OnDone() override { delete this; }

 private:
  void Run() {
    grpc::ProtoBufferReader in(&bytes_);
    const bool parsed = request_.ParseFromZeroCopyStream(&in);
    bytes_.Clear();
    if (!parsed) return End(absl::InvalidArgumentError("the message is no gradeline.v1.EvaluateLossRequest"));
    absl::StatusOr<LossCall> call = CallOf(request_, *evaluator_->registry_, *evaluator_->engine_);
    if (!call.ok()) return End(call.status());
    const absl::StatusOr<int64_t> reply_bytes = evaluator_->engine_->ResultBytes(*call);
    const int64_t limit = evaluator_->calls_->max_message_bytes();
    if (reply_bytes.ok() && *reply_bytes > limit) return End(MessageTooLarge("the reply", *reply_bytes, limit));
    call->cancelled = &cancelled_;
    loss_ = call->loss;
    start_ = std::chrono::steady_clock::now();
    lane_->Compute(*std::move(call), [this](absl::StatusOr<LossResult> result) { Computed(std::move(result)); });
  }

  void Computed(absl::StatusOr<LossResult> result) {
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start_;
    evaluator_->calls_->metrics().LossEvaluated(LossLabel(loss_.info().id), LossOutcome(result.status()),
                                                seconds.count());
    if (!result.ok()) return End(result.status());
    std::vector<ReplyPiece> pieces = ReplyOf(*std::move(result), loss_.info());
    const int64_t size = ByteCount(pieces);
    const int64_t limit = evaluator_->calls_->max_message_bytes();
    if (size > limit) return End(MessageTooLarge("the reply", size, limit));
    *response_ = RawBytes(std::move(pieces));
    End(absl::OkStatus());
  }

  // On the lane. Finish comes last: after it gRPC deletes this, and a server that stops deletes the evaluator.
  void End(const absl::Status& status) {
    evaluator_->GiveBack(std::move(lane_));
    evaluator_->engine_->Release(admitted_);
    Finish(timer_.End(status));
  }

  LossEvaluator* const evaluator_;
  const CallTimer timer_;
  grpc::ByteBuffer bytes_;
  grpc::ByteBuffer* const response_;
  v1::EvaluateLossRequest request_;
  int64_t admitted_ = 0;
  std::shared_ptr<Lane> lane_;
  LossHandle loss_;
  std::atomic<bool> cancelled_{false};
  std::chrono::steady_clock::time_point start_;
};

grpc::ServerUnaryReactor* LossEvaluator::Evaluate(const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  auto* call = new Call(this, request, response);
  call->Start();
  return call;
}

std::shared_ptr<Lane> LossEvaluator::TakeLane() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      std::shared_ptr<Lane> lane = std::move(idle_.back());
      idle_.pop_back();
      return lane;
    }
  }
  return engine_->OpenLane();
}

void LossEvaluator::GiveBack(std::shared_ptr<Lane> lane) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(lane));
}

}  // namespace gradeline
