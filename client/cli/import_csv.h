// Items from comma-separated values with a header: path and label (one class each) or labels (any number), and, where
// there are such columns, group, tags, subset. Entries of labels and of tags stand between semicolons.
#ifndef GRADELINE_CLIENT_CLI_IMPORT_CSV_H_
#define GRADELINE_CLIENT_CLI_IMPORT_CSV_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/byte_source.h"
#include "client/cli/findings.h"

namespace gradeline::cli {

/// Blanks around all but paths are dropped, other columns are noted and left aside. `classes`: those that are allowed,
/// in their order; empty: those of the file, sorted (by value if all are whole numbers). INVALID_ARGUMENT with every
/// broken row.
absl::StatusOr<Findings> ReadCsv(ByteSource* source, const std::vector<std::string>& classes);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_IMPORT_CSV_H_
