// For this room's tests: small losses that use what the built-in ones do not: aggregates, carry, batch scratch, jobs,
// whole outers, several components, a tensor given whole, complaints of the loss's own. Each has a plain formula to
// compare with.
#ifndef GRADELINE_SERVER_CORE_ENGINE_TEST_LOSSES_H_
#define GRADELINE_SERVER_CORE_ENGINE_TEST_LOSSES_H_

#include <atomic>
#include <cmath>
#include <cstdint>
#include <functional>

#include "plugins/sdk/loss.h"

namespace gradeline::test_losses {

/// loss = 1 - 2 I / (P + T), I = sum of p t, P = sum of p, T = sum of t over valid elements; merge SUMS.
class Dice {
 public:
  static constexpr const char* kId = "test_dice";
  static constexpr const char* kDoc = "Soft Dice of one class.";
  static constexpr uint32_t kVersion = 1, kFlags = 0, kMerge = GDL_MERGE_SUMS;
  static constexpr const char* kSignals[] = {"pixel-binary"};
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction("N *", "probability", "p"),
                                               sdk::LabelTarget("N *", nullptr, "ignore_index", "t")};
  static constexpr GdlParamSpec kParams[] = {sdk::Integer("ignore_index", 255, -1000, 1000, "ignored")};
  static constexpr GdlComponentSpec kComponents[] = {sdk::Aggregate("dice", "1 - overlap")};

  explicit Dice(const sdk::Params&) {}
  void Plan(const GdlShape&, sdk::Plan& plan) const {
    plan.AddPass(0, 3, 3);
    plan.AddPass(GDL_GRADIENT_ONLY | GDL_WRITES_GRADIENT, 3, 0);
    plan.raw().carry_bytes = 2 * sizeof(double);
  }
  template <typename Real>
  void Compute(const sdk::Tile<Real>& tile) const {
    const auto p = tile.Input(0);
    const auto t = tile.Labels(1);
    const auto gradient = tile.Gradient(0);
    const auto* carry = static_cast<const double*>(tile.raw().carry);
    for (int64_t o = 0; o < tile.outer(); ++o) {
      for (int64_t i = 0; i < tile.inner(); ++i) {
        const int32_t label = t.Run(o)[i];
        if (tile.raw().pass == 1) {
          const double slope = label < 0 ? 0 : (2 * carry[0] - 2 * label * carry[1]) / (carry[1] * carry[1]);
          gradient.Run(o)[i] = static_cast<Real>(tile.raw().scale[0] * slope);
        } else if (label >= 0) {
          tile.raw().sums[0] += label * static_cast<double>(p.Run(o)[i]);
          tile.raw().sums[1] += p.Run(o)[i];
          tile.raw().sums[2] += label;
        }
      }
    }
  }
  void Fold(const GdlFold& fold) const {
    auto* carry = static_cast<double*>(fold.carry);
    if (fold.pass == 0) {
      carry[0] = fold.sums[0];
      carry[1] = fold.sums[1] + fold.sums[2];
    }
    fold.numerator[0] = carry[1] > 0 ? 1 - 2 * carry[0] / carry[1] : 0;
    fold.denominator[0] = 1;
  }
};

/// loss of item i = sum of the predictions of its outer up to i; so d loss / d x_i = how many follow, itself included.
/// Pass 0 copies the items to batch scratch, pass 1 (one job per outer) makes prefix sums, pass 2 (whole outers) reads
/// them.
class Prefix {
 public:
  static constexpr const char* kId = "test_prefix";
  static constexpr const char* kDoc = "Prefix sums within each outer.";
  static constexpr uint32_t kVersion = 1, kFlags = 0, kMerge = GDL_MERGE_NONE;
  static constexpr const char* kSignals[] = {"value"};
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction("N *", nullptr, "x")};
  static constexpr GdlComponentSpec kComponents[] = {sdk::Additive("prefix", "prefix sums / items")};

  explicit Prefix(const sdk::Params&) {}
  void Plan(const GdlShape& shape, sdk::Plan& plan) const {
    plan.AddPass(0, 1, 0);
    plan.AddPass(0, 0, 0).jobs = shape.outer;
    plan.AddPass(GDL_WRITES_GRADIENT | GDL_WHOLE_OUTER, 1, 2).scratch_bytes = 128;
    plan.raw().batch_bytes = shape.outer * shape.inner * static_cast<int64_t>(sizeof(double));
    plan.raw().items_are_denominator = 1;
  }
  template <typename Real>
  void Compute(const sdk::Tile<Real>& tile) const {
    const GdlTile& raw = tile.raw();
    auto* batch = static_cast<double*>(raw.batch);
    const int64_t inner = raw.shape->inner;
    if (raw.pass == 1) {
      for (int64_t o = raw.job_begin; o < raw.job_end; ++o) {
        for (int64_t i = 1; i < inner; ++i) batch[o * inner + i] += batch[o * inner + i - 1];
      }
      return;
    }
    const auto x = tile.Input(0);
    const auto gradient = tile.Gradient(0);
    if (raw.pass == 2 && tile.inner() != inner)
      raw.fault->kind = GDL_FAULT_VALUE, raw.fault->what = "not a whole outer";
    for (int64_t o = 0; o < tile.outer(); ++o) {
      for (int64_t i = 0; i < tile.inner(); ++i) {
        const int64_t item = raw.first_item + o * tile.inner() + i;
        if (raw.pass == 0) {
          batch[item] = x.Run(o)[i];
        } else {
          raw.sums[0] += batch[item];
          raw.sums[1] += 1;
          if (gradient) gradient.Run(o)[i] = static_cast<Real>(raw.scale[0] * static_cast<double>(inner - i));
        }
      }
    }
  }
  void Fold(const GdlFold& fold) const {
    if (fold.pass != 2) return;
    fold.numerator[0] = fold.sums[0];
    fold.denominator[0] = fold.sums[1];
  }
};

/// Two components: sum of w_c x (additive, weight `share`), and the largest |x| (aggregate); w is given whole. Checks
/// its inputs itself: not finite, or 13, which it does not like.
class Two {
 public:
  static constexpr const char* kId = "test_two";
  static constexpr const char* kDoc = "Weighted sum of classes, and the largest.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_CHECKS_FINITE, kMerge = GDL_MERGE_NONE;
  static constexpr const char* kSignals[] = {"multiclass"};
  static constexpr GdlTensorSpec kTensors[] = {
      sdk::Prediction("N c", nullptr, "x"),
      {sizeof(GdlTensorSpec), GDL_REAL, 0, 0, "factors", "w", "c", nullptr, nullptr, nullptr, 0, 10}};
  static constexpr GdlParamSpec kParams[] = {sdk::Number("share", 1, 0, 10, "weight of the sum")};
  static constexpr GdlComponentSpec kComponents[] = {
      {sizeof(GdlComponentSpec), GDL_ADDITIVE, "sum", "weighted sum / items", "share"},
      sdk::Aggregate("largest", "largest |x|")};

  explicit Two(const sdk::Params&) {}
  void Plan(const GdlShape&, sdk::Plan& plan) const {
    plan.AddPass(GDL_WRITES_GRADIENT, 3, 2);
    plan.raw().items_are_denominator = 1;
  }
  template <typename Real>
  void Compute(const sdk::Tile<Real>& tile) const {
    const GdlTile& raw = tile.raw();
    const auto x = tile.Input(0);
    const auto w = tile.Input(1);
    const auto gradient = tile.Gradient(0);
    for (int64_t o = 0; o < tile.outer(); ++o) {
      for (int64_t k = 0; k < x.small; ++k) {
        const double value = x.Run(o, k)[0];
        if (raw.fault->kind == 0 && (!std::isfinite(value) || value == 13)) {
          raw.fault->kind = value == 13 ? GDL_FAULT_VALUE : GDL_FAULT_NONFINITE;
          raw.fault->item = raw.first_item + o;
          raw.fault->what = value == 13 ? "13 is not liked" : "not finite";
        }
        raw.sums[0] += w.Run(0, k)[0] * value;
        raw.sums[1] += std::fabs(value);
        if (gradient)
          gradient.Run(o, k)[0] =
              static_cast<Real>(raw.scale[0] * w.Run(0, k)[0] + raw.scale[1] * (value < 0 ? -1 : 1));
      }
    }
  }
  void Fold(const GdlFold& fold) const {
    fold.numerator[0] = fold.sums[0];
    fold.numerator[1] = fold.sums[1];
    fold.denominator[0] = static_cast<double>(fold.shape->outer * fold.shape->inner);
    fold.denominator[1] = 1;
  }
};

/// Copies nothing, computes nothing: calls what the test hangs in, once per tile. loss 0.
class Probe {
 public:
  static constexpr const char* kId = "test_probe";
  static constexpr const char* kDoc = "Calls the test.";
  static constexpr uint32_t kVersion = 1, kFlags = 0, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"value"};
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction("N c *", nullptr, "x"), sdk::Weight("N *")};
  static constexpr GdlComponentSpec kComponents[] = {sdk::Additive("probe", "0")};

  static inline std::function<void(const GdlTile&)> on_tile;
  static inline std::function<void(const GdlShape&, sdk::Plan&)> on_plan;
  static inline std::atomic<int> plans = 0;

  explicit Probe(const sdk::Params&) {}
  void Plan(const GdlShape& shape, sdk::Plan& plan) const {
    ++plans;
    if (on_plan) return on_plan(shape, plan);
    plan.AddPass(GDL_WRITES_GRADIENT, shape.small[1] < 0 ? 1 : 3, 1);
  }
  template <typename Real>
  void Compute(const sdk::Tile<Real>& tile) const {
    if (on_tile) on_tile(tile.raw());
    tile.raw().sums[0] += static_cast<double>(tile.outer() * tile.inner());
  }
  void Fold(const GdlFold& fold) const { fold.denominator[0] = fold.sums[0]; }
};

inline const GdlPlugin& Plugin() {
  static const GdlPlugin kPlugin{sizeof(GdlPlugin),
                                 0,
                                 "test",
                                 "Gradeline",
                                 "1.0.0",
                                 "Apache-2.0",
                                 sdk::kLossList<Dice, Prefix, Two, Probe>.data()};
  return kPlugin;
}

}  // namespace gradeline::test_losses

#endif  // GRADELINE_SERVER_CORE_ENGINE_TEST_LOSSES_H_
