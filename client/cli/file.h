// Whole files in and out, with errors that name the file.
#ifndef GRADELINE_CLIENT_CLI_FILE_H_
#define GRADELINE_CLIENT_CLI_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gradeline::cli {

/// The content of a file of at most 2 GiB; "-" is standard input. INVALID_ARGUMENT names the file and why it cannot be
/// read.
absl::StatusOr<std::string> ReadFile(const std::string& path);
/// Replaces the file. INVALID_ARGUMENT names the file and why it cannot be written.
absl::Status WriteFile(const std::string& path, absl::string_view content);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_FILE_H_
