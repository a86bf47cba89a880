// Mean absolute error, root mean squared error, R2 and explained variance, as scikit-learn defines them. Each is
// computed in whole numbers from exact sums and rounded once: scikit-learn's variances lose digits where the mean is
// large, and its differences that are all alike may leave a variance that is not 0.
#include <string>
#include <vector>

#include "server/core/metric/exact_sum.h"
#include "server/core/metric/families.h"
#include "server/core/metric/regression.h"

namespace gradeline {
namespace {

/// n * sum(x^2) - sum(x)^2, which is n^2 times the variance, times 2^4296.
Integer Spread(const ExactSum& squares, const ExactSum& sum, int64_t items) {
  const Integer whole = sum.Multiple();
  return ((items * squares.Multiple()) << ExactSum::kFinest) - whole * whole;
}

double MeanAbsolute(const RegressionSums& sums, int64_t items) {
  return RoundedRatio(sums.magnitudes.Multiple(), items, -ExactSum::kFinest);
}

double RootMeanSquared(const RegressionSums& sums, int64_t items) {
  return RoundedRoot(sums.difference_squares.Multiple(), items, -ExactSum::kFinest);
}

/// 1 - wrong / spread; of a constant target 1 if nothing is wrong, else 0.
double ShareExplained(const Integer& wrong, const Integer& spread) {
  if (spread <= 0) return wrong == 0 ? 1 : 0;
  return RoundedRatio(spread - wrong, spread);
}

double R2(const RegressionSums& sums, int64_t items) {
  const Integer wrong = (items * sums.difference_squares.Multiple()) << ExactSum::kFinest;
  return ShareExplained(wrong, Spread(sums.target_squares, sums.targets, items));
}

double ExplainedVariance(const RegressionSums& sums, int64_t items) {
  return ShareExplained(Spread(sums.difference_squares, sums.differences, items),
                        Spread(sums.target_squares, sums.targets, items));
}

/// Of each output, and the mean of all.
template <double (*of_output)(const RegressionSums&, int64_t), int64_t least_items>
MetricResult Compute(const Counts& counts, const ParamMap&) {
  const auto& regression = static_cast<const Regression&>(counts);
  MetricResult result;
  if (regression.items() < least_items) {
    result.note = least_items == 1 ? "nothing was counted" : "needs two items";
    return result;
  }
  std::vector<double> values;
  for (const RegressionSums& sums : regression.outputs()) {
    values.push_back(of_output(sums, regression.items()));
    result.classes.push_back({static_cast<int32_t>(result.classes.size()), values.back(), regression.items()});
  }
  result.value = RoundedMean(values);
  result.count = regression.items();
  return result;
}

Metric Row(std::string id, std::string title, std::string doc, const std::string& reference, bool maximise,
           MetricResult (*compute)(const Counts&, const ParamMap&)) {
  Metric metric;
  metric.reference = "scikit-learn " + reference;
  metric.id = std::move(id);
  metric.title = std::move(title);
  metric.doc = std::move(doc);
  metric.signals = {"value"};
  metric.maximise = maximise;
  metric.counts = RegressionKind;
  metric.compute = compute;
  return metric;
}

}  // namespace

std::vector<Metric> RegressionMetrics() {
  const std::string outputs = " Several outputs: the mean over them, each listed.";
  return {Row("mean_absolute_error", "Mean absolute error", "Mean distance of prediction and target." + outputs,
              "mean_absolute_error", false, Compute<MeanAbsolute, 1>),
          Row("root_mean_squared_error", "Root mean squared error",
              "Root of the mean squared distance of prediction and target." + outputs, "root_mean_squared_error", false,
              Compute<RootMeanSquared, 1>),
          Row("r2_score", "R2",
              "1 - squared differences / squared distances of targets from their mean. Constant targets: 1 if all "
              "predictions are exact, else 0. Undefined for fewer than two items." +
                  outputs,
              "r2_score", true, Compute<R2, 2>),
          Row("explained_variance", "Explained variance",
              "1 - variance of differences / variance of targets. Constant targets: 1 if the differences are constant, "
              "else 0." +
                  outputs,
              "explained_variance_score", true, Compute<ExplainedVariance, 1>)};
}

}  // namespace gradeline
