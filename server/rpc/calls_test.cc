#include "server/rpc/calls.h"

#include <future>

#include "gtest/gtest.h"

namespace gradeline {
namespace {

using Clock = std::chrono::steady_clock;

TEST(RunningCallsTest, WhatBeginsDuringTheWaitDoesNotProlongIt) {
  RunningCalls calls;
  ASSERT_TRUE(calls.Begin());
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  auto waited = std::async(std::launch::async, [&] { calls.WaitForNone(deadline); });
  int before = 1;
  while (calls.Begin()) {  // until the wait has begun; the last one never ends
    ++before;
    ASSERT_LT(Clock::now(), deadline);
  }
  EXPECT_EQ(waited.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  for (; before > 0; --before) calls.End();
  waited.get();
  EXPECT_LT(Clock::now(), deadline);
}

TEST(RunningCallsTest, TheWaitEndsAtItsDeadline) {
  RunningCalls calls;
  ASSERT_TRUE(calls.Begin());
  const auto deadline = Clock::now() + std::chrono::milliseconds(20);
  calls.WaitForNone(deadline);
  EXPECT_GE(Clock::now(), deadline);
}

}  // namespace
}  // namespace gradeline
