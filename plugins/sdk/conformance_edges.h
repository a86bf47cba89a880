// Edge inputs: what breaks formulas that are right on moderate numbers. Each batch gets one kind for its predictions
// and one for its targets; about a third of all batches stay moderate.
#ifndef GRADELINE_PLUGINS_SDK_CONFORMANCE_EDGES_H_
#define GRADELINE_PLUGINS_SDK_CONFORMANCE_EDGES_H_

#include <cmath>
#include <random>

#include "plugins/sdk/conformance_inputs.h"

namespace gradeline::conformance {

/// Logits and values: far out, +-farthest, large common offsets with exact ties, all equal.
inline void DistortReals(TensorData& tensor, double farthest, std::mt19937_64& random) {
  const auto kind = random() % 6;
  const double same = std::round(farthest * (2 * static_cast<double>(random() % 1001) / 1000 - 1));
  for (double& value : tensor.real) {
    if (kind == 1) value *= farthest / 3;
    if (kind == 2 && random() % 3 == 0) value = random() % 2 == 0 ? farthest : -farthest;
    if (kind == 3) value = farthest + std::round(value);
    if (kind == 4) value = std::round(value);
    if (kind == 5) value = random() % 8 == 0 ? value : same;
    value = static_cast<float>(std::clamp(value, -farthest, farthest));
  }
}

/// Probabilities: some or all exactly 0 or 1, all equal.
inline void DistortProbabilities(TensorData& tensor, std::mt19937_64& random) {
  const auto kind = random() % 4;
  for (double& value : tensor.real) {
    if (kind == 1 && random() % 3 == 0) value = std::round(value);
    if (kind == 2) value = std::round(value);
    if (kind == 3) value = 0.5;
  }
}

/// All ignored, one class only, one class absent; class 0 only is "no positives".
inline void DistortLabels(const GdlTensorSpec& spec, TensorData& tensor, std::mt19937_64& random) {
  const auto kind = random() % 8;
  const auto size = static_cast<uint64_t>(tensor.label_size);
  const auto one = static_cast<int32_t>(random() % size), other = static_cast<int32_t>((one + 1) % size);
  for (int32_t& label : tensor.labels) {
    if (kind == 1 && spec.ignore_param != nullptr) label = -1;
    if (label < 0) continue;
    if (kind == 2) label = one;
    if (kind == 3) label = 0;
    if (kind == 4) label = static_cast<int32_t>(tensor.label_size - 1);
    if (kind == 5 && label == one) label = other;
  }
}

/// Soft targets that are hard, weights of 0.
inline void DistortTargets(TensorData& tensor, std::mt19937_64& random) {
  const auto kind = random() % 6;
  for (double& value : tensor.real) {
    if (kind == 1 && random() % 4 == 0) value = std::round(value);
    if (kind == 2) value = std::round(value);
  }
}

/// Certainty: the prediction says what the target says (or the opposite), as sure as can be.
inline void MakeSure(const GdlLoss& loss, Batch& batch, double logit, std::mt19937_64& random) {
  TensorData& prediction = batch.tensors[0];
  const double sign = random() % 3 == 0 ? -1 : 1;
  for (size_t t = 1; t < batch.tensors.size(); ++t) {
    const TensorData& target = batch.tensors[t];
    if (!target.present || target.whole || std::string("target") != loss.tensors[t]->name) continue;
    for (int64_t item = 0; target.label && target.small == 1 && item < batch.items(); ++item) {
      const int32_t label = target.labels[static_cast<size_t>(item)];
      for (int64_t k = 0; k < prediction.small; ++k) {
        const bool is = prediction.small == 1 ? label == 1 : label == k;
        const int64_t at = DenseIndex(batch, prediction, item / batch.inner, k, item % batch.inner);
        prediction.real[static_cast<size_t>(at)] = is ? sign * logit : -sign * logit;
      }
    }
    // Real targets: the values themselves, so that errors are exactly 0; logits get the sign of the nearer end.
    const bool values = loss.tensors[0]->encoding == nullptr;
    for (size_t i = 0; !target.label && target.small == prediction.small && i < target.real.size(); ++i) {
      const double y = target.real[i];
      if (random() % 8 != 0) prediction.real[i] = values ? y : (y >= 0.5 ? sign : -sign) * logit;
    }
  }
}

/// Makes a random batch an edge case; ends with the case's own `fix`.
inline void Distort(const GdlLoss& loss, const Case& c, Batch& batch, std::mt19937_64& random) {
  for (size_t t = 0; t < batch.tensors.size(); ++t) {
    TensorData& tensor = batch.tensors[t];
    const GdlTensorSpec& spec = *loss.tensors[t];
    const std::string encoding = EncodingOf(spec, c);
    if (!tensor.present || IsBoxEncoding(encoding)) continue;
    if (tensor.label) {
      DistortLabels(spec, tensor, random);
    } else if ((spec.flags & GDL_GRADIENT) == 0) {
      DistortTargets(tensor, random);
    } else if (encoding == "probability") {
      DistortProbabilities(tensor, random);
    } else {
      DistortReals(tensor, c.farthest, random);
    }
  }
  const std::string encoding = EncodingOf(*loss.tensors[0], c);
  if (encoding != "probability" && !IsBoxEncoding(encoding) && random() % 6 == 0) {
    MakeSure(loss, batch, std::min(c.farthest, random() % 2 == 0 ? 30.0 : 1e4), random);
  }
  if (random() % 3 != 0) {
    const bool mixed = random() % 2 == 0;
    const auto all = static_cast<BoxKind>(random() % kBoxKinds);
    FillBoxes(loss, c, batch, random, [&] { return mixed ? static_cast<BoxKind>(random() % kBoxKinds) : all; });
  }
  if (c.fix) c.fix(batch);
}

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_SDK_CONFORMANCE_EDGES_H_
