// Items from folders of images, as torchvision's ImageFolder reads them: a folder for each class, below it the images.
// Where the folder itself holds only folders called train, val, valid, validation or test, those are subsets, and the
// folders of classes are in them.
#ifndef GRADELINE_CLIENT_CLI_IMPORT_FOLDER_H_
#define GRADELINE_CLIENT_CLI_IMPORT_FOLDER_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/cli/findings.h"

namespace gradeline::cli {

/// Classes are the names of their folders, sorted by byte. uri: the path below `folder`. Links are followed; hidden
/// files and folders and files that are no images by their ending are skipped, the latter noted. INVALID_ARGUMENT with
/// everything that is wrong: a class without images, a name that is no UTF-8, what cannot be read.
absl::StatusOr<Findings> ReadFolder(const std::string& folder);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_IMPORT_FOLDER_H_
