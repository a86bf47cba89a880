// Items from a folder of idx files: pairs of images and labels.
#ifndef GRADELINE_CLIENT_CLI_IMPORT_IDX_H_
#define GRADELINE_CLIENT_CLI_IMPORT_IDX_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/findings.h"

namespace gradeline::cli {

/// The pairs PREFIX-images-idx3-ubyte[.gz] and PREFIX-labels-idx1-ubyte[.gz] of a folder, "train" first, the others by
/// name; PREFIX is the items' subset. `classes`: their names; empty: "0", "1" ... up to the greatest label.
absl::StatusOr<Findings> ReadIdxFolder(const std::string& folder, const std::vector<std::string>& classes);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_IMPORT_IDX_H_
