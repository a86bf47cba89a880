#include "server/wire/status.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

template <typename Detail>
int Count(const google::rpc::Status& status) {
  int count = 0;
  for (const auto& detail : status.details()) count += detail.Is<Detail>() ? 1 : 0;
  return count;
}

TEST(Status, EveryCodeThereAndBack) {
  for (int code = 0; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), code == 0 ? "" : "what went wrong");
    const google::rpc::Status proto = StatusToProto(status);
    EXPECT_EQ(proto.code(), code);
    EXPECT_EQ(Count<google::rpc::ErrorInfo>(proto), code == 0 ? 0 : 1);
    const absl::Status back = StatusFromProto(proto);
    EXPECT_EQ(static_cast<int>(back.code()), code);
    EXPECT_EQ(back.message(), status.message());
    EXPECT_EQ(ReasonOf(back).reason, absl::StatusCodeToString(status.code()));
  }
}

TEST(Status, UnknownCodeFromAPeerIsUnknown) {
  for (int code : {-1, 17, 99}) {
    google::rpc::Status proto;
    proto.set_code(code);
    EXPECT_EQ(StatusFromProto(proto).code(), absl::StatusCode::kUnknown) << code;
  }
}

TEST(Status, CarriesReasonMetadataAndAllViolations) {
  Violations violations;
  violations.Add("a.b", "first");
  violations.Add("c[0]", "second");
  const absl::Status status = WithReason(violations.ToStatus(), "BAD_THING", {{"key", "value"}});
  const google::rpc::Status proto = StatusToProto(status);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(proto.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "BAD_THING");
  EXPECT_EQ(info.domain(), "gradeline");
  EXPECT_EQ(info.metadata().at("key"), "value");
  const absl::Status back = StatusFromProto(proto);
  EXPECT_EQ(FieldViolationsOf(back), violations.list());
  EXPECT_EQ(ReasonOf(back).reason, "BAD_THING");
  EXPECT_EQ(ReasonOf(back).metadata.at("key"), "value");
}

TEST(Status, RetryInfoOnlyWhereTheSameCallMaySucceedLater) {
  EXPECT_EQ(Count<google::rpc::RetryInfo>(StatusToProto(absl::UnavailableError("x"))), 1);
  EXPECT_EQ(Count<google::rpc::RetryInfo>(StatusToProto(absl::ResourceExhaustedError("x"))), 0);
  EXPECT_EQ(Count<google::rpc::RetryInfo>(StatusToProto(WithReason(absl::ResourceExhaustedError("x"), "DISK_FULL"))),
            1);
  EXPECT_EQ(
      Count<google::rpc::RetryInfo>(StatusToProto(WithReason(absl::ResourceExhaustedError("x"), "MEMORY_BUDGET_FULL"))),
      1);
  EXPECT_EQ(Count<google::rpc::RetryInfo>(StatusToProto(MessageTooLarge("a batch", 9, 8))), 0);
  EXPECT_EQ(Count<google::rpc::RetryInfo>(StatusToProto(absl::NotFoundError("x"))), 0);
}

TEST(Status, FitsIntoATrailerHoweverManyViolations) {
  Violations violations;
  for (int i = 0; i < 10'000; ++i) {
    violations.Add(absl::StrCat("items[", i, "].label"), std::string(300, 'x') + "\xC3\xA4");
  }
  const google::rpc::Status proto = StatusToProto(violations.ToStatus());
  EXPECT_LT(proto.ByteSizeLong() * 4 / 3 + proto.message().size(), 8000u);
  EXPECT_EQ(ReasonOf(StatusFromProto(proto)).metadata.at("violations"), "10000");
  EXPECT_GE(FieldViolationsOf(StatusFromProto(proto)).size(), 5u);
}

TEST(Status, TooLargeNamesSizeLimitAndKey) {
  const absl::Status status = MessageTooLarge("the message", 300, 256);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(),
            "the message has 300 bytes; the server's limit is 256 (grpc.max_message_bytes in its configuration)");
  EXPECT_EQ(ReasonOf(status).metadata.at("limit"), "256");
}

}  // namespace
}  // namespace gradeline
