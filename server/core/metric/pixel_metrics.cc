// Metrics of segmentation from the counts of all pixels together, not as means over images. Where libraries differ:
// - A class that is only predicted has IoU 0 and counts in the mean (torchmetrics too); detectron2 leaves it out.
// - A class that occurs nowhere is left out of means; some set it to 0 or to 1.
#include "server/core/metric/class_counts.h"
#include "server/core/metric/families.h"

namespace gradeline {
namespace {

constexpr char kNothing[] = "no pixel counts";

const ClassCounts& Of(const Counts& counts) { return static_cast<const ClassCounts&>(counts); }

double Quotient(int64_t part, int64_t whole) { return static_cast<double>(part) / static_cast<double>(whole); }

double IouOf(const ClassCount& one) { return Quotient(one.tp, one.tp + one.fp + one.fn); }
double DiceOf(const ClassCount& one) { return Quotient(2 * one.tp, 2 * one.tp + one.fp + one.fn); }
double RecallOf(const ClassCount& one) { return Quotient(one.tp, one.support()); }
bool Occurs(const ClassCount& one) { return one.occurs(); }
bool IsWanted(const ClassCount& one) { return one.support() > 0; }

/// The mean of `value` over the classes of which `counts_in` holds.
MetricResult Mean(const std::vector<ClassCount>& classes, int64_t items, double (*value)(const ClassCount&),
                  bool (*counts_in)(const ClassCount&)) {
  MetricResult result{.count = items};
  for (size_t c = 0; c < classes.size(); ++c) {
    if (!counts_in(classes[c])) continue;
    result.classes.push_back({static_cast<int32_t>(c), value(classes[c]), classes[c].support()});
    result.value += result.classes.back().value;
  }
  if (items == 0) return {.note = kNothing};
  if (result.classes.empty()) return {.note = "no class occurs in target or prediction"};
  result.value /= static_cast<double>(result.classes.size());
  return result;
}

MetricResult MeanIou(const Counts& counts, const ParamMap&) {
  return Mean(Of(counts).Classes(), Of(counts).counted(), IouOf, Occurs);
}

MetricResult Dice(const Counts& counts, const ParamMap&) {
  return Mean(Of(counts).Classes(), Of(counts).counted(), DiceOf, Occurs);
}

MetricResult MeanAccuracy(const Counts& counts, const ParamMap&) {
  return Mean(ClassesOfPairs(Of(counts).Pairs()), Of(counts).counted(), RecallOf, IsWanted);
}

MetricResult FrequencyWeightedIou(const Counts& counts, const ParamMap&) {
  MetricResult result = Mean(ClassesOfPairs(Of(counts).Pairs()), Of(counts).counted(), IouOf, Occurs);
  if (result.count == 0) return result;
  result.value = 0;
  for (const ClassNumber& one : result.classes) result.value += Quotient(one.count, result.count) * one.value;
  return result;
}

Metric Row(std::string id, std::string title, std::string doc, std::string reference, std::vector<std::string> signals,
           MetricResult (*compute)(const Counts&, const ParamMap&)) {
  Metric row;
  row.id = std::move(id);
  row.title = std::move(title);
  row.doc = std::move(doc);
  row.reference = std::move(reference);
  row.signals = std::move(signals);
  row.counts = ClassCountsKind;
  row.compute = compute;
  return row;
}

}  // namespace

std::vector<Metric> PixelMetrics() {
  return {
      Row("mean_iou", "Mean IoU",
          "Intersection over union tp / (tp + fp + fn) by class, and the mean over classes that occur in target or "
          "prediction. Of pixel-binary the positive class alone; of pixel-multilabel every label.",
          "torchmetrics JaccardIndex", {"pixel-multiclass", "pixel-binary", "pixel-multilabel"}, MeanIou),
      Row("frequency_weighted_iou", "Frequency-weighted IoU",
          "Intersection over union of the classes, weighted by their shares of the target. Of pixel-binary both "
          "classes.",
          "detectron2 SemSegEvaluator fwIoU", {"pixel-multiclass", "pixel-binary"}, FrequencyWeightedIou),
      Row("dice_score", "Dice score",
          "2 tp / (2 tp + fp + fn) by class, and the mean over classes that occur in target or prediction: of all "
          "pixels together, not by image. Of pixel-binary the positive class alone.",
          "torchmetrics F1Score", {"pixel-multiclass", "pixel-binary", "pixel-multilabel"}, Dice),
      Row("mean_accuracy", "Mean accuracy",
          "Mean recall of the classes that occur in the target, of rows the balanced accuracy. Of binary signals both "
          "classes.",
          "scikit-learn balanced_accuracy_score", {"multiclass", "pixel-multiclass", "binary", "pixel-binary"},
          MeanAccuracy)};
}

}  // namespace gradeline
