// For tests: a softmax written plainly in long double, and references of losses of one right class out of C.
#ifndef GRADELINE_PLUGINS_LOSSES_GOLDEN_SOFTMAX_H_
#define GRADELINE_PLUGINS_LOSSES_GOLDEN_SOFTMAX_H_

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "plugins/sdk/reference.h"

namespace gradeline::conformance {

/// Of one item, nothing of it lost to cancellation.
struct PlainSoftmax {
  std::vector<long double> p, q;  ///< of each class, and of all others
  long double minus_log_p = 0;    ///< of the label
};

/// From the first tensor; labels are the second. An ignored item's label counts as 0.
inline PlainSoftmax SoftmaxOf(const Batch& batch, int64_t item) {
  const TensorData& logits = batch.tensors[0];
  const int32_t label = std::max(batch.tensors[1].labels[static_cast<size_t>(item)], 0);
  std::vector<long double> z;
  for (int64_t k = 0; k < logits.small; ++k) {
    z.push_back(logits.real[static_cast<size_t>(DenseIndex(batch, logits, item / batch.inner, k, item % batch.inner))]);
  }
  const long double top = *std::max_element(z.begin(), z.end());
  long double sum = 0;
  for (long double value : z) sum += std::exp(value - top);
  PlainSoftmax softmax;
  for (size_t k = 0; k < z.size(); ++k) {
    long double others = 0;
    for (size_t j = 0; j < z.size(); ++j) others += j == k ? 0 : std::exp(z[j] - top);
    softmax.p.push_back(std::exp(z[k] - top) / sum);
    softmax.q.push_back(others / sum);
    if (static_cast<int32_t>(k) != label) continue;
    softmax.minus_log_p = others < 0.5L ? std::log1p(others / (sum - others)) : top - z[k] + std::log(sum);
  }
  return softmax;
}

/// Loss of an item, the factor c of its gradient c (p_k - [k is right]), and what cancels in either.
struct PlainTerm {
  long double loss, slope, magnitude = 0;
};

/// What labels weigh, and the term of -log p, p and 1 - p of the right class. An input weight is the third tensor.
inline Reference LabelReference(const Batch& batch, const std::function<long double(int32_t)>& numerator_weight,
                                const std::function<long double(int32_t)>& denominator_weight,
                                const std::function<PlainTerm(long double, long double, long double)>& term) {
  const TensorData &logits = batch.tensors[0], &label = batch.tensors[1], &weight = batch.tensors[2];
  Reference want;
  want.derivative.resize(logits.real.size());
  for (int64_t item = 0; item < batch.items(); ++item) {
    const auto number = static_cast<size_t>(item);
    const int32_t is = label.labels[number];
    if (is < 0) {
      want.item_loss.push_back(0);
      continue;
    }
    const long double given = weight.present ? static_cast<long double>(weight.real[number]) : 1;
    const long double w = given * numerator_weight(is);
    const PlainSoftmax softmax = SoftmaxOf(batch, item);
    const auto right = static_cast<size_t>(is);
    const PlainTerm of = term(softmax.minus_log_p, softmax.p[right], softmax.q[right]);
    want.item_loss.push_back(w == 0 ? 0 : w * of.loss);
    want.item_magnitude = std::max(want.item_magnitude, w * of.magnitude);
    want.denominator += given * denominator_weight(is);
    for (size_t k = 0; k < softmax.p.size(); ++k) {
      const int64_t at = DenseIndex(batch, logits, item / batch.inner, static_cast<int64_t>(k), item % batch.inner);
      want.derivative[static_cast<size_t>(at)] = w * of.slope * (k == right ? -softmax.q[k] : softmax.p[k]);
    }
  }
  return want;
}

/// Weight of a class by a parameter; 1 where it is off.
inline long double ClassWeight(const ParamValues& params, int32_t label) {
  const auto weights = params.find("class_weights");
  return weights == params.end() || label < 0 ? 1 : weights->second[static_cast<size_t>(label)];
}

/// A random shape of labelled items, and, half of the time, class weights.
inline Case LabelCase(std::mt19937_64& random) {
  const auto size = [&](uint64_t most) { return 1 + static_cast<int64_t>(random() % most); };
  std::uniform_real_distribution<double> unit(0, 1);
  Case c{"grid", {{"N", size(5)}, {"c", 1 + size(7)}, {"*", size(12)}}, {}};
  const auto kind = random() % 16;
  if (kind < 2) c.axes = {{"N", size(20)}, {"c", 60 + size(40)}};
  if (kind == 2) c.axes["*"] = 500 + size(400);  // several blocks of a kernel
  for (int64_t k = 0, n = random() % 2 == 0 ? c.axes["c"] : 0; k < n; ++k) {
    c.params["class_weights"].push_back(random() % 5 == 0 ? 0 : 3 * unit(random));
  }
  return c;
}

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_LOSSES_GOLDEN_SOFTMAX_H_
