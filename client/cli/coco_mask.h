// COCO's masks as run lengths: column by column, runs of 0 and 1 in turns, of 0 first.
#ifndef GRADELINE_CLIENT_CLI_COCO_MASK_H_
#define GRADELINE_CLIENT_CLI_COCO_MASK_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gradeline::cli {

/// The runs that a compressed `counts` string stands for. INVALID_ARGUMENT if it is none.
absl::StatusOr<std::vector<int64_t>> RunsOfText(absl::string_view text);

/// The runs of what any of the polygons covers in an image of `height` x `width`, each x, y, x, y ... of 3 or more
/// corners in pixels; rasterised as COCO's tools do, whose areas and overlaps are meant to come out the same: lines are
/// walked on a grid five times as fine, and a column begins or ends where they cross its middle. Takes memory for the
/// outlines, not for the image. INVALID_ARGUMENT for corners that are not finite, too few, or more than 2^17 away, and
/// for outlines beyond all measure.
absl::StatusOr<std::vector<int64_t>> RunsOfPolygons(const std::vector<std::vector<double>>& polygons, int64_t height,
                                                    int64_t width);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_COCO_MASK_H_
