#include "client/cpp/status.h"

#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"

namespace gradeline::client {
namespace {

google::rpc::Status Rich() {
  google::rpc::Status out;
  out.set_code(3);
  out.set_message("two fields are wrong");
  google::rpc::ErrorInfo info;
  info.set_reason("BAD_FIELDS");
  info.set_domain("gradeline");
  (*info.mutable_metadata())["count"] = std::string("2");
  out.add_details()->PackFrom(info);
  google::rpc::BadRequest bad;
  for (const char* field : {"training.epochs", "losses[0].params.gamma"}) {
    auto* violation = bad.add_field_violations();
    violation->set_field(field);
    violation->set_description("is 0, must be 1 or more");
  }
  out.add_details()->PackFrom(bad);
  return out;
}

TEST(Status, KeepsEveryDetailOfACall) {
  const google::rpc::Status rich = Rich();
  const absl::Status status =
      StatusFromGrpc(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, rich.message(), rich.SerializeAsString()));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "two fields are wrong");
  EXPECT_EQ(ReasonOf(status), "BAD_FIELDS");
  EXPECT_EQ(MetadataOf(status, "count"), "2");
  EXPECT_EQ(MetadataOf(status, "colour"), "");
  EXPECT_EQ(FieldViolationsOf(status),
            (std::vector<FieldViolation>{{"training.epochs", "is 0, must be 1 or more"},
                                         {"losses[0].params.gamma", "is 0, must be 1 or more"}}));
}

TEST(Status, ComesBackAsItWas) {
  const google::rpc::Status back = StatusToProto(StatusFromProto(Rich()));
  ASSERT_EQ(back.details_size(), 2);
  EXPECT_TRUE(back.details(0).Is<google::rpc::ErrorInfo>());
  EXPECT_TRUE(back.details(1).Is<google::rpc::BadRequest>());
  EXPECT_EQ(FieldViolationsOf(StatusFromProto(back)).size(), 2u);
  EXPECT_EQ(ReasonOf(StatusFromProto(back)), "BAD_FIELDS");
}

TEST(Status, WithoutReadableDetailsKeepsCodeAndMessage) {
  const absl::Status status = StatusFromGrpc(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone", "\xff\xff\xff"));
  EXPECT_EQ(status, absl::UnavailableError("gone"));
  EXPECT_EQ(ReasonOf(status), "UNAVAILABLE");
  EXPECT_EQ(MetadataOf(status, "count"), "");
  EXPECT_TRUE(StatusFromGrpc(grpc::Status::OK).ok());
}

TEST(Status, LocalViolationsLookLikeTheServers) {
  const absl::Status status = InvalidFields({{"a", "is 1"}, {"", "both"}});
  EXPECT_EQ(status.message(), "a: is 1; both");
  EXPECT_EQ(FieldViolationsOf(status), (std::vector<FieldViolation>{{"a", "is 1"}, {"", "both"}}));
}

}  // namespace
}  // namespace gradeline::client
