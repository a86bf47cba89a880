#include "server/core/base/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gradeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ViolationsTest, EmptyIsOk) { EXPECT_TRUE(Violations().ToStatus().ok()); }

TEST(ViolationsTest, KeepsEveryViolationInOrder) {
  Violations violations;
  violations.Add("training.epochs", "is 0; allowed is 1 or more");
  violations.Add("", "has no split");
  const absl::Status status = violations.ToStatus();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "training.epochs: is 0; allowed is 1 or more; has no split");
  EXPECT_THAT(FieldViolationsOf(status), ElementsAre(FieldViolation{"training.epochs", "is 0; allowed is 1 or more"},
                                                     FieldViolation{"", "has no split"}));
}

TEST(ViolationsTest, KeepsAnyBytes) {
  Violations violations;
  const std::string odd("a\0b\xff", 4);
  violations.Add(odd, std::string(100000, 'x'));
  EXPECT_THAT(FieldViolationsOf(violations.ToStatus()), ElementsAre(FieldViolation{odd, std::string(100000, 'x')}));
}

TEST(ViolationsTest, MergePrefixesFields) {
  Violations inner;
  inner.Add("gamma", "is -1");
  inner.Add("", "no such loss");
  Violations outer;
  outer.Merge("params", inner.ToStatus());
  outer.Merge("", inner.ToStatus());
  outer.Merge("params", absl::OkStatus());
  outer.Merge("params", absl::NotFoundError("gone"));
  EXPECT_THAT(outer.list(), ElementsAre(FieldViolation{"params.gamma", "is -1"},
                                        FieldViolation{"params", "no such loss"}, FieldViolation{"gamma", "is -1"},
                                        FieldViolation{"", "no such loss"}, FieldViolation{"params", "gone"}));
}

TEST(StatusTest, PlainStatusCarriesNothing) {
  EXPECT_THAT(FieldViolationsOf(absl::NotFoundError("x")), IsEmpty());
  EXPECT_EQ(ReasonOf(absl::NotFoundError("x")).reason, "NOT_FOUND");
}

TEST(StatusTest, ReasonTravelsBesideViolations) {
  Violations violations;
  violations.Add("a", "b");
  const absl::Status status = WithReason(violations.ToStatus(), "LOSS_NOT_VALID", {{"loss", "mse"}, {"head", "box"}});
  EXPECT_EQ(ReasonOf(status).reason, "LOSS_NOT_VALID");
  EXPECT_EQ(ReasonOf(status).metadata, (std::map<std::string, std::string>{{"loss", "mse"}, {"head", "box"}}));
  EXPECT_EQ(FieldViolationsOf(status).size(), 1u);
}

TEST(StatusTest, BelowFieldMovesViolationsAndKeepsTheReason) {
  Violations violations;
  violations.Add("gamma", "too large");
  const absl::Status moved = BelowField("experiment", WithReason(violations.ToStatus(), "BAD_PARAMS", {{"k", "v"}}));
  ASSERT_EQ(FieldViolationsOf(moved).size(), 1u);
  EXPECT_EQ(FieldViolationsOf(moved)[0].field, "experiment.gamma");
  EXPECT_EQ(ReasonOf(moved).reason, "BAD_PARAMS");
  EXPECT_EQ(BelowField("x", absl::NotFoundError("gone")), absl::NotFoundError("gone"));
}

TEST(ViolationsTest, MergeRestNamesNoFieldTwice) {
  Violations violations;
  violations.Add("name", "is no name");
  Violations rest;
  rest.Add("name", "is empty");
  rest.Add("epochs", "is -1");
  violations.MergeRest("", rest.ToStatus());
  violations.MergeRest("task", absl::NotFoundError("gone"));
  violations.MergeRest("", absl::UnavailableError("the store is locked"));
  EXPECT_THAT(violations.list(), ElementsAre(FieldViolation{"name", "is no name"}, FieldViolation{"epochs", "is -1"},
                                             FieldViolation{"task", "gone"}));
  EXPECT_EQ(violations.ToStatus().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ViolationsTest, MergeRestKeepsWhatComesAlone) {
  const absl::Status gone = WithReason(absl::NotFoundError("gone"), "UNKNOWN_NAME", {{"kind", "task"}});
  Violations violations;
  violations.MergeRest("task", gone);
  EXPECT_FALSE(violations.empty());
  EXPECT_EQ(violations.ToStatus(), gone);
  violations.MergeRest("architecture", absl::NotFoundError("gone too"));
  EXPECT_EQ(violations.ToStatus().message(), "task: gone; architecture: gone too");
  EXPECT_EQ(violations.ToStatus().code(), absl::StatusCode::kInvalidArgument);
}

absl::StatusOr<int> Half(int x) {
  if (x % 2 != 0) return absl::InvalidArgumentError("odd");
  return x / 2;
}
absl::StatusOr<int> Quarter(int x) {
  GRADELINE_ASSIGN_OR_RETURN(const int half, Half(x));
  GRADELINE_ASSIGN_OR_RETURN(const int quarter, Half(half));
  GRADELINE_RETURN_IF_ERROR(absl::OkStatus());
  return quarter;
}
TEST(StatusTest, MacrosPassErrorsOn) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).status().message(), "odd");
}

TEST(NearNamesTest, FindsWhatWasMeantBestFirst) {
  const std::vector<std::string> known{"cross_entropy", "binary_cross_entropy", "mse", "focal", "box"};
  EXPECT_THAT(NearNames("cros_entropy", known), ElementsAre("cross_entropy"));
  EXPECT_THAT(NearNames("CROSS-ENTROPY", known), ElementsAre("cross_entropy", "binary_cross_entropy"));
  EXPECT_THAT(NearNames("mes", known), ElementsAre("mse"));
  EXPECT_THAT(NearNames("entropy", known), ElementsAre("cross_entropy", "binary_cross_entropy"));
  EXPECT_THAT(NearNames("dice", known), IsEmpty());
  EXPECT_THAT(NearNames("", known), IsEmpty());
  EXPECT_THAT(NearNames(std::string(1 << 20, 'a'), known), IsEmpty());
}

TEST(NearNamesTest, NamesAtMostThree) {
  EXPECT_THAT(NearNames("aaa", {"aab", "aac", "aad", "aae", "aab"}), ElementsAre("aab", "aac", "aad"));
}

}  // namespace
}  // namespace gradeline
