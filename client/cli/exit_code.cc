// See exit_code.h.
#include "client/cli/exit_code.h"

#include <optional>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "client/cli/output.h"
#include "client/cpp/status.h"
#include "google/rpc/status.pb.h"

namespace gradeline::cli {
namespace {

// Local to the process: never sent, never printed.
constexpr char kUsagePayload[] = "gradeline.cli/usage";
constexpr char kEndedOtherwisePayload[] = "gradeline.cli/ended-otherwise";

absl::Status Marked(absl::Status status, const char* payload) {
  status.SetPayload(payload, absl::Cord("1"));
  return status;
}

void PrintForPeople(const absl::Status& status, std::ostream& err) {
  const auto violations = client::FieldViolationsOf(status);
  if (violations.size() == 1 && violations[0].field.empty()) {
    err << "gradeline: " << violations[0].description << '\n';
  } else if (violations.empty()) {
    err << "gradeline: " << status.message() << '\n';
  } else {
    err << "gradeline: the request has " << violations.size() << (violations.size() == 1 ? " problem" : " problems")
        << ":\n";
    for (const auto& violation : violations) {
      err << "  " << violation.field << (violation.field.empty() ? "" : ": ") << violation.description << '\n';
    }
  }
  const std::string reason = client::ReasonOf(status);
  if (reason != absl::StatusCodeToString(status.code())) {
    err << "reason: " << reason << '\n';
  }
}

}  // namespace

absl::string_view ExitCodesHelp() {
  return R"(Exit codes of gradeline:

  0  done
  1  any other error, such as one inside the server
  2  the command line was not understood
  3  not found
  4  not allowed
  5  conflict, or not possible in the present state
  6  invalid argument: a value, a file or a field of a request is wrong
  7  the server cannot be reached, or the time ran out
  8  the awaited experiment ended otherwise
)";
}

absl::Status UsageError(absl::string_view message) {
  return Marked(absl::InvalidArgumentError(absl::StrCat(message, "\nTry `gradeline --help`.")), kUsagePayload);
}

absl::Status EndedOtherwiseError(absl::string_view message) {
  return Marked(absl::AbortedError(message), kEndedOtherwisePayload);
}

ExitCode ExitCodeOf(const absl::Status& status) {
  if (status.GetPayload(kUsagePayload)) {
    return kExitUsage;
  }
  if (status.GetPayload(kEndedOtherwisePayload)) {
    return kExitEndedOtherwise;
  }
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitOk;
    case absl::StatusCode::kNotFound:
      return kExitNotFound;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return kExitNotAllowed;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
      return kExitConflict;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return kExitInvalid;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return kExitUnreachable;
    default:
      return kExitOther;
  }
}

void PrintError(const absl::Status& status, OutputForm form, std::ostream& err) {
  if (form != OutputForm::kJson && form != OutputForm::kJsonl) {
    PrintForPeople(status, err);
    return;
  }
  absl::Status plain = status;
  plain.ErasePayload(kUsagePayload);
  plain.ErasePayload(kEndedOtherwisePayload);
  err << "{\"error\":" << ToJson(client::StatusToProto(plain), false) << "}\n";
}

}  // namespace gradeline::cli
