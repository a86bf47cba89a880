// What the command line answers to the shell, and how it says why. Exit codes are a contract with scripts.
#ifndef GRADELINE_CLIENT_CLI_EXIT_CODE_H_
#define GRADELINE_CLIENT_CLI_EXIT_CODE_H_

#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/cli/output_form.h"

namespace gradeline::cli {

enum ExitCode {
  kExitOk = 0,
  kExitOther = 1,
  kExitUsage = 2,
  kExitNotFound = 3,
  kExitNotAllowed = 4,
  kExitConflict = 5,
  kExitInvalid = 6,
  kExitUnreachable = 7,
  kExitEndedOtherwise = 8,
};

/// The text of `gradeline help exit-codes`.
absl::string_view ExitCodesHelp();

/// A command line that cannot be understood: exit code 2.
absl::Status UsageError(absl::string_view message);
/// The awaited experiment ended in another state: exit code 8.
absl::Status EndedOtherwiseError(absl::string_view message);

ExitCode ExitCodeOf(const absl::Status& status);

/// Writes `status` (not OK) for people: one sentence, then the wrong fields, then the server's reason. In JSON forms it
/// is one line of JSON instead: {"error": google.rpc.Status}. Always meant for standard error.
void PrintError(const absl::Status& status, OutputForm form, std::ostream& err);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_EXIT_CODE_H_
