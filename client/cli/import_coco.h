// Items from the JSON of COCO's annotations, read as a stream: the images, with the categories of their annotations as
// labels. What is kept grows with the number of images and annotations, not with their boxes, polygons and masks.
#ifndef GRADELINE_CLIENT_CLI_IMPORT_COCO_H_
#define GRADELINE_CLIENT_CLI_IMPORT_COCO_H_

#include "absl/status/statusor.h"
#include "client/cli/byte_source.h"
#include "client/cli/findings.h"

namespace gradeline::cli {

/// The sections images, annotations and categories in any order; annotations may be absent, and an image may have none.
/// An annotation has a category_id, or segments_info whose segments have one each (panoptic). uri: an image's
/// file_name, or where it has none its coco_url. Classes are the names of the categories in order of their ids. An
/// image with a crowd gets the tag "crowd". INVALID_ARGUMENT with every broken entry, its JSON path and the byte at
/// which it begins.
absl::StatusOr<Findings> ReadCoco(ByteSource* source);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_IMPORT_COCO_H_
