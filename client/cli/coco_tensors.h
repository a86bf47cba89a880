// COCO's annotation and result files as the ragged tensors that metrics of objects take.
#ifndef GRADELINE_CLIENT_CLI_COCO_TENSORS_H_
#define GRADELINE_CLIENT_CLI_COCO_TENSORS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/byte_source.h"
#include "gradeline/v1/tensor.pb.h"

namespace gradeline::cli {

/// Paths, plain or gzip. `target`: an object with images, annotations and categories; `prediction`: a list of results.
struct CocoFiles {
  std::string target, prediction;
};

struct CocoTensors {
  std::vector<v1::Tensor> tensors;
  std::vector<std::string> classes;  ///< names of the categories, by the class that stands for them
};

/// Of `target`: target_classes, target_images, target_crowd, target_area, evaluated_images; of `prediction`: classes,
/// images, scores. With boxes, boxes and target_boxes, f64 [.., 4] x, y, width, height; with `masks` instead
/// mask_sizes, mask_runs, mask_counts and the same with target_: run lengths, of polygons too. Categories are numbered
/// by their ids in order. INVALID_ARGUMENT says everything that is wrong with the files.
absl::StatusOr<CocoTensors> ReadCocoTensors(const CocoFiles& files, bool masks);

/// The same from bytes; `names` for errors.
absl::StatusOr<CocoTensors> ParseCocoTensors(ByteSource* target, ByteSource* prediction, const CocoFiles& names,
                                             bool masks);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_COCO_TENSORS_H_
