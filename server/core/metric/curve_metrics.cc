// ROC AUC, average precision and the area under the precision-recall curve, as scikit-learn defines them. A class for
// which one is not defined is left out of means: scikit-learn raises an error (ROC AUC of one kind of items, several
// classes) or says 0 (average precision without positives). The ROC curve has all of its points: scikit-learn drops
// those on straight lines unless drop_intermediate=False.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/core/metric/curves.h"
#include "server/core/metric/exact_sum.h"
#include "server/core/metric/families.h"
#include "server/core/metric/param_specs.h"
#include "server/core/metric/scores.h"

namespace gradeline {
namespace {

/// What differs between the metrics.
struct CurveKind {
  Area (*area)(const ClassCells&);
  bool needs_negatives;
  Curve (*curve)(const ClassCells&, int32_t);  ///< nullptr: none is given
};
constexpr CurveKind kRoc{RocArea, true, RocCurve};
constexpr CurveKind kAveragePrecision{AveragePrecision, false, nullptr};
constexpr CurveKind kPrecisionRecall{PrecisionRecallArea, false, PrecisionRecallCurve};

bool IsDefined(const CurveKind& kind, const ClassCells& cells) {
  return cells.positives > 0 && (cells.negatives > 0 || !kind.needs_negatives);
}

/// The cells of all classes as those of one.
std::vector<ScoreCell> Pooled(const Scores& scores) {
  std::vector<ScoreCell> pooled;
  for (int64_t k = 0; k < scores.classes(); ++k) {
    pooled.insert(pooled.end(), scores.cells(k).begin(), scores.cells(k).end());
  }
  std::sort(pooled.begin(), pooled.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  size_t last = 0;
  for (size_t i = 1; i < pooled.size(); ++i) {
    if (pooled[last].key != pooled[i].key) {
      pooled[++last] = pooled[i];
    } else {
      pooled[last].positives += pooled[i].positives;
      pooled[last].negatives += pooled[i].negatives;
    }
  }
  pooled.resize(std::min(pooled.size(), last + 1));
  return pooled;
}

/// The mean, weighted by the classes' positives if `weighted`: whole weights, summed exactly and rounded once.
double MeanOf(const std::vector<double>& values, const std::vector<ClassNumber>& classes, bool weighted) {
  ExactSum sum;
  int64_t weights = 0;  // the positives: below 2^53
  for (size_t i = 0; i < values.size(); ++i) {
    const int64_t weight = weighted ? classes[i].count : 1;
    sum.AddProduct(values[i], static_cast<double>(weight));
    weights += weight;
  }
  return RoundedRatio(sum.Multiple(), weights, -ExactSum::kFinest);
}

template <const CurveKind& kind>
MetricResult Compute(const Counts& counts, const ParamMap& params) {
  const auto& scores = static_cast<const Scores&>(counts);
  const std::string& average = WordOf(params, "average");
  const bool coarse = scores.coarse() > 0;
  MetricResult result;
  std::vector<double> values, errors;
  int64_t positives = 0, all = 0;
  for (int64_t k = 0; k < scores.classes(); ++k) {
    const ClassCells cells = WithSums(scores.cells(k), coarse);
    positives += cells.positives;
    all += cells.positives + cells.negatives;
    if (!IsDefined(kind, cells)) continue;
    const Area area = kind.area(cells);
    const auto index = static_cast<int32_t>(k);
    values.push_back(area.value);
    errors.push_back(area.error);
    result.classes.push_back({index, area.value, cells.positives});
    if (kind.curve != nullptr) result.curves.push_back(kind.curve(cells, index));
  }
  const char* missing = kind.needs_negatives ? "no class has positives and negatives" : "there are no positives";
  const std::vector<ScoreCell> pooled = average == "micro" ? Pooled(scores) : std::vector<ScoreCell>();
  const ClassCells together = WithSums(pooled, coarse);
  if (average == "micro" && scores.exclusive()) {
    result.note = "average micro is for binary and multilabel heads";
  } else if (average == "micro" ? !IsDefined(kind, together) : values.empty()) {
    result.note = missing;
  } else if (average == "micro") {
    const Area area = kind.area(together);
    result.value = area.value;
    result.error = area.error;
    result.count = all;
  } else {
    result.value = MeanOf(values, result.classes, average == "weighted");
    result.error = MeanOf(errors, result.classes, average == "weighted");
    result.count = scores.exclusive() ? positives : all;
  }
  if (coarse && result.count > 0) {
    result.note = absl::StrCat("scores are told apart by ", Scores::kKeyBits - scores.coarse(), " of ",
                               Scores::kKeyBits, " bits; more metrics.max_bytes keep more");
  }
  return result;
}

Metric Row(std::string id, std::string title, std::string doc, std::string reference,
           MetricResult (*compute)(const Counts&, const ParamMap&)) {
  Metric metric;
  metric.id = std::move(id);
  metric.title = std::move(title);
  metric.doc = std::move(doc);
  metric.reference = std::move(reference);
  metric.signals = {"multiclass", "binary", "multilabel"};
  metric.params = {ChoiceParam("average",
                               "mean over classes: macro all alike, weighted by their positives, micro of all scores "
                               "together (not of multiclass)",
                               {"macro", "weighted", "micro"})};
  metric.counts = ScoresKind;
  metric.compute = compute;
  return metric;
}

}  // namespace

std::vector<Metric> CurveMetrics() {
  return {
      Row("roc_auc", "ROC AUC",
          "Area under the curve of true over false positive rate: how likely a positive scores above a negative, a "
          "tie half. Each class against the rest; classes without positives or without negatives are left out.",
          "scikit-learn roc_auc_score, multi_class=ovr", Compute<kRoc>),
      Row("average_precision", "Average precision",
          "Sum over thresholds of the gain in recall times the precision there; the mean over labels is the mAP of "
          "tagging. Classes without positives are left out (scikit-learn says 0).",
          "scikit-learn average_precision_score", Compute<kAveragePrecision>),
      Row("precision_recall_curve", "Precision-recall curve",
          "Precision over recall for every threshold; its value is the area under it by trapezoids. Classes without "
          "positives are left out (scikit-learn sets recall to 1).",
          "scikit-learn precision_recall_curve, auc", Compute<kPrecisionRecall>)};
}

}  // namespace gradeline
