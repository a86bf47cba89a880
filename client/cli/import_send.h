// A dataset that was read, sent to the server in one stream, and what people are told of it.
#ifndef GRADELINE_CLIENT_CLI_IMPORT_SEND_H_
#define GRADELINE_CLIENT_CLI_IMPORT_SEND_H_

#include "absl/status/status.h"
#include "client/cli/context.h"
#include "client/cli/findings.h"
#include "gradeline/v1/dataset.pb.h"

namespace gradeline::cli {

/// Registers the findings under the header's name, with its source. `made`: the server's answer.
absl::Status SendDataset(Context& context, v1::Dataset header, Findings found, v1::Dataset* made);

/// Counts per class and subset as tables.
void PrintCounts(const v1::Dataset& dataset, std::ostream& out);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_IMPORT_SEND_H_
