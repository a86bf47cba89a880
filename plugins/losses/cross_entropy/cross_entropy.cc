// Softmax cross-entropy of rows and pixels, hard labels or soft targets; the conventions of PyTorch's F.cross_entropy.
// All arithmetic is in double; blocks of items along the contiguous axis keep pixels as fast as rows.
#include <algorithm>
#include <cmath>
#include <vector>

#include "plugins/sdk/ratio.h"

namespace gradeline {
namespace {

class CrossEntropy : public sdk::Ratio<CrossEntropy> {
 public:
  static constexpr const char* kId = "cross_entropy";
  static constexpr const char* kDoc = "Softmax cross-entropy of one class out of C, from logits.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"multiclass", "pixel-multiclass"};
  static constexpr GdlTensorSpec kTensors[] = {
      sdk::Prediction("N c *", "logits", "one logit per class"),
      sdk::LabelTarget("N *", "c", "ignore_index", "number of the class", 1),
      sdk::RealTarget("N c *", "probability", 0, 1, "probability of each class", 1), sdk::Weight("N *")};
  static constexpr GdlParamSpec kParams[] = {
      sdk::Vector("class_weights", "c", 0, sdk::kInfinity, "weight of each class"),
      sdk::Integer("ignore_index", -100, -2147483648.0, 2147483647.0, "label value that marks an ignored item"),
      sdk::Number("label_smoothing", 0, 0, 1, "share of the target spread evenly over all classes")};
  static constexpr GdlComponentSpec kComponents[] = {
      sdk::Additive("cross_entropy", "item losses / class weights of the valid targets (soft targets: items)")};

  explicit CrossEntropy(const sdk::Params& params)
      : class_weights_(params.Vector("class_weights")), smoothing_(params.Number("label_smoothing")) {}

  void Plan(const GdlShape& shape, sdk::Plan& plan) const {
    if (shape.small[kPrediction] == 1) {
      throw sdk::Refusal{"prediction", "has 1 class, whose cross-entropy is always 0; allowed: 2 or more"};
    }
    Ratio::Plan(shape, plan);
    GdlPass& last = *plan.raw().pass[plan.raw().pass_count - 1];
    last.scratch_bytes = shape.small[kPrediction] * std::min(kBlock, shape.inner) * int64_t{sizeof(double)};
  }

  template <typename Real>
  double Denominators(const sdk::Tile<Real>& tile) const {
    const auto labels = tile.Labels(kLabels);
    const auto weights = tile.Input(kWeights);
    double sum = 0;
    for (int64_t o = 0; o < tile.outer(); ++o) {
      for (int64_t i = 0; i < tile.inner(); ++i) {
        const double weight = weights ? static_cast<double>(weights.Run(o)[i]) : 1;
        sum += labels ? weight * LabelWeight(labels.Run(o)[i]) : weight;
      }
    }
    return sum;
  }

  template <typename Real>
  Sums Terms(const sdk::Tile<Real>& tile) const {
    Sums sums;
    for (int64_t o = 0; o < tile.outer(); ++o) {
      for (int64_t i = 0; i < tile.inner(); i += kBlock) {
        AddBlock(tile, o, i, std::min(kBlock, tile.inner() - i), sums);
      }
    }
    return sums;
  }

 private:
  static constexpr size_t kPrediction = 0, kLabels = 1, kSoft = 2, kWeights = 3;
  static constexpr int64_t kBlock = 64;

  /// Softmax of up to kBlock items, kept so that neither end of it cancels: class k has probability
  /// exp(z_k - top) / (1 + rest), where rest sums the exponentials of all classes but the top one.
  struct Softmax {
    double* exponentials;  ///< exp(z_k - top) of item j at [k * n + j]
    double top[kBlock], rest[kBlock];
    int64_t best[kBlock];
  };

  double ClassWeight(int64_t k) const { return class_weights_.empty() ? 1 : class_weights_[static_cast<size_t>(k)]; }
  double LabelWeight(int32_t label) const { return label < 0 ? 0 : ClassWeight(label); }

  template <typename Real>
  static void FillSoftmax(const sdk::View<const Real>& logits, int64_t o, int64_t first, int64_t n, Softmax& softmax) {
    const Real* run = logits.Run(o) + first;
    for (int64_t j = 0; j < n; ++j) {
      softmax.top[j] = run[j];
      softmax.best[j] = 0;
      softmax.rest[j] = 0;
    }
    for (int64_t k = 1; k < logits.small; ++k) {
      run = logits.Run(o, k) + first;
      for (int64_t j = 0; j < n; ++j) {
        const bool higher = run[j] > softmax.top[j];
        softmax.top[j] = higher ? static_cast<double>(run[j]) : softmax.top[j];
        softmax.best[j] = higher ? k : softmax.best[j];
      }
    }
    for (int64_t k = 0; k < logits.small; ++k) {
      run = logits.Run(o, k) + first;
      double* exponentials = softmax.exponentials + k * n;
      for (int64_t j = 0; j < n; ++j) {
        exponentials[j] = std::exp(run[j] - softmax.top[j]);
        softmax.rest[j] += k == softmax.best[j] ? 0 : exponentials[j];
      }
    }
  }

  /// Weighted, smoothed target of class k: what multiplies -log p_k.
  template <typename Real>
  double Mass(const sdk::View<const int32_t>& labels, const sdk::View<const Real>& soft, int64_t o, int64_t k,
              int64_t item, double spread) const {
    const double target = soft ? static_cast<double>(soft.Run(o, k)[item]) : (labels.Run(o)[item] == k ? 1.0 : 0.0);
    return ClassWeight(k) * ((1 - smoothing_) * target + spread);
  }

  template <typename Real>
  void AddBlock(const sdk::Tile<Real>& tile, int64_t o, int64_t first, int64_t n, Sums& sums) const {
    const auto logits = tile.Input(kPrediction);
    const auto labels = tile.Labels(kLabels);
    const auto soft = tile.Input(kSoft);
    const auto weights = tile.Input(kWeights);
    const auto gradient = tile.Gradient(0);
    const double spread = smoothing_ / static_cast<double>(logits.small);
    Softmax softmax;
    softmax.exponentials = static_cast<double*>(tile.raw().scratch);
    FillSoftmax(logits, o, first, n, softmax);

    double weight[kBlock], loss[kBlock], mass[kBlock], norm[kBlock];
    for (int64_t j = 0; j < n; ++j) {
      loss[j] = mass[j] = 0;
      weight[j] = weights ? static_cast<double>(weights.Run(o)[first + j]) : 1;
      if (labels && labels.Run(o)[first + j] < 0) weight[j] = 0;
    }
    for (int64_t k = 0; k < logits.small; ++k) {
      const Real* run = logits.Run(o, k) + first;
      for (int64_t j = 0; j < n; ++j) {
        const double part = Mass(labels, soft, o, k, first + j, spread);
        mass[j] += part;
        // The difference may be infinite: what weighs nothing must not become 0 * infinity.
        loss[j] += part == 0 || weight[j] == 0 ? 0 : part * (softmax.top[j] - run[j]);
      }
    }
    for (int64_t j = 0; j < n; ++j) {
      loss[j] = weight[j] * (loss[j] + mass[j] * std::log1p(softmax.rest[j]));
      norm[j] = 1 / (1 + softmax.rest[j]);
      sums.numerator += loss[j];
      sums.denominator += weight[j] * (labels ? LabelWeight(labels.Run(o)[first + j]) : 1);
    }
    if (tile.raw().item_loss != nullptr) {
      std::copy(loss, loss + n, tile.raw().item_loss + o * tile.inner() + first);
    }
    if (!gradient) return;
    for (int64_t k = 0; k < logits.small; ++k) {
      const double* exponentials = softmax.exponentials + k * n;
      Real* out = gradient.Run(o, k) + first;
      for (int64_t j = 0; j < n; ++j) {
        const double p = exponentials[j] * norm[j];
        const double q = k == softmax.best[j] ? softmax.rest[j] * norm[j] : 1 - p;  // 1 - p without cancellation
        const double part = Mass(labels, soft, o, k, first + j, spread);
        out[j] = static_cast<Real>(tile.raw().scale[0] * weight[j] * (p * (mass[j] - part) - q * part));
      }
    }
  }

  std::vector<double> class_weights_;
  double smoothing_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("cross_entropy", "Gradeline", "1.0.0", "Apache-2.0", gradeline::CrossEntropy)
