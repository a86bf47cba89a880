#include "client/cpp/route.h"

#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"

namespace gradeline::client {
namespace {

const absl::Status kLost = absl::UnavailableError("connection refused");

// As the server says it.
absl::Status NotOwner(const std::string& address) {
  google::rpc::ErrorInfo info;
  info.set_reason("NOT_OWNER");
  (*info.mutable_metadata())["address"] = address;
  absl::Status status = absl::UnavailableError("another server has the experiment");
  status.SetPayload("type.googleapis.com/google.rpc.ErrorInfo", absl::Cord(info.SerializeAsString()));
  return status;
}

// Nothing is called, so nobody needs to listen.
class RouteTest : public ::testing::Test {
 protected:
  const std::string& address() const { return route_.connection()->address(); }

  const std::string target_ = "127.0.0.1:1", a_ = "127.0.0.1:2", b_ = "127.0.0.1:3";
  Route route_{*Connect(target_, {.connect_timeout = absl::ZeroDuration(), .keepalive_period = absl::Seconds(7)})};
};

TEST_F(RouteTest, StaysAtTheTargetThatNamesNoOwner) {
  EXPECT_EQ(address(), target_);
  for (const absl::Status& status : {kLost, NotOwner(""), NotOwner("no address")}) {
    EXPECT_FALSE(route_.Failed(status)) << status;
    EXPECT_EQ(address(), target_);
    EXPECT_FALSE(route_.told());
  }
}

TEST_F(RouteTest, FollowsAtOnceWithTheSameOptions) {
  EXPECT_TRUE(route_.Failed(NotOwner(a_)));
  EXPECT_EQ(address(), a_);
  EXPECT_TRUE(route_.told());
  EXPECT_EQ(route_.connection()->options().keepalive_period, absl::Seconds(7));
}

TEST_F(RouteTest, TheOwnerMayNameAnother) {
  route_.Failed(NotOwner(a_));
  route_.Reached();
  EXPECT_TRUE(route_.Failed(NotOwner(b_)));
  EXPECT_EQ(address(), b_);
}

TEST_F(RouteTest, ServersThatNameEachOtherDoNotKeepItBusy) {
  EXPECT_TRUE(route_.Failed(NotOwner(a_)));
  EXPECT_TRUE(route_.Failed(NotOwner(b_)));
  EXPECT_FALSE(route_.Failed(NotOwner(a_)));
  EXPECT_EQ(address(), target_);
}

TEST_F(RouteTest, TargetAndADeadOwnerAreCalledInTurn) {
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(route_.Failed(NotOwner(a_)));
    EXPECT_FALSE(route_.Failed(kLost));
    EXPECT_EQ(address(), target_);
  }
  EXPECT_TRUE(route_.Failed(NotOwner(b_)));  // taken over
  EXPECT_EQ(address(), b_);
}

TEST_F(RouteTest, ADeadTargetAndTheOwnerAreCalledInTurn) {
  route_.Failed(NotOwner(a_));
  route_.Reached();
  for (int round = 0; round < 3; ++round) {
    EXPECT_FALSE(route_.Failed(kLost));
    EXPECT_EQ(address(), target_);
    EXPECT_FALSE(route_.Failed(kLost));
    EXPECT_EQ(address(), a_);
  }
}

TEST_F(RouteTest, ATargetThatTakesTheCallIsTheOwner) {
  route_.Failed(NotOwner(a_));
  route_.Failed(kLost);
  route_.Reached();
  EXPECT_FALSE(route_.told());
  EXPECT_FALSE(route_.Failed(kLost));
  EXPECT_EQ(address(), target_);
}

TEST(PauseTest, DoublesWithinItsBounds) {
  for (int failed = 0; failed < 40; ++failed) {
    const absl::Duration whole =
        std::min(absl::Seconds(5), absl::Milliseconds(100) * static_cast<double>(1LL << failed));
    const absl::Duration pause = Pause(failed, absl::Milliseconds(100), absl::Seconds(5));
    EXPECT_GE(pause, whole / 2);
    EXPECT_LE(pause, whole);
  }
}

}  // namespace
}  // namespace gradeline::client
