// Streams that share an engine: order within a lane, turns between lanes, closing, cancelling, the budget.
#include <atomic>
#include <latch>
#include <thread>

#include "gmock/gmock.h"
#include "server/core/engine/engine.h"
#include "server/core/engine/test_batch.h"
#include "server/core/engine/test_losses.h"

namespace gradeline {
namespace {

using test_losses::Probe;

class LaneTest : public ::testing::Test {
 protected:
  void TearDown() override { Probe::on_tile = nullptr; }
  LossHandle probe() { return Handle(*registry_, "test_probe"); }

  const std::shared_ptr<const LossRegistry> registry_ = RegistryWith({&test_losses::Plugin()});
  const TestTensor small_{DType::kF32, {4, 2}, std::vector<double>(8, 1)};
  const TestTensor large_{DType::kF32, {1 << 18, 4}, std::vector<double>(1 << 20, 1)};  // 16 tiles
};

TEST_F(LaneTest, WorkRunsInOrderAndNeverOverlaps) {
  Engine engine({.threads = 4});
  std::vector<int> order;  // no lock: that is the promise
  std::latch ended(1);
  const LossHandle loss = probe();
  const auto lane = engine.OpenLane();
  for (int i = 0; i < 100; ++i) {
    lane->Post([&, i] {
      order.push_back(3 * i);
      lane->Compute(MakeCall(loss, {{"prediction", i % 3 == 0 ? &large_ : &small_}}),
                    [&, i](const absl::StatusOr<LossResult>& result) {
                      EXPECT_TRUE(result.ok()) << result.status();
                      order.push_back(3 * i + 1);
                      lane->Compute(MakeCall(loss, {{"prediction", &small_}}),
                                    [&, i](const absl::StatusOr<LossResult>&) {
                                      order.push_back(3 * i + 2);
                                      if (i == 99) ended.count_down();
                                    });
                    });
      EXPECT_EQ(order.back(), 3 * i) << "computing begins when the work has returned";
    });
  }
  ended.wait();
  for (int i = 0; i < 300; ++i) ASSERT_EQ(order[static_cast<size_t>(i)], i);
}

// The first slots of the large batch stand still until the small one is posted, all later ones until it has answered:
// this ends only if lanes take turns.
TEST_F(LaneTest, ASmallBatchPassesALargeOne) {
  for (const int threads : {1, 2, 4}) {
    Engine engine({.threads = threads});
    const auto large = engine.OpenLane(), small = engine.OpenLane();
    const LossHandle loss = probe();
    std::atomic<int> tiles = 0;
    std::atomic<bool> posted = false, small_done = false, large_done = false;
    std::latch large_runs(threads), both(2);
    Probe::on_tile = [&](const GdlTile& tile) {
      if (tile.shape->outer == 4) return;
      const bool first = ++tiles <= threads;
      if (first) large_runs.count_down();
      while (!(first ? posted : small_done)) std::this_thread::yield();
    };
    large->Post([&] {
      large->Compute(MakeCall(loss, {{"prediction", &large_}}), [&](const absl::StatusOr<LossResult>&) {
        large_done = true;
        both.count_down();
      });
    });
    large_runs.wait();
    small->Post([&] {
      small->Compute(MakeCall(loss, {{"prediction", &small_}}), [&](const absl::StatusOr<LossResult>&) {
        EXPECT_FALSE(large_done);
        small_done = true;
        both.count_down();
      });
    });
    posted = true;
    both.wait();
    EXPECT_EQ(tiles, 16);
  }
}

TEST_F(LaneTest, ClosingDropsWhatHasNotBegunAndWaitsForWhatRuns) {
  Engine engine({.threads = 2});
  auto lane = engine.OpenLane();
  std::latch running(1), go_on(1);
  std::atomic<int> ran = 0;
  std::atomic<bool> done = false;
  const LossHandle loss = probe();
  lane->Post([&, raw = lane.get()] {
    running.count_down();
    go_on.wait();
    raw->Compute(MakeCall(loss, {{"prediction", &large_}}), [&](const absl::StatusOr<LossResult>&) { done = true; });
  });
  auto held = std::make_shared<int>(0);
  for (int i = 0; i < 10; ++i) {
    lane->Post([&, held] { ++ran; });
  }
  running.wait();
  std::thread closer([&] { lane.reset(); });
  while (held.use_count() > 1) std::this_thread::yield();  // until the closer has dropped the rest
  EXPECT_FALSE(done);
  go_on.count_down();
  closer.join();
  EXPECT_TRUE(done);
  EXPECT_EQ(ran, 0);
}

TEST_F(LaneTest, CancellationIsSeenBetweenTiles) {
  Engine engine({.threads = 2});
  const auto lane = engine.OpenLane();
  std::atomic<bool> cancelled = false;
  std::atomic<int> tiles = 0;
  std::latch ended(1);
  Probe::on_tile = [&](const GdlTile&) {
    ++tiles;
    cancelled = true;
  };
  absl::Status status;
  const LossHandle loss = probe();
  lane->Post([&] {
    LossCall call = MakeCall(loss, {{"prediction", &large_}});
    call.cancelled = &cancelled;
    lane->Compute(std::move(call), [&](const absl::StatusOr<LossResult>& result) {
      status = result.status();
      ended.count_down();
    });
  });
  ended.wait();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_LE(tiles, 2) << "of 16; one per thread";
}

TEST_F(LaneTest, LargeAndSmallBatchesOfManyLanesHaveTheSameBits) {
  const TestTensor prediction(DType::kF16, {2, 5, 300, 300}, Randoms(2 * 5 * 90000, 1));
  const TestTensor target(DType::kI32, {2, 300, 300}, RandomLabels(2 * 90000, 2, 5));
  const TestTensor rows(DType::kF32, {8, 5}, Randoms(40, 3)), labels(DType::kU8, {8}, RandomLabels(8, 4, 5));
  const LossHandle loss = Handle(*registry_, "cross_entropy");
  LossCall large = MakeCall(loss, {{"prediction", &prediction}, {"target", &target}});
  LossCall small = MakeCall(loss, {{"prediction", &rows}, {"target", &labels}});
  large.gradient = small.gradient = true;
  std::string large_bits, small_bits;
  {
    Engine engine({.threads = 1});
    large_bits = Bits(*engine.Run(large));
    small_bits = Bits(*engine.Run(small));
  }
  Engine engine({.threads = 4});
  constexpr int kLanes = 6, kBatches = 8;
  std::latch ended(kLanes * kBatches);
  std::atomic<int> wrong = 0;
  std::vector<std::unique_ptr<Lane>> lanes;
  for (int l = 0; l < kLanes; ++l) lanes.push_back(engine.OpenLane());
  for (int b = 0; b < kBatches; ++b) {
    for (int l = 0; l < kLanes; ++l) {
      lanes[static_cast<size_t>(l)]->Post([&, l, b] {
        const bool is_large = (l + b) % 2 == 0;
        lanes[static_cast<size_t>(l)]->Compute(
            is_large ? large : small, [&, is_large](const absl::StatusOr<LossResult>& result) {
              if (!result.ok() || Bits(*result) != (is_large ? large_bits : small_bits)) ++wrong;
              ended.count_down();
            });
      });
    }
  }
  ended.wait();
  EXPECT_EQ(wrong, 0);
}

// Scratch of many calls at once, each more than half of the budget: they wait for each other, none for ever.
TEST_F(LaneTest, CallsWaitForScratch) {
  Engine engine({.threads = 4, .memory_budget_bytes = 4 << 20});
  const TestTensor prediction(DType::kF32, {300000}, std::vector<double>(300000, 1));
  const LossHandle loss = Handle(*registry_, "test_prefix");
  constexpr int kLanes = 5;
  std::latch ended(kLanes);
  std::vector<std::unique_ptr<Lane>> lanes;
  for (int l = 0; l < kLanes; ++l) lanes.push_back(engine.OpenLane());
  for (const auto& lane : lanes) {
    engine.Admit(1 << 20, [&, raw = lane.get()] {
      raw->Post([&, raw] {
        raw->Compute(MakeCall(loss, {{"prediction", &prediction}}), [&](const absl::StatusOr<LossResult>& result) {
          EXPECT_TRUE(result.ok()) << result.status();
          engine.Release(1 << 20);
          ended.count_down();
        });
      });
    });
  }
  ended.wait();
  lanes.clear();
  EXPECT_EQ(engine.admitted_bytes(), 0);
}

TEST_F(LaneTest, RunFromInsideWork) {
  Engine engine({.threads = 1});
  const auto lane = engine.OpenLane();
  std::latch ended(1);
  const LossHandle loss = probe();
  lane->Post([&] {
    EXPECT_TRUE(engine.Run(MakeCall(loss, {{"prediction", &large_}})).ok());
    ended.count_down();
  });
  ended.wait();
}

}  // namespace
}  // namespace gradeline
