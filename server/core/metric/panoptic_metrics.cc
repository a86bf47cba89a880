// Panoptic quality: segmentation quality times recognition quality.
#include <string>
#include <vector>

#include "server/core/metric/families.h"
#include "server/core/metric/panoptic_counts.h"

namespace gradeline {
namespace {

/// Means over classes.
struct Qualities {
  double panoptic = 0, segmentation = 0, recognition = 0;
  int64_t classes = 0;

  void Add(const Qualities& one) {
    panoptic += one.panoptic;
    segmentation += one.segmentation;
    recognition += one.recognition;
    ++classes;
  }
  void Put(const std::string& suffix, bool headline, std::vector<NamedNumber>& numbers) const {
    if (classes == 0) return;
    const auto count = static_cast<double>(classes);
    if (!headline) numbers.push_back({"pq" + suffix, panoptic / count});
    numbers.push_back({"sq" + suffix, segmentation / count});
    numbers.push_back({"rq" + suffix, recognition / count});
  }
};

Qualities QualitiesOf(const PanopticClass& own) {
  const double iou = static_cast<double>(own.iou) / 4503599627370496.0;  // 2^52
  const auto found = static_cast<double>(own.found);
  const double all = found + .5 * static_cast<double>(own.made_up) + .5 * static_cast<double>(own.missed);
  return {iou / all, own.found == 0 ? 0 : iou / found, found / all, 1};
}

MetricResult PanopticQuality(const Counts& counts, const ParamMap&) {
  const auto& panoptic = static_cast<const PanopticCounts&>(counts);
  if (panoptic.classes().empty()) return {.note = "there is no segment that counts"};
  MetricResult result;
  Qualities all, things, stuff;
  for (const auto& [class_id, own] : panoptic.classes()) {
    const Qualities one = QualitiesOf(own);
    all.Add(one);
    (panoptic.stuff().contains(class_id) ? stuff : things).Add(one);
    result.classes.push_back({class_id, one.panoptic, own.found + own.missed});
  }
  result.value = all.panoptic / static_cast<double>(all.classes);
  result.count = panoptic.images();
  all.Put("", true, result.numbers);
  if (panoptic.stuff().empty()) return result;
  things.Put("_things", false, result.numbers);
  stuff.Put("_stuff", false, result.numbers);
  return result;
}

}  // namespace

std::vector<Metric> PanopticMetrics() {
  Metric metric;
  metric.id = "panoptic_quality";
  metric.title = "Panoptic quality (PQ)";
  metric.doc =
      "Mean over the classes that occur of the sum of IoU over found + made up / 2 + missed / 2. A target is found by "
      "a "
      "segment of its class with IoU above 0.5, void left out of the union. Crowds are neither found nor missed; "
      "segments that lie by more than half in void or in a crowd of their class do not count. Numbers: sq, rq, and "
      "where "
      "stuff_classes are given pq_things, sq_things, rq_things, pq_stuff, sq_stuff, rq_stuff. The count is of images, "
      "a "
      "class's of its targets.";
  metric.reference =
      "panopticapi evaluation.py; areas are those of the pixels; a pixel of a target that is not listed is refused "
      "here, "
      "left alone there";
  metric.signals = {"panoptic"};
  metric.inputs = {{"prediction", "[N, H, W] whole: ids of segments, 0 is void"},
                   {"segments", "[S, 3] whole: image in the batch, id, class; each with a pixel"},
                   {"target", "[N, H, W] whole: ids of segments, 0 is void"},
                   {"target_segments", "[T, 4] whole: image in the batch, id, class, crowd 0 or 1"},
                   {"stuff_classes", "[K] whole: classes that are stuff; all that any batch says", true}};
  metric.counts = PanopticCountsKind;
  metric.compute = PanopticQuality;
  return {metric};
}

}  // namespace gradeline
