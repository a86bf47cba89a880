// Seesaw loss of Wang et al. 2021: cross-entropy that spares rare classes, unless they are taken for the right one.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/seesaw/seesaw.cc"
#include <hwy/foreach_target.h>

#include <cmath>

#include "plugins/simd/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

constexpr double kFarBelow = -1e308;

/// Calls body(class, lanes that exist) for the vectors of a row.
template <class D, class Body>
HWY_INLINE void ForVectors(D d, int64_t classes, const Body& body) {
  for (int64_t k = 0; k < classes; k += static_cast<int64_t>(hn::Lanes(d))) {
    body(k, hn::FirstN(d, static_cast<size_t>(classes - k)));
  }
}

/// Logits of a row in place of which come, class by class, exponentials of the adjusted ones; their top and the sum of
/// all but it.
struct Row {
  double* z;
  int64_t classes;
  double top = 0, rest = 0;

  /// Sets top, and turns numbers into exponentials with their rest.
  template <class D>
  HWY_INLINE void Fill(D d, bool keep) {
    using V = hn::Vec<D>;
    V highest = hn::Set(d, kFarBelow);
    ForVectors(d, classes, [&](int64_t k, auto is) HWY_ATTR {
      highest = hn::Max(highest, hn::IfThenElse(is, hn::Load(d, z + k), highest));
    });
    highest = hn::MaxOfLanes(d, highest);
    V sum = hn::Zero(d), ties = hn::Zero(d);
    ForVectors(d, classes, [&](int64_t k, auto is) HWY_ATTR {
      const V x = hn::Load(d, z + k), e = ExpOfDifference(d, hn::Min(x, highest), highest);
      const auto below = hn::And(is, hn::Lt(x, highest));
      sum = hn::Add(sum, hn::IfThenElseZero(below, e));
      ties = hn::Add(ties, hn::IfThenElseZero(hn::AndNot(below, is), hn::Set(d, 1.0)));
      if (!keep) hn::Store(e, d, z + k);
    });
    top = hn::GetLane(highest);
    rest = hn::GetLane(hn::SumOfLanes(d, sum)) + (hn::GetLane(hn::SumOfLanes(d, ties)) - 1);
  }

  /// Adds the logarithms of both factors to the logits of all classes but `label`; all less one number, so that the
  /// highest keep their digits. `log_counts` may be NULL (p is 0). `numbers`: p, q, eps.
  template <class D>
  HWY_INLINE void Adjust(D d, int64_t label, const double* log_counts, const double* numbers) {
    using V = hn::Vec<D>;
    const double p = numbers[0], q = numbers[1], eps = numbers[2];
    double above = 0;  // of the top logit, over what it is compared with
    if (q > 0) {
      Fill(d, true);
      above = std::max(0.0, std::min(top - z[label], -std::log(eps) - std::log1p(rest)));
    } else {
      top = *std::max_element(z, z + classes);
    }
    const double right = z[label] - top - q * above;
    const V highest = hn::Set(d, top), lowest = hn::Set(d, -above), mitigation = hn::Set(d, p),
            compensation = hn::Set(d, q);
    const V own = hn::Set(d, log_counts == nullptr ? 0.0 : log_counts[label]);
    ForVectors(d, classes, [&](int64_t k, auto) HWY_ATTR {
      const V below = hn::Sub(hn::Load(d, z + k), highest);
      V adjusted = hn::MulAdd(compensation, hn::Max(below, lowest), below);
      if (log_counts != nullptr) {
        const V rarer = hn::Min(hn::Sub(hn::Load(d, log_counts + k), own), hn::Zero(d));
        adjusted = hn::MulAdd(mitigation, rarer, adjusted);
      }
      hn::Store(adjusted, d, z + k);
    });
    z[label] = right;
  }
};

/// Loss of the row at z (any numbers behind its end), and its exponentials with what takes the place of the label's: a
/// gradient but for `slope`.
double RunRow(double* z, int64_t classes, int64_t label, const double* log_counts, const double* numbers,
              double* slope) {
  const hn::ScalableTag<double> d;
  Row row{z, classes};
  row.Adjust(d, label, log_counts, numbers);
  const double right = z[label];
  row.Fill(d, false);
  const double loss = row.top - right + std::log1p(row.rest);
  z[label] = right < row.top ? z[label] - (1 + row.rest) : -row.rest;
  *slope = 1 / (1 + row.rest);
  return loss;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradeline {
namespace {

HWY_EXPORT(RunRow);

class Seesaw : public sdk::Ratio<Seesaw> {
 public:
  static constexpr const char* kId = "seesaw";
  static constexpr const char* kDoc =
      "Cross-entropy that spares classes rarer than the right one, unless they are taken for it.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"multiclass"};
  static constexpr GdlTensorSpec kTensors[] = {
      sdk::Prediction("N c", "logits", "one logit per class"),
      sdk::LabelTarget("N", "c", "ignore_index", "number of the class"),
      {sizeof(GdlTensorSpec), GDL_REAL, GDL_CONSTANT, 0, "class_counts",
       "items of each class in the training data, 1 for none", "c", nullptr, nullptr, nullptr, 1, sdk::kInfinity},
      sdk::Weight("N")};
  static constexpr GdlParamSpec kParams[] = {
      sdk::Number("p", 0.8, 0, sdk::kInfinity, "power of the ratio of counts: how much rarer classes are spared"),
      sdk::Number("q", 2, 0, sdk::kInfinity, "power of the ratio of probabilities: how much mistakes count for it"),
      sdk::Number("eps", 0.01, 0, 1, "least probability of the right class in that ratio", GDL_MIN_OPEN),
      sdk::Integer("ignore_index", -100, -2147483648.0, 2147483647.0, "label value that marks an ignored row")};
  static constexpr GdlComponentSpec kComponents[] = {sdk::Additive("seesaw", "item losses / valid rows")};

  explicit Seesaw(const sdk::Params& params) : numbers_{params.Number("p"), params.Number("q"), params.Number("eps")} {}

  void Plan(const GdlShape& shape, sdk::Plan& plan) const {
    if (shape.small[kPrediction] == 1) {
      throw sdk::Refusal{"prediction", "has 1 class, whose cross-entropy is always 0; allowed: 2 or more"};
    }
    Ratio::Plan(shape, plan);
    plan.raw().pass[plan.raw().pass_count - 1]->scratch_bytes =
        2 * Padded(shape.small[kPrediction]) * int64_t{sizeof(double)};
  }

  template <typename Real>
  double Denominators(const sdk::Tile<Real>& tile) const {
    return In(tile).TotalWeight(tile);
  }

  /// Rows in double, also of floats: the factors' logarithms would round away what tells high logits apart.
  template <typename Real>
  Sums Terms(const sdk::Tile<Real>& tile) const {
    const simd::LabelledItems<Real> in = In(tile);
    const int64_t classes = in.logits.small;
    auto* const z = static_cast<double*>(tile.raw().scratch);
    const double* const log_counts = LogCounts(tile.Input(kCounts), z + Padded(classes));
    Sums sums;
    for (int64_t o = 0; o < tile.outer(); ++o) {
      const bool counts = in.Counts(o, 0);
      double loss = 0, slope = 0;
      if (counts) {
        for (int64_t k = 0; k < classes; ++k) z[k] = *in.logits.Run(o, k);
        loss = in.ItemWeight(o, 0) *
               HWY_DYNAMIC_DISPATCH(RunRow)(z, classes, *in.labels.Run(o), log_counts, numbers_, &slope);
        slope *= in.ItemWeight(o, 0) * in.scale;
      }
      sums.numerator += loss;
      if (in.item_loss != nullptr) in.item_loss[o] = loss;
      for (int64_t k = 0; in.gradient && k < classes; ++k) {
        *in.gradient.Run(o, k) = static_cast<Real>(counts ? slope * z[k] : 0);
      }
    }
    sums.denominator = in.TotalWeight(tile);
    return sums;
  }

 private:
  static constexpr size_t kPrediction = 0, kLabels = 1, kCounts = 2, kWeights = 3;

  static int64_t Padded(int64_t classes) { return (classes + 15) / 16 * 16; }

  template <typename Real>
  simd::LabelledItems<Real> In(const sdk::Tile<Real>& tile) const {
    return {tile, kPrediction, kLabels, kWeights, no_class_weights_};
  }

  /// NULL where no power of them is taken.
  template <typename Real>
  const double* LogCounts(const sdk::View<const Real>& counts, double* room) const {
    if (numbers_[0] == 0) return nullptr;
    for (int64_t k = 0; k < counts.small; ++k) room[k] = std::log(static_cast<double>(*counts.Run(0, k)));
    return room;
  }

  double numbers_[3];  ///< of the kernel
  std::vector<double> no_class_weights_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("seesaw", "Gradeline", "1.0.0", "Apache-2.0", gradeline::Seesaw)
#endif  // HWY_ONCE
