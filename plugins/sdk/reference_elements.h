// References of losses that are sums over single numbers, for sdk/reference.h: the author writes one number's term.
#ifndef GRADELINE_PLUGINS_SDK_REFERENCE_ELEMENTS_H_
#define GRADELINE_PLUGINS_SDK_REFERENCE_ELEMENTS_H_

#include <algorithm>
#include <functional>

#include "plugins/sdk/reference.h"

namespace gradeline::conformance {

/// One number's loss and derivative, and the magnitudes of what cancels in them (0: nothing does).
struct ReferenceTerm {
  long double loss = 0, slope = 0, magnitude = 0, slope_terms = 0;
};

/// Of a prediction and a target.
using ElementTerm = std::function<ReferenceTerm(long double, long double)>;

inline void AddElement(const ReferenceTerm& term, long double weight, Reference& want, long double& item) {
  item += weight * term.loss;
  want.derivative.push_back(weight * term.slope);
  want.terms = std::max(want.terms, weight * term.slope_terms);
  want.item_magnitude = std::max(want.item_magnitude, weight * term.magnitude);
}

/// A loss of items that are numbers: prediction, real target, weight.
inline Reference ReferenceOfNumbers(const Batch& batch, const ElementTerm& term) {
  const TensorData &prediction = batch.tensors[0], &target = batch.tensors[1], &weight = batch.tensors[2];
  Reference want;
  for (size_t i = 0; i < prediction.real.size(); ++i) {
    const long double w = weight.present ? weight.real[i] : 1;
    AddElement(term(prediction.real[i], target.real[i]), w, want, want.item_loss.emplace_back(0));
    want.denominator += w;
  }
  return want;
}

/// A loss of rows [N, c] that adds its numbers up: prediction, labels, soft targets, weights, all of them [N, c].
/// Denominator: the weights of the valid elements over c.
inline Reference ReferenceOfRows(const Batch& batch, const ElementTerm& term) {
  const TensorData &prediction = batch.tensors[0], &label = batch.tensors[1], &soft = batch.tensors[2],
                   &weight = batch.tensors[3];
  Reference want;
  const auto classes = static_cast<size_t>(prediction.small);
  for (size_t i = 0; i < prediction.real.size(); ++i) {
    if (i % classes == 0) want.item_loss.push_back(0);
    long double w = weight.present ? weight.real[i] : 1;
    if (label.present && label.labels[i] < 0) w = 0;
    const long double y = label.present ? std::max(label.labels[i], 0) : soft.real[i];
    AddElement(term(prediction.real[i], y), w, want, want.item_loss.back());
    want.denominator += w / static_cast<long double>(classes);
  }
  return want;
}

/// A loss of rows [N, c] that adds its numbers up: prediction [N, c], labels, qualities and weights [N]; the target is
/// the quality at the label and 0 elsewhere. Denominator: the weights of the valid rows.
inline Reference ReferenceOfDenseRows(const Batch& batch, const ElementTerm& term) {
  const TensorData &prediction = batch.tensors[0], &label = batch.tensors[1], &quality = batch.tensors[2],
                   &weight = batch.tensors[3];
  Reference want;
  const auto classes = static_cast<size_t>(prediction.small);
  for (size_t row = 0; row < label.labels.size(); ++row) {
    want.item_loss.push_back(0);
    const long double w = label.labels[row] < 0 ? 0 : weight.present ? weight.real[row] : 1;
    for (size_t k = 0; k < classes; ++k) {
      const long double y = label.labels[row] == static_cast<int32_t>(k) ? quality.real[row] : 0;
      AddElement(term(prediction.real[row * classes + k], y), w, want, want.item_loss.back());
    }
    want.denominator += w;
  }
  want.item_magnitude *= static_cast<long double>(classes);
  return want;
}

/// What a logit says of yes and no, each without cancellation.
struct LogisticReference {
  explicit LogisticReference(long double z)
      : yes(1 / (1 + std::exp(-z))),
        no(1 / (1 + std::exp(z))),
        minus_log_yes(std::max(-z, 0.0L) + std::log1p(std::exp(-std::abs(z)))),
        minus_log_no(std::max(z, 0.0L) + std::log1p(std::exp(-std::abs(z)))) {}
  long double yes, no, minus_log_yes, minus_log_no;
};

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_SDK_REFERENCE_ELEMENTS_H_
