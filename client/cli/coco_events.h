// The events of a COCO file: JSON's events put together to entries of its three sections. Checks what one entry alone
// can tell; what entries say of one another is import_coco's.
#ifndef GRADELINE_CLIENT_CLI_COCO_EVENTS_H_
#define GRADELINE_CLIENT_CLI_COCO_EVENTS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/byte_source.h"
#include "client/cli/findings.h"

namespace gradeline::cli {

enum class CocoSection { kOther, kImages, kAnnotations, kCategories };

/// A category's mark in an image: an annotation's own, or that of one of its segments.
struct CocoMark {
  std::optional<int64_t> category;
  bool crowd = false;
};

/// An entry of a section, with the fields that are read; those of other sections are never set.
struct CocoEntry {
  CocoSection section = CocoSection::kOther;
  int64_t index = 0;  ///< in its section
  int64_t byte = 0;   ///< at which it begins
  std::optional<int64_t> id, image;
  std::string file_name, coco_url, name;
  std::vector<CocoMark> marks;
};

/// "annotations[12] at byte 3456".
std::string WhereOf(CocoSection section, int64_t index, int64_t byte);

/// Reads the file to its end or to what is no JSON. `entry` gets every entry in which nothing was found to be wrong;
/// `sections`, afterwards, has those that were there. A failure of the source is returned; faults are not.
absl::Status ReadCocoEvents(ByteSource* source, const std::function<void(CocoEntry&)>& entry,
                            std::set<CocoSection>& sections, Faults& faults);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_COCO_EVENTS_H_
