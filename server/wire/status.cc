#include "server/wire/status.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "server/core/base/status.h"
#include "server/core/base/utf8.h"

namespace gradeline {
namespace {

// gRPC's default for all metadata of a call is 8 KiB, and the message travels in it a second time.
constexpr size_t kLongestMessage = 1500;
constexpr size_t kLongestDescription = 400;
constexpr size_t kViolationBytes = 3000;
constexpr size_t kLongestMetadata = 500;

// The first `limit` bytes, not ending within a UTF-8 sequence.
std::string Shortened(std::string_view text, size_t limit) {
  if (text.size() <= limit) return std::string(text);
  return absl::StrCat(std::string(Utf8Prefix(text, limit)), "...");
}

int64_t RetrySeconds(const absl::Status& status, const std::string& reason) {
  if (status.code() == absl::StatusCode::kUnavailable) return 1;
  if (status.code() == absl::StatusCode::kResourceExhausted && reason == "DISK_FULL") return 10;
  if (status.code() == absl::StatusCode::kResourceExhausted && reason == "MEMORY_BUDGET_FULL") return 1;
  return 0;
}

void AddBadRequest(const std::vector<FieldViolation>& violations, google::rpc::Status* proto,
                   google::rpc::ErrorInfo* info) {
  google::rpc::BadRequest bad_request;
  size_t bytes = 0;
  for (const FieldViolation& violation : violations) {
    const std::string description = Shortened(violation.description, kLongestDescription);
    bytes += violation.field.size() + description.size() + 8;
    if (bytes > kViolationBytes && bad_request.field_violations_size() > 0) {
      (*info->mutable_metadata())["violations"] = absl::StrCat(violations.size());
      break;
    }
    auto* entry = bad_request.add_field_violations();
    entry->set_field(violation.field);
    entry->set_description(description);
  }
  proto->add_details()->PackFrom(bad_request);
}

}  // namespace

google::rpc::Status StatusToProto(const absl::Status& status) {
  google::rpc::Status proto;
  proto.set_code(static_cast<int>(status.code()));
  if (status.ok()) return proto;
  proto.set_message(Shortened(std::string_view(status.message().data(), status.message().size()), kLongestMessage));

  google::rpc::ErrorInfo info;
  ErrorReason reason = ReasonOf(status);
  const int64_t retry_seconds = RetrySeconds(status, reason.reason);
  info.set_reason(std::move(reason.reason));
  info.set_domain(std::string(kErrorDomain));
  for (auto& [key, value] : reason.metadata) (*info.mutable_metadata())[key] = Shortened(value, kLongestMetadata);

  google::rpc::Status bad_request;
  if (const std::vector<FieldViolation> violations = FieldViolationsOf(status); !violations.empty()) {
    AddBadRequest(violations, &bad_request, &info);
  }
  proto.add_details()->PackFrom(info);
  proto.mutable_details()->MergeFrom(bad_request.details());
  if (retry_seconds > 0) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(retry_seconds);
    proto.add_details()->PackFrom(retry);
  }
  return proto;
}

absl::Status StatusFromProto(const google::rpc::Status& proto) {
  if (proto.code() == 0) return absl::OkStatus();
  const bool known = proto.code() > 0 && proto.code() <= static_cast<int>(absl::StatusCode::kUnauthenticated);
  const auto code = known ? static_cast<absl::StatusCode>(proto.code()) : absl::StatusCode::kUnknown;
  Violations violations;
  google::rpc::ErrorInfo info;
  for (const auto& detail : proto.details()) {
    if (google::rpc::BadRequest bad_request; detail.UnpackTo(&bad_request)) {
      for (const auto& entry : bad_request.field_violations()) violations.Add(entry.field(), entry.description());
    } else if (detail.Is<google::rpc::ErrorInfo>()) {
      detail.UnpackTo(&info);
    }
  }
  absl::Status status(code, proto.message());
  violations.ToStatus().ForEachPayload(
      [&status](absl::string_view url, const absl::Cord& payload) { status.SetPayload(url, payload); });
  if (info.reason().empty()) return status;
  return WithReason(std::move(status), info.reason(), {info.metadata().begin(), info.metadata().end()});
}

absl::Status MessageTooLarge(std::string_view what, int64_t bytes, int64_t limit) {
  return WithReason(
      absl::ResourceExhaustedError(absl::StrCat(std::string(what), " has ", bytes, " bytes; the server's limit is ",
                                                limit, " (grpc.max_message_bytes in its configuration)")),
      "MESSAGE_TOO_LARGE",
      {{"bytes", absl::StrCat(bytes)}, {"limit", absl::StrCat(limit)}, {"key", "grpc.max_message_bytes"}});
}

}  // namespace gradeline
