// Losses of regions of pixels in long double, for tests: sums of each class, the value from the loss's formula, and its
// derivatives by dual numbers. For tests only.
#ifndef GRADELINE_PLUGINS_LOSSES_GOLDEN_REGION_REFERENCE_H_
#define GRADELINE_PLUGINS_LOSSES_GOLDEN_REGION_REFERENCE_H_

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "plugins/losses/golden/golden.h"
#include "plugins/sdk/reference.h"

namespace gradeline::conformance {

/// A number and its derivative by something.
struct Dual {
  long double value = 0, slope = 0;
  Dual(long double v = 0, long double s = 0) : value(v), slope(s) {}
};
inline Dual operator+(Dual a, Dual b) { return {a.value + b.value, a.slope + b.slope}; }
inline Dual operator-(Dual a, Dual b) { return {a.value - b.value, a.slope - b.slope}; }
inline Dual operator*(Dual a, Dual b) { return {a.value * b.value, a.slope * b.value + a.value * b.slope}; }
inline Dual operator/(Dual a, Dual b) { return {a.value / b.value, (a.slope - a.value / b.value * b.slope) / b.value}; }
/// wrong / (good + wrong) = 1 - good / (good + wrong); nothing cancels, in the derivative neither.
inline Dual WrongShare(Dual wrong, Dual good) {
  const long double size = good.value + wrong.value;
  return {wrong.value / size, (wrong.slope * (good.value / size) - wrong.value / size * good.slope) / size};
}
/// 0 at 0, with slope 0.
inline Dual Pow(Dual a, long double exponent) {
  if (a.value <= 0) return {};
  return {std::pow(a.value, exponent), exponent * std::pow(a.value, exponent - 1) * a.slope};
}

/// True and false positives, false negatives of one class, and how many pixels count.
struct DualOverlap {
  Dual tp, fp, fn;
  long double pixels = 0;
};

/// Value of one region from its classes; `counts` false: it has nothing to say.
struct RegionWorth {
  Dual value;
  bool counts = true;
};
using RegionFormula = std::function<RegionWorth(const std::vector<DualOverlap>&, const ParamValues&)>;

/// 1 - (tp + smooth) / max(tp + a fp + b fn + smooth, eps), or minus the logarithm of the ratio, at least `least`.
inline Dual IndexLoss(const DualOverlap& o, long double a, long double b, long double smooth, long double eps,
                      bool log = false, long double least = 0) {
  const Dual wrong = Dual(a) * o.fp + Dual(b) * o.fn, good = o.tp + Dual(smooth), size = good + wrong;
  const bool small = size.value < eps;
  const Dual loss = small ? Dual(1) - good / Dual(eps) : WrongShare(wrong, good);
  if (!log) return loss;
  const long double ratio = good.value / (small ? eps : size.value);
  if (ratio < least) return {-std::log(least)};
  return {ratio > 0.5L ? -std::log1p(-loss.value) : -std::log(ratio), loss.slope / ratio};
}

/// Mean over classes with pixels, without absent ones unless absent_class = count; weighted if `weigh`.
inline RegionWorth MeanOfClasses(const std::vector<DualOverlap>& classes, const ParamValues& params, bool weigh,
                                 const std::function<Dual(const DualOverlap&)>& loss) {
  Dual sum;
  long double total = 0;
  const auto weights = params.find("class_weights");
  for (size_t k = 0; k < classes.size(); ++k) {
    const bool absent = classes[k].tp.value + classes[k].fn.value == 0;
    if (classes[k].pixels == 0 || (absent && params.at("absent_class")[0] == 0)) continue;
    const long double weight = weigh && weights != params.end() ? weights->second[k] : 1;
    if (weight == 0) continue;
    sum = sum + Dual(weight) * loss(classes[k]);
    total += weight;
  }
  if (total == 0) return {{}, false};
  return {sum / Dual(total), true};
}

/// Reads a batch of a loss whose tensors are prediction, labels and, under a sigmoid, soft targets.
class RegionReference {
 public:
  RegionReference(const Batch& batch, bool softmax)
      : batch_(batch), logits_(batch.tensors[0]), softmax_(softmax), size_(logits_.real.size()) {
    p_.resize(size_);
    q_.resize(size_);
    for (int64_t item = 0; item < batch.items(); ++item) softmax ? Softmax(item) : Sigmoid(item);
  }

  /// Component of the regions.
  ComponentReference Regions(const ParamValues& params, const RegionFormula& formula) const {
    ComponentReference want;
    want.derivative.assign(size_, 0);
    want.numerator = 0;
    want.denominator = 1;
    const bool by_image = params.at("aggregate")[0] == 1;
    const int64_t step = by_image ? batch_.inner : batch_.items();
    int64_t counted = 0;
    for (int64_t first = 0; first < batch_.items(); first += step) {
      const std::vector<DualOverlap> sums = Sums(first, first + step);
      const RegionWorth worth = formula(sums, params);
      if (!worth.counts) continue;
      ++counted;
      want.numerator += worth.value.value;
      AddDerivatives(first, first + step, sums, params, formula, want);
    }
    if (counted == 0) return want;
    want.numerator /= counted;
    want.terms /= counted;
    for (long double& value : want.derivative) value /= counted;
    return want;
  }

  /// Component of the cross-entropy.
  ComponentReference Entropy(const ParamValues& params) const {
    ComponentReference want;
    want.derivative.assign(size_, 0);
    want.numerator = 0;
    const auto weights = params.find("class_weights");
    for (int64_t item = 0; item < batch_.items(); ++item) {
      const int32_t label = batch_.tensors[1].labels[static_cast<size_t>(item)];
      if (label < 0) continue;
      const long double weight = weights == params.end() ? 1 : weights->second[static_cast<size_t>(label)];
      want.denominator += weight;
      if (weight == 0) continue;
      long double top = logits_.real[At(item, 0)], sum = 0;
      for (int64_t k = 1; k < logits_.small; ++k) top = std::max<long double>(top, logits_.real[At(item, k)]);
      for (int64_t k = 0; k < logits_.small; ++k) sum += std::exp(logits_.real[At(item, k)] - top);
      const size_t right = At(item, label);
      want.numerator +=
          weight * (p_[right] > 0.5L ? -std::log1p(-q_[right]) : top - logits_.real[right] + std::log(sum));
      for (int64_t k = 0; k < logits_.small; ++k) {
        want.derivative[At(item, k)] = weight * (k == label ? -q_[right] : p_[At(item, k)]);
      }
    }
    return want;
  }

 private:
  size_t At(int64_t item, int64_t k) const {
    return static_cast<size_t>(DenseIndex(batch_, logits_, item / batch_.inner, k, item % batch_.inner));
  }

  void Softmax(int64_t item) {
    long double top = logits_.real[At(item, 0)], sum = 0;
    for (int64_t k = 1; k < logits_.small; ++k) top = std::max<long double>(top, logits_.real[At(item, k)]);
    for (int64_t k = 0; k < logits_.small; ++k) sum += std::exp(logits_.real[At(item, k)] - top);
    for (int64_t k = 0; k < logits_.small; ++k) {
      long double others = 0;
      for (int64_t j = 0; j < logits_.small; ++j) {
        if (j != k) others += std::exp(logits_.real[At(item, j)] - top);
      }
      p_[At(item, k)] = std::exp(logits_.real[At(item, k)] - top) / sum;
      q_[At(item, k)] = others / sum;
    }
  }
  void Sigmoid(int64_t item) {
    for (int64_t k = 0; k < logits_.small; ++k) {
      p_[At(item, k)] = 1 / (1 + std::exp(-static_cast<long double>(logits_.real[At(item, k)])));
      q_[At(item, k)] = 1 / (1 + std::exp(static_cast<long double>(logits_.real[At(item, k)])));
    }
  }

  /// Target of class k, and whether it counts.
  std::pair<long double, bool> Target(int64_t item, int64_t k) const {
    if (softmax_) {
      const int32_t label = batch_.tensors[1].labels[static_cast<size_t>(item)];
      return {label == k ? 1 : 0, label >= 0};
    }
    if (batch_.tensors[2].present) return {batch_.tensors[2].real[At(item, k)], true};
    const int32_t label = batch_.tensors[1].labels[At(item, k)];
    return {label == 1 ? 1 : 0, label >= 0};
  }

  std::vector<DualOverlap> Sums(int64_t first, int64_t last) const {
    std::vector<DualOverlap> sums(static_cast<size_t>(logits_.small));
    for (int64_t item = first; item < last; ++item) {
      for (int64_t k = 0; k < logits_.small; ++k) {
        const auto [y, counts] = Target(item, k);
        if (!counts) continue;
        DualOverlap& sum = sums[static_cast<size_t>(k)];
        sum.tp.value += p_[At(item, k)] * y;
        sum.fp.value += p_[At(item, k)] * (1 - y);
        sum.fn.value += q_[At(item, k)] * y;
        sum.pixels += 1;
      }
    }
    return sums;
  }

  /// Derivatives of the region's value by p of class k where y = 1 and where y = 0.
  std::vector<std::pair<long double, long double>> Slopes(std::vector<DualOverlap> sums, const ParamValues& params,
                                                          const RegionFormula& formula) const {
    std::vector<std::pair<long double, long double>> slopes;
    for (DualOverlap& sum : sums) {
      sum.tp.slope = 1;
      sum.fn.slope = -1;
      const long double in = formula(sums, params).value.slope;
      sum.tp.slope = sum.fn.slope = 0;
      sum.fp.slope = 1;
      const long double out = formula(sums, params).value.slope;
      sum.fp.slope = 0;
      slopes.emplace_back(in, out);
    }
    return slopes;
  }

  void AddDerivatives(int64_t first, int64_t last, const std::vector<DualOverlap>& sums, const ParamValues& params,
                      const RegionFormula& formula, ComponentReference& want) const {
    const auto slopes = Slopes(sums, params, formula);
    for (int64_t item = first; item < last; ++item) {
      for (int64_t k = 0; k < logits_.small; ++k) {
        const auto [y, counts] = Target(item, k);
        if (!counts) continue;
        const auto slope = [&](int64_t j) {
          const auto [in, out] = slopes[static_cast<size_t>(j)];
          const long double of = Target(item, j).first;
          return std::pair(of * in + (1 - of) * out, std::abs(of * in) + std::abs((1 - of) * out));
        };
        const long double p = p_[At(item, k)];
        long double derivative = 0, terms = 0;
        for (int64_t j = 0; softmax_ && j < logits_.small; ++j) {
          if (j == k) continue;  // p_k sum over j of p_j (g_k - g_j): nothing cancels against 1
          derivative += p * p_[At(item, j)] * (slope(k).first - slope(j).first);
          terms += p * p_[At(item, j)] * (slope(k).second + slope(j).second);
        }
        if (!softmax_) {
          derivative = p * q_[At(item, k)] * slope(k).first;
          terms = p * q_[At(item, k)] * slope(k).second;
        }
        want.derivative[At(item, k)] = derivative;
        want.terms = std::max(want.terms, terms);
      }
    }
  }

  const Batch& batch_;
  const TensorData& logits_;
  bool softmax_;
  size_t size_;
  std::vector<long double> p_, q_;  // q = 1 - p
};

/// What a loss of regions alone should be.
inline ComputeReference OfRegions(bool softmax, const RegionFormula& formula) {
  return [=](const Batch& batch, const ParamValues& params) {
    Reference want;
    static_cast<ComponentReference&>(want) = RegionReference(batch, softmax).Regions(params, formula);
    return want;
  };
}

/// What a loss of cross-entropy and regions should be.
inline ComputeReference OfEntropyAndRegions(const RegionFormula& formula) {
  return [=](const Batch& batch, const ParamValues& params) {
    const RegionReference of(batch, true);
    Reference want;
    static_cast<ComponentReference&>(want) = of.Entropy(params);
    want.more.push_back(of.Regions(params, formula));
    return want;
  };
}

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_LOSSES_GOLDEN_REGION_REFERENCE_H_
