// Errors: absl::Status with the facts a program needs, as payloads. Deliberately knows nothing of protos or gRPC; the
// one map to google.rpc.Status is in server/wire.
#ifndef GRADELINE_SERVER_CORE_BASE_STATUS_H_
#define GRADELINE_SERVER_CORE_BASE_STATUS_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gradeline {

/// One wrong field of a request. `field` is its path in JSON names ("training.epochs"); `description` says what is
/// wrong, with the value and what is allowed.
struct FieldViolation {
  std::string field;
  std::string description;
  bool operator==(const FieldViolation&) const = default;
};

/// Collects every violation of a request before it is refused. Not thread-safe.
class Violations {
 public:
  void Add(std::string field, std::string description);
  /// Takes over the violations of `status`, each field prefixed by `prefix` and a dot (no dot where either is empty); a
  /// status without any counts as one violation of `prefix` with its message. OK adds nothing.
  void Merge(std::string_view prefix, const absl::Status& status);
  /// Takes over how a later check ended, one that went on with what could be read of the request: as Merge, but a field
  /// that is named already is not named again, and an end that is about no field (the store is locked) adds nothing to
  /// what is there. If it is all there is, ToStatus gives it as it came, with its code and reason, below `prefix`.
  void MergeRest(std::string_view prefix, const absl::Status& status);
  bool empty() const { return list_.empty() && alone_.ok(); }
  const std::vector<FieldViolation>& list() const { return list_; }
  /// OK when empty; otherwise INVALID_ARGUMENT whose message joins all violations.
  absl::Status ToStatus() const;

 private:
  std::vector<FieldViolation> list_;
  absl::Status alone_;  // what MergeRest brought first, as long as nothing else is there
};

/// The violations a status carries; empty when it carries none.
std::vector<FieldViolation> FieldViolationsOf(const absl::Status& status);

/// Why a call failed, for programs: `reason` is UPPER_SNAKE_CASE, `metadata` every variable of the message.
struct ErrorReason {
  std::string reason;
  std::map<std::string, std::string> metadata;
};
/// `status` (not OK) with a reason attached.
absl::Status WithReason(absl::Status status, std::string reason, std::map<std::string, std::string> metadata = {});
/// The attached reason, or the status code's name ("INVALID_ARGUMENT").
ErrorReason ReasonOf(const absl::Status& status);

/// `status` with the fields of its violations below `prefix`; a status without violations stays as it is.
absl::Status BelowField(std::string_view prefix, const absl::Status& status);

/// Up to three of `known` that a person may have meant by `word`, best first; empty when none is near.
std::vector<std::string> NearNames(std::string_view word, const std::vector<std::string>& known);

}  // namespace gradeline

#define GRADELINE_CONCAT_INNER_(a, b) a##b
#define GRADELINE_CONCAT_(a, b) GRADELINE_CONCAT_INNER_(a, b)
/// Returns the status from the function unless it is OK.
#define GRADELINE_RETURN_IF_ERROR(expr)                                   \
  do {                                                                    \
    if (absl::Status gradeline_status = (expr); !gradeline_status.ok()) { \
      return gradeline_status;                                            \
    }                                                                     \
  } while (false)
/// Declares or assigns `lhs` from a StatusOr, or returns its status from the function.
#define GRADELINE_ASSIGN_OR_RETURN(lhs, expr)                           \
  auto GRADELINE_CONCAT_(status_or_, __LINE__) = (expr);                \
  if (!GRADELINE_CONCAT_(status_or_, __LINE__).ok()) {                  \
    return std::move(GRADELINE_CONCAT_(status_or_, __LINE__)).status(); \
  }                                                                     \
  lhs = *std::move(GRADELINE_CONCAT_(status_or_, __LINE__))

#endif  // GRADELINE_SERVER_CORE_BASE_STATUS_H_
