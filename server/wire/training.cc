#include "server/wire/training.h"

#include <xxhash.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"
#include "server/wire/dataset.h"
#include "server/wire/experiment.h"

namespace gradeline {
namespace {

constexpr size_t kDigestBytes = 16;

std::string HeadNames(const std::vector<SessionHead>& heads) {
  return absl::StrJoin(heads, ", ", [](std::string* out, const SessionHead& head) { out->append(head.resolved.head); });
}

void CheckNotNegative(const char* field, int64_t value, Violations* violations) {
  if (value < 0) violations->Add(field, absl::StrCat(value, " is negative; allowed: 0 and above"));
}

/// XXH3 over fields, each variable-length one after its length, so that no two batches give the same bytes.
class Hasher {
 public:
  Hasher() : state_(XXH3_createState()) { XXH3_128bits_reset(state_.get()); }
  void Number(int64_t value) { XXH3_128bits_update(state_.get(), &value, sizeof(value)); }
  void Real(double value) { XXH3_128bits_update(state_.get(), &value, sizeof(value)); }
  void Bytes(const std::string& bytes) {
    Number(static_cast<int64_t>(bytes.size()));
    XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
  }
  Digest Finish() const {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_.get()));
    Digest digest;
    std::memcpy(digest.data(), canonical.digest, digest.size());
    return digest;
  }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
};

}  // namespace

absl::StatusOr<Phase> PhaseFromProto(v1::Phase phase) {
  if (phase >= v1::PHASE_TRAIN && phase <= v1::PHASE_TEST) return static_cast<Phase>(phase);
  Violations violations;
  violations.Add("phase", absl::StrCat(static_cast<int>(phase),
                                       " is no phase; allowed: PHASE_TRAIN, PHASE_VALIDATION, PHASE_TEST"));
  return violations.ToStatus();
}

absl::StatusOr<JoinRequest> JoinFromProto(const v1::Hello& hello) {
  Violations violations;
  const auto id = IdFromName("experiment", "experiments", hello.experiment());
  violations.Merge("", id.status());
  if (hello.world_size() < 1) {
    violations.Add("worldSize", absl::StrCat(hello.world_size(), "; allowed: the experiment's world size"));
  }
  if (hello.rank() < 0 || (hello.world_size() >= 1 && hello.rank() >= hello.world_size())) {
    violations.Add("rank", absl::StrCat(hello.rank(), "; allowed: 0 to world_size - 1"));
  }
  if (hello.instance().size() != kDigestBytes) {
    violations.Add("instance", absl::StrCat("has ", hello.instance().size(), " bytes; allowed: 16"));
  }
  if (!violations.empty()) return violations.ToStatus();
  return JoinRequest{*id, hello.attempt_token(), hello.rank(), hello.world_size(), hello.instance()};
}

absl::StatusOr<RecordKey> KeyFromProto(const v1::RecordKey& proto, const std::vector<SessionHead>& heads) {
  Violations violations;
  RecordKey key;
  const auto phase = PhaseFromProto(proto.phase());
  violations.Merge("", phase.status());
  if (phase.ok()) key.phase = *phase;
  CheckNotNegative("epoch", proto.epoch(), &violations);
  CheckNotNegative("step", proto.step(), &violations);
  CheckNotNegative("part", proto.part(), &violations);
  key.epoch = proto.epoch();
  key.step = proto.step();
  key.part = proto.part();
  key.head = -1;
  for (size_t i = 0; i < heads.size(); ++i) {
    if (heads[i].resolved.head == proto.head()) key.head = static_cast<int32_t>(i);
  }
  if (key.head < 0) {
    violations.Add("head",
                   absl::StrCat("\"", proto.head(), "\" is no head of the experiment; allowed: ", HeadNames(heads)));
  }
  if (!violations.empty()) return violations.ToStatus();
  return key;
}

absl::StatusOr<Record> RecordFromProto(const v1::Record& proto, const std::vector<SessionHead>& heads) {
  Violations violations;
  Record record;
  record.seq = proto.seq();
  const auto key = KeyFromProto(proto.key(), heads);
  violations.Merge("key", key.status());
  if (proto.digest().size() != kDigestBytes) {
    violations.Add("digest", absl::StrCat("has ", proto.digest().size(), " bytes; allowed: 16"));
  } else {
    std::memcpy(record.digest.data(), proto.digest().data(), kDigestBytes);
  }
  record.code = proto.code();
  record.items = proto.items();
  if (key.ok()) record.key = *key;
  for (const v1::Ratio& ratio : proto.values()) record.values.push_back({ratio.numerator(), ratio.denominator()});
  record.metrics = proto.metrics();
  record.refusal = {proto.refusal().reason(), proto.refusal().component(), std::nullopt};
  if (proto.refusal().has_item()) record.refusal.item = proto.refusal().item();
  if (!violations.empty()) return violations.ToStatus();
  return record;
}

v1::Record ToProto(const Record& record, const std::vector<SessionHead>& heads) {
  v1::Record proto;
  proto.set_seq(record.seq);
  v1::RecordKey* key = proto.mutable_key();
  key->set_phase(static_cast<v1::Phase>(record.key.phase));
  key->set_epoch(record.key.epoch);
  key->set_step(record.key.step);
  key->set_head(heads.at(static_cast<size_t>(record.key.head)).resolved.head);
  key->set_part(record.key.part);
  proto.set_digest(record.digest.data(), record.digest.size());
  proto.set_code(record.code);
  proto.set_items(record.items);
  for (const Ratio& ratio : record.values) {
    v1::Ratio* out = proto.add_values();
    out->set_numerator(ratio.numerator);
    out->set_denominator(ratio.denominator);
  }
  proto.set_metrics(record.metrics);
  if (!record.refusal.empty()) {
    proto.mutable_refusal()->set_reason(record.refusal.reason);
    proto.mutable_refusal()->set_component(record.refusal.component);
    if (record.refusal.item) proto.mutable_refusal()->set_item(*record.refusal.item);
  }
  return proto;
}

Digest DigestOf(const v1::Batch& batch) {
  Hasher hasher;
  hasher.Number(batch.key().phase());
  hasher.Number(batch.key().epoch());
  hasher.Number(batch.key().step());
  hasher.Bytes(batch.key().head());
  hasher.Number(batch.key().part());
  hasher.Number(batch.inputs_size());
  for (const v1::Tensor& tensor : batch.inputs()) {
    hasher.Bytes(tensor.name());
    hasher.Number(tensor.data_type());
    hasher.Number(tensor.shape_size());
    for (const int64_t size : tensor.shape()) hasher.Number(size);
    hasher.Bytes(tensor.data());
  }
  hasher.Number(batch.normalisers_size());
  for (const double normaliser : batch.normalisers()) hasher.Real(normaliser);
  hasher.Number(batch.has_gradient_scale() ? 1 : 0);
  hasher.Real(batch.gradient_scale());
  return hasher.Finish();
}

v1::LossValue LossValueToProto(const LossResult& result, const std::vector<ComponentSpec>& components) {
  v1::LossValue proto;
  proto.set_loss(result.loss);
  proto.set_average(result.average());
  proto.set_valid_count(static_cast<int32_t>(result.valid_count));
  proto.set_empty(result.empty);
  for (size_t i = 0; i < result.components.size(); ++i) {
    v1::ComponentValue& out = (*proto.mutable_components())[components[i].name];
    out.set_loss(result.components[i].loss);
    out.set_weight(result.components[i].weight);
    out.set_numerator(result.components[i].numerator);
    out.set_denominator(result.components[i].denominator);
    out.set_divisor(result.components[i].divisor);
  }
  return proto;
}

v1::Welcome WelcomeToProto(const WelcomeInfo& info, const std::vector<SessionHead>& heads, int64_t max_message_bytes) {
  v1::Welcome proto;
  proto.set_attempt(info.attempt);
  proto.set_fence(info.fence);
  proto.set_first_epoch(info.first_epoch);
  proto.set_learning_rate(info.rate.learning_rate);
  if (info.rate.momentum) proto.set_momentum(*info.rate.momentum);
  proto.set_lease_ms(info.lease_ms);
  proto.set_gone_ms(info.gone_ms);
  proto.set_committed_seq(info.committed_seq);
  for (const SessionHead& head : heads) {
    v1::HeadInputs* out = proto.add_heads();
    *out->mutable_head() = ToProto(head.resolved);
    if (head.resolved.evaluation()) {
      for (const MetricInput& input : head.metrics.inputs()) {
        *(input.optional ? out->add_optional() : out->add_required()) = input.name;
      }
      continue;
    }
    std::string last;
    for (const TensorSpec& spec : head.loss.info().tensors) {
      if (spec.name == last) continue;
      last = spec.name;
      (spec.optional() ? out->add_optional() : out->add_required())->assign(spec.name);
    }
  }
  for (const Seal& seal : info.last_seals) *proto.add_last_seals() = ToProto(seal, info.experiment.heads);
  *proto.mutable_experiment() = ToProto(info.experiment);
  proto.set_credits(info.credits);
  proto.set_max_uncommitted(info.max_uncommitted);
  proto.set_max_message_bytes(max_message_bytes);
  return proto;
}

absl::StatusOr<std::vector<double>> NormalisersFromProto(const google::protobuf::RepeatedField<double>& proto,
                                                         size_t components) {
  Violations violations;
  if (static_cast<size_t>(proto.size()) != components) {
    violations.Add("normalisers", absl::StrCat("has ", proto.size(),
                                               " entries; allowed: one per component of the loss, ", components));
  }
  for (int i = 0; i < proto.size(); ++i) {
    if (!std::isfinite(proto[i]) || proto[i] <= 0) {
      violations.Add(absl::StrCat("normalisers[", i, "]"), absl::StrCat(proto[i], "; allowed: finite and above 0"));
    }
  }
  if (!violations.empty()) return violations.ToStatus();
  return std::vector<double>(proto.begin(), proto.end());
}

}  // namespace gradeline
