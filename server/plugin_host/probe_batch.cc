#include "server/plugin_host/probe_batch.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/loss/dims.h"
#include "server/core/loss/encoding.h"

namespace gradeline {
namespace {

constexpr int64_t kSmallSize = 3;

/// Numbers that repeat in every process, spread evenly over [0, 1).
class Numbers {
 public:
  double Next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state_ >> 11) * 0x1p-53;
  }

 private:
  uint64_t state_ = 2024;
};

std::vector<int64_t> ShapeOf(const TensorSpec& spec, const ProbeForm& form) {
  std::vector<int64_t> shape;
  const auto dims = ParseDims(spec.dims);
  if (!dims.ok()) return shape;
  bool first = true;
  for (const Dim& dim : *dims) {
    if (dim.kind == Dim::Kind::kTail) {
      if (form.tail) shape.insert(shape.end(), {2, 2});
    } else if (dim.kind == Dim::Kind::kNumber) {
      shape.push_back(dim.number);
    } else if (dim.kind == Dim::Kind::kSmall) {
      shape.push_back(kSmallSize);
    } else {
      shape.push_back(first ? form.items : 2);
      first = false;
    }
  }
  return shape;
}

bool HoldsBoxes(const LossInfo& loss, const TensorSpec& spec) {
  const auto defaults = ResolveParams(loss.params, {});
  const bool corners = std::any_of(loss.tensors.begin(), loss.tensors.end(), [&](const TensorSpec& other) {
    return EncodingOf(other, loss.params, defaults.ok() ? *defaults : ParamMap()) == "box:xyxy";
  });
  return corners && !spec.dims.empty() && spec.dims.back() == '4';
}

double RealOf(const TensorSpec& spec, bool box, int64_t index, double random) {
  if (box) return index % 4 < 2 ? random : 2 + random;  // x1, y1 below x2, y2
  if (spec.encoding == "probability") return 0.05 + 0.9 * random;
  if (spec.gradient() || spec.min == spec.max) return 2 * random - 1;
  const double low = std::max(spec.min, 0.5), high = std::min(spec.max, 1.5);
  if (low <= high) return low + (high - low) * random;  // weights, counts
  return std::isfinite(spec.min) && std::isfinite(spec.max) ? spec.min + (spec.max - spec.min) * random
                                                            : std::clamp(random, spec.min, spec.max);
}

ProbeTensor MakeTensor(const LossInfo& loss, const TensorSpec& spec, const ProbeForm& form, Numbers& numbers) {
  ProbeTensor tensor;
  tensor.label = spec.label();
  tensor.shape = ShapeOf(spec, form);
  const int64_t count = ElementCount(tensor.shape).value_or(0);
  const bool box = HoldsBoxes(loss, spec);
  const int64_t classes = spec.label_axis.empty() ? 2 : kSmallSize;
  for (int64_t i = 0; i < count; ++i) {
    const double random = numbers.Next();
    if (tensor.label) {
      tensor.labels.push_back(static_cast<int64_t>(random * static_cast<double>(classes)));
    } else {
      tensor.reals.push_back(RealOf(spec, box, i, random));
    }
  }
  return tensor;
}

}  // namespace

size_t ChoicesOf(const LossInfo& loss) {
  std::map<uint32_t, size_t> groups;
  size_t most = 1;
  for (const TensorSpec& spec : loss.tensors) {
    if (spec.one_of != 0) most = std::max(most, ++groups[spec.one_of]);
  }
  return most;
}

bool HasTail(const LossInfo& loss) {
  return std::any_of(loss.tensors.begin(), loss.tensors.end(),
                     [](const TensorSpec& spec) { return !spec.dims.empty() && spec.dims.back() == '*'; });
}

bool HasOptional(const LossInfo& loss) {
  return std::any_of(loss.tensors.begin(), loss.tensors.end(), [](const TensorSpec& spec) { return spec.optional(); });
}

ProbeBatch MakeProbeBatch(const LossInfo& loss, const ProbeForm& form) {
  ProbeBatch batch;
  Numbers numbers;
  std::map<uint32_t, size_t> group_size, seen;
  for (const TensorSpec& spec : loss.tensors) ++group_size[spec.one_of];
  for (const TensorSpec& spec : loss.tensors) {
    const bool chosen = spec.one_of == 0 || seen[spec.one_of]++ == form.choice % group_size[spec.one_of];
    if (!chosen || (spec.optional() && !form.optional)) {
      batch.tensors.emplace_back();
      continue;
    }
    batch.tensors.push_back(MakeTensor(loss, spec, form, numbers));
    absl::StrAppend(&batch.name, batch.name.empty() ? "" : ", ", spec.name, " ", ShapeText(batch.tensors.back()->shape),
                    spec.label() ? " of labels" : "");
  }
  return batch;
}

absl::StatusOr<LossResult> RunProbeBatch(Engine& engine, const LossHandle& loss, const ProbeBatch& batch, bool gradient,
                                         DType dtype) {
  LossCall call;
  call.loss = loss;
  call.gradient = gradient;
  std::vector<std::vector<float>> floats(batch.tensors.size());
  for (size_t t = 0; t < batch.tensors.size(); ++t) {
    const auto& tensor = batch.tensors[t];
    if (!tensor) {
      call.inputs.emplace_back();
    } else if (tensor->label) {
      call.inputs.push_back(TensorView{DType::kI64, tensor->shape, tensor->labels.data()});
    } else if (dtype == DType::kF64) {
      call.inputs.push_back(TensorView{DType::kF64, tensor->shape, tensor->reals.data()});
    } else {
      floats[t].assign(tensor->reals.begin(), tensor->reals.end());
      call.inputs.push_back(TensorView{DType::kF32, tensor->shape, floats[t].data()});
    }
  }
  return engine.Run(call);
}

}  // namespace gradeline
