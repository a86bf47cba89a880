// Average precision of detections as the Pascal VOC devkit defines it.
#include <algorithm>
#include <cmath>
#include <utility>

#include "server/core/base/status.h"
#include "server/core/metric/average_precision.h"
#include "server/core/metric/families.h"
#include "server/core/metric/object_batch.h"
#include "server/core/metric/object_iou.h"
#include "server/core/metric/object_metrics.h"
#include "server/core/metric/param_specs.h"

namespace gradeline {
namespace {

/// Detections with bit 0 of `matched`: it is the first to find its target. Those that find what is difficult are left
/// out. Of the targets the first number counts.
class VocCounts : public Counts {
 public:
  explicit VocCounts(const CountsOptions& options)
      : box_format_(WordOf(options.params, "box_format")),
        least_(NumberOf(options.params, "iou")),
        offset_(NumberOf(options.params, "pixel_offset")),
        set_(options.max_bytes) {}

  absl::Status Add(const MetricBatch& batch) override {
    GRADELINE_ASSIGN_OR_RETURN(ObjectBatch objects, ReadObjects(batch, box_format_));
    ObjectGroups groups(objects);
    DetectionBatch found{std::move(objects.images), {}, {}, {}};
    for (ObjectGroup group; groups.Next(group);) {
      MatchGroup(objects, group, found);
      int64_t counting = 0;
      for (const uint32_t t : group.targets) counting += objects.crowd[t] == 0 ? 1 : 0;
      if (counting > 0) found.targets[group.class_id][0] += counting;
    }
    return set_.Add(std::move(found));
  }
  absl::Status Merge(std::string_view bytes) override { return set_.Merge(bytes); }
  std::string Bytes() const override { return set_.Bytes(); }
  const DetectionSet& set() const { return set_; }

 private:
  void MatchGroup(const ObjectBatch& objects, const ObjectGroup& group, DetectionBatch& found) {
    taken_.assign(group.targets.size(), 0);
    for (size_t rank = 0; rank < group.detections.size(); ++rank) {
      const uint32_t d = group.detections[rank];
      double best = 0;
      size_t at = 0;
      for (size_t t = 0; t < group.targets.size(); ++t) {
        const double iou = BoxIou(objects.detections.boxes[d], objects.targets.boxes[group.targets[t]], false, offset_);
        if (!(iou > best)) continue;
        best = iou;
        at = t;
      }
      const bool over = best >= least_;
      if (over && objects.crowd[group.targets[at]] != 0) continue;
      ScoredDetection detection{.score = objects.scores[d], .image = group.image};
      detection.rank = rank;
      detection.class_id = static_cast<uint64_t>(group.class_id);
      detection.matched = over && taken_[at] == 0 ? 1 : 0;
      if (over) taken_[at] = 1;
      found.detections.push_back(detection);
    }
  }

  const std::string box_format_;
  const double least_, offset_;
  DetectionSet set_;
  std::vector<uint8_t> taken_;
};

const CountsKind& VocCountsKind(std::string_view) {
  static const CountsKind kKind{
      "voc_detections",
      {"box_format", "iou", "pixel_offset"},
      [](const CountsOptions& options) -> std::unique_ptr<Counts> { return std::make_unique<VocCounts>(options); }};
  return kKind;
}

/// `precisions` are the highest at the 1st, 2nd ... target found and after.
double AreaUnder(const std::vector<double>& precisions, int64_t targets) {
  double sum = 0;
  for (const double precision : precisions) sum += precision;
  return sum / static_cast<double>(targets);
}

/// Recalls are compared as whole numbers: found / targets >= i / 10.
double ElevenPoint(const std::vector<double>& precisions, int64_t targets) {
  double sum = 0;
  for (int64_t i = 0; i <= 10; ++i) {
    const auto needed = static_cast<size_t>(std::max<int64_t>(1, (i * targets + 9) / 10));
    if (needed <= precisions.size()) sum += precisions[needed - 1];
  }
  return sum / 11;
}

MetricResult VocAveragePrecision(const Counts& counts, const ParamMap& params) {
  const DetectionSet& set = static_cast<const VocCounts&>(counts).set();
  if (set.repeated()) return RepeatedImage(*set.repeated());
  const auto average = WordOf(params, "interpolation") == "area" ? AreaUnder : ElevenPoint;
  MetricResult result;
  std::vector<double> precisions;
  double sum = 0;
  for (const ClassDetections& own : ByClass(set)) {
    PrecisionsOfHits(own.detections, 0, 0, precisions);
    result.classes.push_back({own.class_id, average(precisions, own.targets[0]), own.targets[0]});
    sum += result.classes.back().value;
  }
  if (result.classes.empty()) return {.note = "there is no target that counts"};
  result.value = sum / static_cast<double>(result.classes.size());
  result.count = set.images();
  return result;
}

}  // namespace

std::vector<Metric> VocMetrics() {
  Metric metric;
  metric.id = "voc_average_precision";
  metric.title = "Average precision (Pascal VOC)";
  metric.doc =
      "Mean over classes of the area under the precision made falling, or of the highest precision from the recalls 0, "
      ".1 ... 1 on. A detection takes the target of the highest IoU; if that was taken it is wrong; if that is "
      "difficult "
      "it does not count. The count is of images, a class's of its targets. All detections and targets of an image "
      "must "
      "come in one batch.";
  metric.reference =
      "Pascal VOC devkit VOCevaldet, which adds a pixel to widths and heights (pixel_offset=1; here 0, as torchmetrics "
      "and COCO have boxes) and takes an IoU equal to the threshold, where the Python ports want more; ties in score "
      "go "
      "by image id, then by place in the input";
  metric.signals = {"detections"};
  metric.params = {
      NumberParam("iou", "IoU from which a detection finds a target", .5, .01, 1),
      ChoiceParam("interpolation", "area as since VOC 2010, eleven_point as before", {"area", "eleven_point"}),
      IntegerParam("pixel_offset",
                   "pixels added to widths and heights: 1 where boxes end with their last "
                   "pixel",
                   0, 0, 1),
      BoxFormatParam()};
  metric.inputs = ObjectInputs(false);
  metric.counts = VocCountsKind;
  metric.compute = VocAveragePrecision;
  return {metric};
}

}  // namespace gradeline
