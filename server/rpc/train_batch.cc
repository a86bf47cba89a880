// The part of TrainStream that answers batches: check, digest, compute, record, reply.
#include <grpcpp/support/proto_buffer_reader.h>

#include <chrono>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/base/utf8.h"
#include "server/core/experiment/fold.h"
#include "server/core/loss/head_axes.h"
#include "server/rpc/loss_outcome.h"
#include "server/rpc/raw_bytes.h"
#include "server/rpc/train_stream.h"
#include "server/wire/metric.h"
#include "server/wire/reply_bytes.h"
#include "server/wire/status.h"
#include "server/wire/tensor.h"
#include "server/wire/training.h"

namespace gradeline {

struct TrainStream::Computation {
  Computation(ServerMetrics* m, StreamPipe::SlotRef s) : metrics(m), slot(std::move(s)) {
    metrics->AddInflightBatches(1);
  }
  ~Computation() { metrics->AddInflightBatches(-1); }
  Computation(const Computation&) = delete;

  ServerMetrics* const metrics;
  StreamPipe::SlotRef slot;
  Record record;
  std::vector<std::optional<TensorView>>
      inputs;  // into the reader's batch, which the lane keeps until this is answered
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
};

namespace {

// What the batch is divided by: normalisers that come with it take the place of the head's reduction.
absl::Status SetNormalisers(const v1::Batch& batch, const SessionHead& head, LossCall* call) {
  call->reduction = head.resolved.reduction;
  Violations violations;
  if (batch.normalisers().empty()) {
    if (call->reduction == Reduction::kGiven) {
      violations.Add("normalisers", absl::StrCat("is missing: head ", head.resolved.head, " divides by what is given"));
    }
    return violations.ToStatus();
  }
  if (call->reduction == Reduction::kSum) {
    violations.Add("normalisers",
                   absl::StrCat("is not taken: head ", head.resolved.head, " is not divided (reduction sum)"));
    return violations.ToStatus();
  }
  auto normalisers = NormalisersFromProto(batch.normalisers(), head.loss.info().components.size());
  if (!normalisers.ok()) return normalisers.status();
  call->reduction = Reduction::kGiven;
  call->normalisers = *std::move(normalisers);
  return absl::OkStatus();
}

// The batch as the head's metrics look at it.
MetricBatch MetricBatchOf(const SessionHead& head, const std::vector<std::optional<TensorView>>& inputs) {
  int64_t ignore_index = kIgnoreIndex;
  std::vector<NamedTensor> tensors;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorSpec& spec = head.loss.info().tensors[i];
    if (inputs[i]) tensors.push_back({spec.name, *inputs[i]});
    const auto ignored = head.loss.params().find(spec.ignore_param);
    if (spec.name != "target" || ignored == head.loss.params().end()) continue;
    if (const double* value = std::get_if<double>(&ignored->second)) ignore_index = static_cast<int64_t>(*value);
  }
  return MetricBatch(head.resolved.signal, std::move(tensors), ignore_index);
}

// Values that would overflow when they are added up cannot be added to an epoch.
absl::Status CheckSummable(const LossResult& result, const LossInfo& loss) {
  for (size_t i = 0; i < result.components.size(); ++i) {
    const ComponentResult& component = result.components[i];
    if (std::abs(component.numerator) <= kLargestInRecord && std::abs(component.denominator) <= kLargestInRecord) {
      continue;
    }
    return WithReason(absl::OutOfRangeError(absl::StrCat("component ", loss.components[i].name, " is ",
                                                         component.numerator, " / ", component.denominator,
                                                         "; allowed: -", kLargestInRecord, " to ", kLargestInRecord)),
                      "NOT_FINITE", {{"component", loss.components[i].name}});
  }
  return absl::OkStatus();
}

// What of an error is kept with the record: the words that say where, not its text.
Refusal RefusalOf(const absl::Status& status) {
  const ErrorReason error = ReasonOf(status);
  Refusal refusal;
  refusal.reason = Utf8Prefix(error.reason, kLongestRefusalWord);
  for (const char* key : {"component", "input"}) {
    const auto found = error.metadata.find(key);
    if (found != error.metadata.end()) refusal.component = Utf8Prefix(found->second, kLongestRefusalWord);
  }
  int64_t item = 0;
  const auto found = error.metadata.find("item");
  if (found != error.metadata.end() && absl::SimpleAtoi(found->second, &item) && item >= 0) refusal.item = item;
  return refusal;
}

grpc::ByteBuffer RefusedBytes(v1::TrainResponse response, int64_t seq, const absl::Status& status) {
  response.mutable_refused()->set_seq(seq);
  *response.mutable_refused()->mutable_status() = StatusToProto(status);
  return RawBytes(response);
}

}  // namespace

void TrainStream::HandleUnread(grpc::ByteBuffer bytes, const absl::Status& why, StreamPipe::SlotRef slot) {
  grpc::ProtoBufferReader in(&bytes);
  const int64_t seq = BatchSeqOf(&in, static_cast<int64_t>(bytes.Length()));
  if (seq <= 0 || session_ == nullptr) return pipe_->Close(why);
  if (IsNext(seq, slot)) RefuseUnrecorded(seq, why, std::move(slot));
}

void TrainStream::RefuseUnrecorded(int64_t seq, const absl::Status& status, StreamPipe::SlotRef slot) {
  if (unrecorded_ == 0) unrecorded_ = seq;
  pipe_->Fulfil(pipe_->Promise(seq, std::move(slot)), RefusedBytes({}, seq, status));
}

void TrainStream::HandleBatch(StreamPipe::SlotRef slot) {
  const v1::Batch& batch = reader_.batch();
  const int64_t seq = batch.seq();
  if (!IsNext(seq, slot)) return;
  const absl::StatusOr<RecordKey> key = KeyFromProto(batch.key(), session_->heads());
  absl::Status status = BelowField("key", key.status());
  if (status.ok()) status = session_->CheckKey(*key);
  if (!status.ok()) return RefuseUnrecorded(seq, status, std::move(slot));
  Begin(seq);

  auto work = std::make_shared<Computation>(&calls_->metrics(), std::move(slot));
  work->record.seq = seq;
  work->record.key = *key;
  work->record.digest = DigestOf(batch);
  Compute(work);
}

void TrainStream::Compute(const std::shared_ptr<Computation>& work) {
  const v1::Batch& batch = reader_.batch();
  const SessionHead& head = session_->heads()[static_cast<size_t>(work->record.key.head)];
  if (head.resolved.evaluation()) return Evaluate(work);
  LossCall call;
  call.loss = head.loss;
  Violations violations;
  auto inputs = InputsFromProto(batch.inputs(), head.loss.info());
  violations.Merge("", inputs.status());
  violations.Merge("", SetNormalisers(batch, head, &call));
  if (batch.has_gradient_scale() && !std::isfinite(batch.gradient_scale())) {
    violations.Add("gradientScale", absl::StrCat(batch.gradient_scale(), "; allowed: finite numbers"));
  }
  if (inputs.ok()) {
    violations.Merge("", CheckHeadInputs(head.resolved.signal, head.resolved.classes, head.loss.info(), *inputs));
  }
  if (!violations.empty()) return Computed(work, violations.ToStatus());
  work->inputs = *std::move(inputs);
  call.inputs = work->inputs;
  call.gradient_scale = batch.has_gradient_scale() ? batch.gradient_scale() : 1;
  call.gradient = batch.gradient();
  call.cancelled = &cut_;
  lane_->Compute(std::move(call), [self = shared_from_this(), work](absl::StatusOr<LossResult> result) {
    self->Computed(work, std::move(result));
  });
}

// An evaluation has no loss: its metrics count it here, on the lane. Its items are none of a loss's.
void TrainStream::Evaluate(const std::shared_ptr<Computation>& work) {
  const v1::Batch& batch = reader_.batch();
  const SessionHead& head = session_->heads()[static_cast<size_t>(work->record.key.head)];
  Violations violations;
  auto inputs = MetricInputsFromProto(batch.inputs(), head.metrics.inputs());
  violations.Merge("", inputs.status());
  if (!batch.normalisers().empty()) violations.Add("normalisers", "is not taken: an evaluation has no loss");
  if (!violations.empty()) return ReportRefused(work, violations.ToStatus());
  absl::StatusOr<std::string> counted = head.metrics.Count(MetricBatch(head.resolved.signal, *std::move(inputs)));
  if (!counted.ok()) return ReportRefused(work, counted.status());
  work->record.metrics = *std::move(counted);
  ReportResult(work, LossResult());
}

void TrainStream::Computed(const std::shared_ptr<Computation>& work, absl::StatusOr<LossResult> result) {
  const SessionHead& head = session_->heads()[static_cast<size_t>(work->record.key.head)];
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - work->start;
  calls_->metrics().LossEvaluated(LossLabel(head.resolved.loss), LossOutcome(result.status()), seconds.count());
  if (cut_ || absl::IsCancelled(result.status())) return;
  if (!result.ok()) return ReportRefused(work, result.status());
  if (const absl::Status status = CheckSummable(*result, head.loss.info()); !status.ok()) {
    return ReportRefused(work, status);
  }
  absl::StatusOr<std::string> counted = head.metrics.Count(MetricBatchOf(head, work->inputs));
  if (!counted.ok()) return ReportRefused(work, counted.status());
  work->record.metrics = *std::move(counted);
  ReportResult(work, *std::move(result));
}

void TrainStream::ReportResult(const std::shared_ptr<Computation>& work, LossResult result) {
  const SessionHead& head = session_->heads()[static_cast<size_t>(work->record.key.head)];
  Record record = work->record;
  record.items = result.valid_count;
  for (const ComponentResult& component : result.components) {
    record.values.push_back({component.numerator, component.denominator});
  }
  v1::Result reply;
  reply.set_seq(record.seq);
  *reply.mutable_record() = ToProto(record, session_->heads());
  std::vector<ReplyTensor> gradients;
  if (!head.resolved.evaluation()) {
    const LossInfo& loss = head.loss.info();
    *reply.mutable_value() = LossValueToProto(result, loss.components);
    gradients = ReplyGradients(v1::Result::kGradientsFieldNumber, std::move(result.gradients), loss.tensors);
  }
  Answer(work, std::move(record),
         RawBytes(ReplyBytes(reply, std::move(gradients), v1::TrainResponse::kResultFieldNumber)));
}

void TrainStream::ReportRefused(const std::shared_ptr<Computation>& work, const absl::Status& status) {
  Record record = work->record;
  record.code = static_cast<int32_t>(status.code());
  record.refusal = RefusalOf(status);
  v1::TrainResponse response;
  response.mutable_refused()->set_seq_taken(true);
  *response.mutable_refused()->mutable_record() = ToProto(record, session_->heads());
  const int64_t seq = record.seq;
  Answer(work, std::move(record), RefusedBytes(std::move(response), seq, status));
}

void TrainStream::Answer(const std::shared_ptr<Computation>& work, Record record, grpc::ByteBuffer answer) {
  const int64_t seq = record.seq;
  const bool early = record.key.phase == Phase::kTrain && record.metrics.size() <= kLongestMetrics;
  const StreamPipe::ReplyRef reply = pipe_->Promise(seq, std::move(work->slot));
  auto later = std::make_shared<grpc::ByteBuffer>();
  if (!early) later->Swap(&answer);
  session_->Report(std::move(record), [self = shared_from_this(), seq, reply = early ? nullptr : reply, later](
                                          RecordFate fate, const absl::Status& status) {
    if (self->Settled(seq, fate, status, reply) && reply != nullptr) self->pipe_->Fulfil(reply, std::move(*later));
  });
  if (early) pipe_->Fulfil(reply, std::move(answer));
}

}  // namespace gradeline
