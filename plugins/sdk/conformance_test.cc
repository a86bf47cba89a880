// The suite itself: a loss in order passes every check, and each check catches the flaw that it is for.
#include "plugins/sdk/conformance.h"

#include <gmock/gmock.h>

#include <atomic>
#include <cmath>
#include <thread>

#include "plugins/sdk/loss.h"

namespace gradeline::conformance {
namespace {

enum class Flaw {
  kNone,
  kSlope,             // gradient too large
  kTileDependent,     // the first item of a tile counts more
  kIgnoresStride,     // takes outers to lie close together
  kEmptyDenominator,  // a denominator is never 0
  kLocalItem,         // names bad items by their place in the tile
  kDividesByParam,    // infinite at the parameter's lower bound
  kRemembers,         // depends on what ran before
  kThreadDependent,   // depends on who runs it
  kPlainDenominator,  // the weight leaves the denominator
  kIgnoredGradient,   // an ignored item has a gradient
  kLazy,              // numerators only together with gradients
  kSloppyFloat,       // another formula in float
  kWritesInput,
  kOverrunsScratch,
  kLateDenominator,  // denominators change after the gradient
  kBatchDependent,   // more in larger batches
};

/// weight * |factor| * (prediction - target)^2 / factor of labels 0 and 1, in two passes, with one flaw.
template <Flaw flaw>
class Squares {
 public:
  static constexpr const char* kId = "squares";
  static constexpr const char* kDoc = "squares with a flaw";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"value"};
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction("N *", nullptr, "values"),
                                               sdk::LabelTarget("N *", nullptr, "ignore_index", "labels"),
                                               sdk::Weight("N *")};
  static constexpr GdlParamSpec kParams[] = {sdk::Integer("ignore_index", -100, -1000, 1000, "ignored"),
                                             sdk::Number("factor", 1, 0, 10, "a factor")};
  static constexpr GdlComponentSpec kComponents[] = {sdk::Additive("squares", "squares / weights")};

  explicit Squares(const sdk::Params& params) : factor_(params.Number("factor")) {}

  void Plan(const GdlShape& shape, sdk::Plan& plan) const {
    const uint64_t weight = shape.small[2] < 0 ? 0 : 4;
    plan.AddPass(GDL_GRADIENT_ONLY | GDL_DENOMINATOR_ONLY, 2 | weight, 1);
    plan.AddPass(GDL_WRITES_GRADIENT, 3 | weight, 2).scratch_bytes = 64;
  }

  template <typename Real>
  void Compute(const sdk::Tile<Real>& tile) const {
    const auto labels = tile.Labels(1);
    const auto weights = tile.Input(2);
    for (int64_t o = 0; o < tile.outer(); ++o) {
      for (int64_t i = 0; i < tile.inner(); ++i) {
        const double weight = weights ? static_cast<double>(weights.Run(o)[i]) : 1;
        if (!std::isfinite(weight)) return Report(tile, 2, o, i);
        if (tile.raw().pass == 1) {
          if (!Item(tile, o, i, weight)) return Report(tile, 0, o, i);
        } else if (labels.Run(o)[i] >= 0) {
          tile.raw().sums[0] += flaw == Flaw::kPlainDenominator ? 1 : weight;
        }
      }
    }
  }

  void Fold(const GdlFold& fold) const {
    fold.denominator[0] = fold.sums[fold.pass];
    if (flaw == Flaw::kEmptyDenominator) fold.denominator[0] += 1e-9;
    if (flaw == Flaw::kLateDenominator && fold.pass == 1) fold.denominator[0] *= 1 + 1e-9;
    if (fold.pass == 1) fold.numerator[0] = fold.sums[0];
  }

 private:
  template <typename Real>
  static void Report(const sdk::Tile<Real>& tile, uint32_t tensor, int64_t o, int64_t i) {
    GdlFault& fault = *tile.raw().fault;
    fault.kind = GDL_FAULT_NONFINITE;
    fault.tensor = tensor;
    fault.item = (flaw == Flaw::kLocalItem ? 0 : tile.raw().first_item) + o * tile.inner() + i;
  }

  template <typename Real>
  bool Item(const sdk::Tile<Real>& tile, int64_t o, int64_t i, double weight) const {
    static std::atomic<int> calls{0};
    auto prediction = tile.Input(0);
    if (flaw == Flaw::kIgnoresStride) prediction.outer_stride = tile.inner();
    const auto gradient = tile.Gradient(0);
    const int32_t label = tile.Labels(1).Run(o)[i];
    double difference = prediction.Run(o)[i] - static_cast<double>(label);
    if (!std::isfinite(difference)) return false;
    if (flaw == Flaw::kSloppyFloat && sizeof(Real) == 4) difference *= 1.001;
    double loss = label < 0 ? 0 : weight * factor_ * difference * difference;
    double slope = label < 0 && flaw != Flaw::kIgnoredGradient ? 0 : 2 * weight * factor_ * difference;
    if (flaw == Flaw::kSlope) slope *= 1.0001;
    if (flaw == Flaw::kTileDependent && o + i == 0) loss *= 1.0001;
    if (flaw == Flaw::kDividesByParam) loss = loss / factor_ / factor_;
    if (flaw == Flaw::kRemembers) loss += label < 0 ? 0 : 1e-9 * ++calls;
    if (flaw == Flaw::kThreadDependent) {
      static std::atomic<int> threads{0};
      thread_local const int number = ++threads;
      loss += label < 0 ? 0 : 1e-9 * number;
    }
    if (flaw == Flaw::kBatchDependent) loss *= static_cast<double>(tile.raw().shape->outer);
    if (flaw == Flaw::kLazy && !gradient) loss = 0;
    if (flaw == Flaw::kWritesInput) const_cast<Real*>(prediction.Run(o))[i] = 0;
    if (flaw == Flaw::kOverrunsScratch) static_cast<char*>(tile.raw().scratch)[64] = 0;
    tile.raw().sums[0] += loss;
    tile.raw().item_loss[o * tile.inner() + i] = loss;
    if (label >= 0) tile.raw().sums[1] += flaw == Flaw::kPlainDenominator ? 1 : weight;
    if (gradient) gradient.Run(o)[i] = static_cast<Real>(tile.raw().scale[0] * slope);
    return true;
  }

  double factor_;
};

/// Names of the checks that find something.
template <Flaw flaw>
std::vector<std::string> Catches() {
  const std::vector<Case> cases = {{"grid", {{"N", 4}, {"*", 11}}, {}}};
  std::vector<std::string> names;
  for (const Check& check : Checks()) {
    if (!RunCheck(sdk::Entry<Squares<flaw>>::kTable, check, cases).empty()) names.push_back(check.name);
  }
  return names;
}

using ::testing::Contains;
using ::testing::IsEmpty;

TEST(ConformanceSuite, PassesALossInOrder) { EXPECT_THAT(Catches<Flaw::kNone>(), IsEmpty()); }

TEST(ConformanceSuite, EachCheckCatchesItsFlaw) {
  EXPECT_THAT(Catches<Flaw::kSlope>(), Contains("GradientIsTheDerivative"));
  EXPECT_THAT(Catches<Flaw::kTileDependent>(), Contains("OneItemTilesEqualOneTile"));
  EXPECT_THAT(Catches<Flaw::kIgnoresStride>(), Contains("AnyOffsetAndStride"));
  EXPECT_THAT(Catches<Flaw::kEmptyDenominator>(), Contains("EmptyAndOneItem"));
  EXPECT_THAT(Catches<Flaw::kLocalItem>(), Contains("BadInputIsNamed"));
  EXPECT_THAT(Catches<Flaw::kDividesByParam>(), Contains("ParamsAtBounds"));
  EXPECT_THAT(Catches<Flaw::kRemembers>(), Contains("Repeatable"));
  EXPECT_THAT(Catches<Flaw::kThreadDependent>(), Contains("SameBitsOnAnyThreads"));
  EXPECT_THAT(Catches<Flaw::kPlainDenominator>(), Contains("WeightScales"));
  EXPECT_THAT(Catches<Flaw::kIgnoredGradient>(), Contains("IgnoredItemsAddNothing"));
  EXPECT_THAT(Catches<Flaw::kLazy>(), Contains("SkippedPassesChangeNothing"));
  EXPECT_THAT(Catches<Flaw::kSloppyFloat>(), Contains("FloatFollowsDouble"));
  EXPECT_THAT(Catches<Flaw::kBatchDependent>(), Contains("PartsMerge"));
}

TEST(ConformanceSuite, StrayWritesAndLateDenominatorsAreCaughtByAnyRun) {
  EXPECT_THAT(Catches<Flaw::kWritesInput>(), Contains("Repeatable"));
  EXPECT_THAT(Catches<Flaw::kOverrunsScratch>(), Contains("Repeatable"));
  EXPECT_THAT(Catches<Flaw::kLateDenominator>(), Contains("Repeatable"));
}

}  // namespace
}  // namespace gradeline::conformance
