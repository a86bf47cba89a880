// Metrics of which class was taken for which. Where libraries differ:
// - A class that occurs neither in the target nor in the prediction is left out of means. scikit-learn and torchmetrics
//   do so for classes, but count such a label of a multilabel problem with zero_division.
// - Cohen's weights are distances between numbers of classes, as in torchmetrics; scikit-learn numbers anew the classes
//   that occur.
// - Without any support a weighted mean is the plain one, as in scikit-learn.
// - Kappa of one class alone is not defined (scikit-learn: NaN); Matthews' correlation neither (scikit-learn: 0).
#include <cmath>

#include "server/core/metric/class_counts.h"
#include "server/core/metric/families.h"
#include "server/core/metric/param_specs.h"

namespace gradeline {
namespace {

__extension__ using Wide = __int128;

constexpr char kNothing[] = "no item counts";

const ClassCounts& Of(const Counts& counts) { return static_cast<const ClassCounts&>(counts); }

/// The parts of a quotient.
struct Share {
  double part = 0, whole = 0;
};

Share PrecisionOf(const ClassCount& one, const ParamMap&) {
  return {static_cast<double>(one.tp), static_cast<double>(one.tp + one.fp)};
}

Share RecallOf(const ClassCount& one, const ParamMap&) {
  return {static_cast<double>(one.tp), static_cast<double>(one.tp + one.fn)};
}

Share FScoreOf(const ClassCount& one, const ParamMap& params) {
  const double square = NumberOf(params, "beta") * NumberOf(params, "beta");
  const double part = (1 + square) * static_cast<double>(one.tp);
  return {part, part + square * static_cast<double>(one.fn) + static_cast<double>(one.fp)};
}

template <Share (*share)(const ClassCount&, const ParamMap&)>
MetricResult Averaged(const Counts& counts, const ParamMap& params) {
  const ClassCounts& counted = Of(counts);
  if (counted.counted() == 0) return {.note = kNothing};
  const double zero = NumberOf(params, "zero_division");
  const auto value = [&](const ClassCount& one) {
    const Share of = share(one, params);
    return of.whole > 0 ? of.part / of.whole : zero;
  };
  const std::string& average = WordOf(params, "average");
  MetricResult result{.value = zero, .count = counted.counted()};
  ClassCount sum;
  double values = 0, weighted = 0, weights = 0;
  const std::vector<ClassCount> classes = counted.Classes();
  for (size_t c = 0; c < classes.size(); ++c) {
    const ClassCount& one = classes[c];
    if (!one.occurs()) continue;
    const auto weight = static_cast<double>(one.support());
    result.classes.push_back({static_cast<int32_t>(c), value(one), one.support()});
    values += value(one);
    weighted += weight * value(one);
    weights += weight;
    sum.tp += one.tp;
    sum.fp += one.fp;
    sum.fn += one.fn;
  }
  if (!sum.occurs()) {
    result.note = "no class occurs in target or prediction: zero_division";
  } else if (average == "micro") {
    result.value = value(sum);
  } else if (average == "weighted" && weights > 0) {
    result.value = weighted / weights;
  } else {
    result.value = values / static_cast<double>(result.classes.size());
  }
  return result;
}

MetricResult MatrixOf(const Counts& counts, const ParamMap& params) {
  const ClassCounts& counted = Of(counts);
  if (counted.counted() == 0) return {.note = kNothing};
  const ClassPairs all = counted.Pairs();
  const std::string& normalize = WordOf(params, "normalize");
  const auto size = static_cast<size_t>(all.classes);
  std::vector<int64_t> rows(size), columns(size);
  int64_t right = 0;
  for (const PairCount& pair : all.pairs) {
    rows[static_cast<size_t>(pair.wanted)] += pair.count;
    columns[static_cast<size_t>(pair.predicted)] += pair.count;
    right += pair.wanted == pair.predicted ? pair.count : 0;
  }
  MetricResult result{.value = static_cast<double>(right) / static_cast<double>(counted.counted()),
                      .count = counted.counted()};
  result.matrix.rows = result.matrix.columns = static_cast<int32_t>(all.classes);
  result.matrix.cells.resize(size * size);
  for (const PairCount& pair : all.pairs) {
    const auto row = static_cast<size_t>(pair.wanted), column = static_cast<size_t>(pair.predicted);
    const int64_t whole = normalize == "true"   ? rows[row]
                          : normalize == "pred" ? columns[column]
                          : normalize == "all"  ? counted.counted()
                                                : 1;
    result.matrix.cells[row * size + column] = static_cast<double>(pair.count) / static_cast<double>(whole);
  }
  return result;
}

/// Items by class, right and predicted.
struct Margins {
  std::vector<int64_t> wanted, predicted;
};

Margins MarginsOf(const std::vector<ClassCount>& classes) {
  Margins margins;
  for (const ClassCount& one : classes) {
    margins.wanted.push_back(one.tp + one.fn);
    margins.predicted.push_back(one.tp + one.fp);
  }
  return margins;
}

/// 1 - observed disagreement / disagreement by chance. All sums below 2^127 are whole numbers; the outer one of the
/// chance is rounded 64 bits long.
MetricResult Kappa(const Counts& counts, const ParamMap& params) {
  const ClassCounts& counted = Of(counts);
  if (counted.counted() == 0) return {.note = kNothing};
  const std::string& weights = WordOf(params, "weights");
  const auto weight = [&](int64_t a, int64_t b) -> int64_t {
    if (weights == "none") return a != b ? 1 : 0;
    return weights == "linear" ? std::abs(a - b) : (a - b) * (a - b);
  };
  const ClassPairs all = counted.Pairs();
  const Margins margins = MarginsOf(ClassesOfPairs(all));
  Wide observed = 0;
  for (const PairCount& pair : all.pairs) observed += Wide{weight(pair.wanted, pair.predicted)} * pair.count;
  long double chance = 0;
  for (int64_t a = 0; a < all.classes; ++a) {
    const int64_t wanted = margins.wanted[static_cast<size_t>(a)];
    if (wanted == 0) continue;
    Wide row = 0;
    for (int64_t b = 0; b < all.classes; ++b) row += Wide{weight(a, b)} * margins.predicted[static_cast<size_t>(b)];
    chance += static_cast<long double>(wanted) * static_cast<long double>(row);
  }
  if (chance == 0) return {.note = "target and prediction are of one class alone"};
  const long double disagreement = static_cast<long double>(observed) * static_cast<long double>(counted.counted());
  return {.value = static_cast<double>(1 - disagreement / chance), .count = counted.counted()};
}

/// Gorodkin's correlation R_K, of two classes Matthews'.
MetricResult Matthews(const Counts& counts, const ParamMap&) {
  const ClassCounts& counted = Of(counts);
  if (counted.counted() == 0) return {.note = kNothing};
  const std::vector<ClassCount> classes = ClassesOfPairs(counted.Pairs());
  const Margins margins = MarginsOf(classes);
  const Wide items = counted.counted();
  Wide right = 0, both = 0, wanted = 0, predicted = 0;
  for (size_t c = 0; c < classes.size(); ++c) {
    right += classes[c].tp;
    both += Wide{margins.wanted[c]} * margins.predicted[c];
    wanted += Wide{margins.wanted[c]} * margins.wanted[c];
    predicted += Wide{margins.predicted[c]} * margins.predicted[c];
  }
  const Wide spread_wanted = items * items - wanted, spread_predicted = items * items - predicted;
  if (spread_wanted == 0 || spread_predicted == 0) {
    return {.note = spread_wanted == 0 ? "the target is of one class alone" : "the prediction is of one class alone"};
  }
  const auto real = [](Wide whole) { return static_cast<long double>(whole); };
  const long double spread = std::sqrt(real(spread_wanted)) * std::sqrt(real(spread_predicted));
  return {.value = static_cast<double>(real(right * items - both) / spread), .count = counted.counted()};
}

const std::vector<std::string> kLabelSignals = {"multiclass",   "pixel-multiclass", "binary",
                                                "pixel-binary", "multilabel",       "pixel-multilabel"};
const std::vector<std::string> kMatrixSignals = {"multiclass", "pixel-multiclass", "binary", "pixel-binary"};

std::vector<ParamSpec> AverageParams() {
  return {ChoiceParam("average", "mean over classes, over items, or over classes weighted by their support",
                      {"macro", "micro", "weighted"}),
          IntegerParam("zero_division", "value of 0 / 0", 0, 0, 1)};
}

Metric Row(std::string id, std::string title, std::string doc, std::string reference) {
  Metric row;
  row.id = std::move(id);
  row.title = std::move(title);
  row.doc = std::move(doc);
  row.reference = std::move(reference);
  row.counts = ClassCountsKind;
  return row;
}

constexpr char kOccurs[] =
    " Mean over the classes that occur in target or prediction; of binary signals the positive class alone.";

}  // namespace

std::vector<Metric> ClassMetrics() {
  Metric precision = Row("precision", "Precision",
                         std::string("Share of what was predicted as a class that is of it: tp / (tp + fp).") + kOccurs,
                         "scikit-learn precision_score; absent labels left out");
  precision.signals = kLabelSignals;
  precision.params = AverageParams();
  precision.compute = Averaged<PrecisionOf>;

  Metric recall = Row("recall", "Recall",
                      std::string("Share of what is of a class that was predicted as it: tp / (tp + fn).") + kOccurs,
                      "scikit-learn recall_score; absent labels left out");
  recall.signals = kLabelSignals;
  recall.params = AverageParams();
  recall.compute = Averaged<RecallOf>;

  Metric f_score =
      Row("f_score", "F-score",
          std::string("(1 + beta^2) tp / ((1 + beta^2) tp + beta^2 fn + fp), of beta 1 the harmonic mean of precision "
                      "and recall.") +
              kOccurs,
          "scikit-learn fbeta_score; absent labels left out");
  f_score.signals = kLabelSignals;
  f_score.params = AverageParams();
  f_score.params.insert(f_score.params.begin(),
                        NumberParam("beta", "how many times as much recall counts as precision", 1, 0, 1000));
  f_score.compute = Averaged<FScoreOf>;

  Metric matrix = Row("confusion_matrix", "Confusion matrix",
                      "How often which class (row: the right one) was taken for which (column). The headline is the "
                      "share on the diagonal. A row or column without items is 0 where it is normalised.",
                      "scikit-learn confusion_matrix");
  matrix.signals = kMatrixSignals;
  matrix.params = {ChoiceParam("normalize", "by what cells are divided: nothing, row, column, all",
                               {"none", "true", "pred", "all"})};
  matrix.compute = MatrixOf;

  Metric kappa = Row("cohen_kappa", "Cohen's kappa",
                     "Agreement of target and prediction beyond chance. Weighted, a mistake counts by the distance "
                     "between the numbers of the two classes.",
                     "scikit-learn cohen_kappa_score with labels 0 to C - 1");
  kappa.signals = kMatrixSignals;
  kappa.params = {
      ChoiceParam("weights", "what a mistake counts: 1, the distance, its square", {"none", "linear", "quadratic"})};
  kappa.compute = Kappa;

  Metric matthews = Row("matthews_correlation", "Matthews correlation",
                        "Correlation of target and prediction, of several classes Gorodkin's R_K.",
                        "scikit-learn matthews_corrcoef; not defined where that gives 0 for 0 / 0");
  matthews.signals = kMatrixSignals;
  matthews.compute = Matthews;
  return {precision, recall, f_score, matrix, kappa, matthews};
}

}  // namespace gradeline
