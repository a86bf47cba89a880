#include "server/core/engine/executor.h"

#include <atomic>
#include <latch>
#include <vector>

#include "gtest/gtest.h"

namespace gradeline {
namespace {

TEST(ExecutorTest, RunsInTheOrderPushed) {
  std::vector<int> order;
  {
    Executor executor(1);
    for (int i = 0; i < 1000; ++i) executor.Push([&order, i] { order.push_back(i); });
  }
  ASSERT_EQ(order.size(), 1000U);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

// A step that pushes its next one goes behind what others pushed meanwhile.
TEST(ExecutorTest, StepsThatGoOnTakeTurns) {
  std::vector<char> order;
  std::function<void(char, int)> go_on;
  {
    Executor executor(1);
    go_on = [&](char name, int left) {
      order.push_back(name);
      if (left > 0) executor.Push([&, name, left] { go_on(name, left - 1); });
    };
    executor.Push([&] {
      executor.Push([&] { go_on('a', 4); });
      executor.Push([&] { go_on('b', 4); });
    });
  }
  EXPECT_EQ(std::string(order.begin(), order.end()), "ababababab");
}

TEST(ExecutorTest, UsesAllItsThreads) {
  for (const int threads : {1, 2, 4, 8}) {
    Executor executor(threads);
    std::latch together(threads);
    for (int i = 0; i < threads; ++i) executor.Push([&] { together.arrive_and_wait(); });
    together.wait();  // hangs if one thread runs two of them
  }
}

TEST(ExecutorTest, KnowsItsSteps) {
  EXPECT_FALSE(Executor::InsideStep());
  std::atomic<bool> inside = false;
  {
    Executor executor(2);
    executor.Push([&] { inside = Executor::InsideStep(); });
  }
  EXPECT_TRUE(inside);
}

TEST(ExecutorTest, DestructionWaitsForStepsThatPushSteps) {
  std::atomic<int> ran = 0;
  std::function<void(int)> go_on;
  {
    Executor executor(2);
    go_on = [&](int left) {
      ++ran;
      if (left == 0) return;
      executor.Push([&, left] { go_on(left - 1); });
      executor.Push([&, left] { go_on(left - 1); });
    };
    executor.Push([&] { go_on(9); });
  }
  EXPECT_EQ(ran, 1023);
}

}  // namespace
}  // namespace gradeline
