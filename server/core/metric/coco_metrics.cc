// Average precision of detections and instances as COCO defines it.
#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/core/metric/average_precision.h"
#include "server/core/metric/detection_counts.h"
#include "server/core/metric/families.h"
#include "server/core/metric/object_metrics.h"
#include "server/core/metric/param_specs.h"

namespace gradeline {
namespace {

constexpr size_t kRecalls = 101;  // at which precision is read: 0, .01 ... 1
constexpr std::array<double, kRecalls> kRecallPoints = [] {
  std::array<double, kRecalls> points{};
  for (size_t r = 0; r < kRecalls; ++r) points[r] = static_cast<double>(r) * .01;  // as numpy's linspace
  points.back() = 1;
  return points;
}();
constexpr const char* kAreaNames[kAreas] = {"all", "small", "medium", "large"};
constexpr std::array<int64_t, 2> kFewDetections = {1, 10};  // for ar1, ar10

std::vector<std::string> IouChoices() {
  std::vector<std::string> choices{"0.50:0.95"};
  for (size_t t = 0; t < kThresholds; ++t) choices.push_back(absl::StrCat("0.", 50 + 5 * t));
  return choices;
}

/// Of one class; for an area range without a target of it everything is 0 and does not count.
struct ClassFigures {
  int32_t class_id = 0;
  TargetCounts targets{};
  double precision[kAreas][kThresholds] = {};                  // averaged over the recalls
  double recall[kAreas][kThresholds] = {};                     // of all detections
  double few_recall[kFewDetections.size()][kThresholds] = {};  // of the first ones of each image
};

/// How many targets must be found until each recall is reached.
std::array<size_t, kRecalls> HitsFor(int64_t targets) {
  std::array<size_t, kRecalls> hits{};
  for (size_t r = 0; r < kRecalls; ++r) {
    auto k = std::max<int64_t>(0, static_cast<int64_t>(kRecallPoints[r] * static_cast<double>(targets)) - 1);
    // The quotient is rounded as numpy's, so it is compared, not the whole numbers.
    while (static_cast<double>(k) / static_cast<double>(targets) < kRecallPoints[r]) ++k;
    hits[r] = static_cast<size_t>(k);
  }
  return hits;
}

ClassFigures FiguresOf(const ClassDetections& own, std::vector<double>& precisions) {
  ClassFigures figures{own.class_id, own.targets};
  for (size_t a = 0; a < kAreas; ++a) {
    if (own.targets[a] == 0) continue;
    const auto targets = static_cast<double>(own.targets[a]);
    const std::array<size_t, kRecalls> hits = HitsFor(own.targets[a]);
    for (size_t t = 0; t < kThresholds; ++t) {
      PrecisionsOfHits(own.detections, a * kThresholds + t, std::numeric_limits<double>::epsilon(), precisions);
      double sum = 0;
      for (size_t r = 0; r < kRecalls && hits[r] <= precisions.size() && !precisions.empty(); ++r) {
        sum += precisions[std::max<size_t>(hits[r], 1) - 1];
      }
      figures.precision[a][t] = sum / kRecalls;
      figures.recall[a][t] = static_cast<double>(precisions.size()) / targets;
    }
  }
  for (const ScoredDetection& detection : own.detections) {
    const uint64_t hits = detection.matched & ~detection.ignored;
    for (size_t few = 0; few < kFewDetections.size() && own.targets[0] > 0; ++few) {
      if (detection.rank >= static_cast<uint64_t>(kFewDetections[few])) continue;
      for (size_t t = 0; t < kThresholds; ++t) figures.few_recall[few][t] += static_cast<double>(hits >> t & 1);
    }
  }
  for (auto& few : figures.few_recall) {
    for (double& recall : few) recall /= static_cast<double>(std::max<int64_t>(1, own.targets[0]));
  }
  return figures;
}

/// Thresholds from `first` to before `end`.
struct Thresholds {
  size_t first = 0, end = kThresholds;
};

double MeanOver(const double (&values)[kThresholds], Thresholds thresholds) {
  double sum = 0;
  for (size_t t = thresholds.first; t < thresholds.end; ++t) sum += values[t];
  return sum / static_cast<double>(thresholds.end - thresholds.first);
}

/// Mean over the classes with targets in the range; nullopt where there is none.
template <typename Of>
std::optional<double> MeanOfClasses(const std::vector<ClassFigures>& classes, size_t area, Thresholds thresholds,
                                    Of of) {
  double sum = 0;
  int64_t counted = 0;
  for (const ClassFigures& figures : classes) {
    if (figures.targets[area] == 0) continue;
    sum += MeanOver(of(figures), thresholds);
    ++counted;
  }
  if (counted == 0) return std::nullopt;
  return sum / static_cast<double>(counted);
}

std::vector<NamedNumber> NumbersOf(const std::vector<ClassFigures>& classes, int64_t max_detections) {
  std::vector<NamedNumber> numbers;
  const auto put = [&](std::string name, size_t area, Thresholds thresholds, auto of) {
    const std::optional<double> mean = MeanOfClasses(classes, area, thresholds, of);
    if (mean) numbers.push_back({std::move(name), *mean});
  };
  const auto precision = [](size_t area) {
    return [area](const ClassFigures& f) -> const double(&)[kThresholds] { return f.precision[area]; };
  };
  const auto recall = [](size_t area) {
    return [area](const ClassFigures& f) -> const double(&)[kThresholds] { return f.recall[area]; };
  };
  put("ap", 0, {}, precision(0));
  put("ap50", 0, {0, 1}, precision(0));
  put("ap75", 0, {5, 6}, precision(0));
  for (size_t a = 1; a < kAreas; ++a) put(absl::StrCat("ap_", kAreaNames[a]), a, {}, precision(a));
  for (size_t few = 0; few < kFewDetections.size(); ++few) {
    if (kFewDetections[few] >= max_detections) continue;
    put(absl::StrCat("ar", kFewDetections[few]), 0, {},
        [few](const ClassFigures& f) -> const double(&)[kThresholds] { return f.few_recall[few]; });
  }
  put(absl::StrCat("ar", max_detections), 0, {}, recall(0));
  for (size_t a = 1; a < kAreas; ++a) put(absl::StrCat("ar_", kAreaNames[a]), a, {}, recall(a));
  return numbers;
}

MetricResult CocoAveragePrecision(const Counts& counts, const ParamMap& params) {
  const DetectionSet& set = static_cast<const DetectionCounts&>(counts).set();
  if (set.repeated()) return RepeatedImage(*set.repeated());
  std::vector<ClassFigures> classes;
  std::vector<double> precisions;
  for (const ClassDetections& own : ByClass(set)) classes.push_back(FiguresOf(own, precisions));

  const std::string& area_name = WordOf(params, "area");
  const auto area = static_cast<size_t>(std::find(kAreaNames, kAreaNames + kAreas, area_name) - kAreaNames);
  const std::vector<std::string> choices = IouChoices();
  const auto choice =
      static_cast<size_t>(std::find(choices.begin(), choices.end(), WordOf(params, "iou")) - choices.begin());
  const Thresholds thresholds = choice == 0 ? Thresholds{} : Thresholds{choice - 1, choice};

  MetricResult result;
  result.numbers = NumbersOf(classes, static_cast<int64_t>(NumberOf(params, "max_detections")));
  const std::optional<double> mean =
      MeanOfClasses(classes, area, thresholds,
                    [area](const ClassFigures& f) -> const double(&)[kThresholds] { return f.precision[area]; });
  if (!mean) {
    result.note = area == 0 ? "there is no target that counts"
                            : absl::StrCat("there is no target that counts in the area range ", area_name);
    return result;
  }
  result.value = *mean;
  result.count = set.images();
  for (const ClassFigures& figures : classes) {
    if (figures.targets[area] == 0) continue;
    result.classes.push_back({figures.class_id, MeanOver(figures.precision[area], thresholds), figures.targets[area]});
  }
  return result;
}

}  // namespace

std::vector<Metric> CocoMetrics() {
  Metric metric;
  metric.id = "coco_average_precision";
  metric.title = "Average precision (COCO)";
  metric.doc =
      "Mean over classes and IoU thresholds of the precision at 101 recalls, of boxes or masks. Numbers: ap, ap50, "
      "ap75, ap_small, ap_medium, ap_large; the recall ar1, ar10 and ar100 (of 1, 10 and max_detections detections per "
      "image and class), ar_small, ar_medium, ar_large; what has no targets is left out (-1 there). The count is of "
      "images, a class's of its targets. All detections and targets of an image must come in one batch.";
  metric.reference = "pycocotools COCOeval; ties in score go by image id, then by place in the input";
  metric.signals = {"detections", "instances"};
  metric.params = {
      ChoiceParam("iou", "IoU from which a detection finds a target; of a range the mean", IouChoices()),
      ChoiceParam("area", "which targets count: all, below 32^2 pixels, to 96^2, above",
                  {kAreaNames, kAreaNames + kAreas}),
      IntegerParam("max_detections", "of an image and class count, those of the highest scores", 100, 1, 1000),
      BoxFormatParam()};
  metric.inputs = ObjectInputs(true);
  metric.counts = DetectionCountsKind;
  metric.compute = CocoAveragePrecision;
  return {metric};
}

}  // namespace gradeline
