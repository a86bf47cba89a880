#include "server/core/metric/object_metrics.h"

#include "absl/strings/str_cat.h"
#include "server/core/metric/param_specs.h"

namespace gradeline {

ParamSpec BoxFormatParam() {
  return ChoiceParam("box_format", "corners; corner and size; centre and size", {"xyxy", "xywh", "cxcywh"});
}

std::vector<MetricInput> ObjectInputs(bool masks) {
  std::vector<MetricInput> inputs{
      {"scores", "[M] real: of the detections"},
      {"classes", "[M] whole, 0 and above"},
      {"images", "[M] whole: id of the image; an image comes in one batch with all its detections and targets"},
      {"target_classes", "[G] whole, 0 and above"},
      {"target_images", "[G] whole"},
      {"target_crowd", "[G] 0 or 1: a crowd (COCO), difficult (VOC): neither found nor missed counts", true},
      {"target_area", "[G] real, in pixels: for the area ranges; else the area of the box or mask", true},
      {"evaluated_images", "[I] whole: images that count though they may have no detection and no target", true},
      {"boxes", "[M, 4] real, in pixels", false, "detections"},
      {"target_boxes", "[G, 4] real, in pixels", false, "detections"},
  };
  if (!masks) return inputs;
  for (const bool target : {false, true}) {
    const std::string prefix = target ? "target_" : "", rows = target ? "G" : "M";
    const std::string instances = "instances";
    inputs.push_back({prefix + "mask_sizes", absl::StrCat("[", rows, ", 2] whole: height, width"), false, instances});
    inputs.push_back({prefix + "mask_runs", absl::StrCat("[", rows, "] whole: runs of each mask"), false, instances});
    inputs.push_back({prefix + "mask_counts", "[all runs] whole: COCO's uncompressed RLE", false, instances});
  }
  return inputs;
}

MetricResult RepeatedImage(int64_t image) {
  return {.note = absl::StrCat("image ", image,
                               " comes in two batches; all detections and targets of an image must "
                               "come in one")};
}

}  // namespace gradeline
