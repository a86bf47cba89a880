// What only snapshots of an SQLite file do: they are copies, beside it.
#include "server/store/sqlite/snapshot.h"

#include <filesystem>
#include <fstream>
#include <functional>

#include "server/store/sqlite/test_sqlite.h"

namespace gradeline {
namespace {

const std::function<bool()> kGoOn = [] { return true; };

class SqliteSnapshotTest : public testing::Test {
 protected:
  SqliteSnapshotTest() {
    Experiment experiment = TestExperiment(1, 2);
    experiment.id = "open";
    world_.Start(experiment);
  }
  TestWorld world_;
};

// Large enough for several steps, with a write after the first one.
TEST_F(SqliteSnapshotTest, ASnapshotIsOfOneMomentWhateverIsWrittenMeanwhile) {
  Dataset large;
  large.id = "large";
  large.classes = {"a"};
  std::vector<Item> items(40'000);
  for (size_t i = 0; i < items.size(); ++i) items[i].uri = absl::StrCat("a file with quite a long name#", i);
  ASSERT_TRUE(world_.experiments->ImportDataset(large, items, "").ok());
  int steps = 0;
  const auto snapshot =
      world_.store->TakeSnapshot([&] { return ++steps > 1 || world_.experiments->Cancel("open", "", "").ok(); });
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_GT(steps, 2);
  EXPECT_LT((*snapshot)->bytes(), steps * (int64_t{1} << 20)) << "the copy began anew";
  const absl::Status second = world_.store->TakeSnapshot(kGoOn).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition) << second;
  auto store = (*snapshot)->Open();
  EXPECT_EQ((*store)->GetExperiment("open")->second.state, ExperimentState::kQueued);
  EXPECT_EQ(world_.store->GetExperiment("open")->second.state, ExperimentState::kCancelled);
}

TEST_F(SqliteSnapshotTest, ASnapshotIsItsOwnersAloneAndLeavesNothing) {
  const std::string path = SnapshotPath(SqliteOf(world_).path);
  {
    auto snapshot = world_.store->TakeSnapshot(kGoOn);
    ASSERT_TRUE(snapshot.ok());
    EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0600));
    EXPECT_TRUE((*snapshot)->Open().ok());
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(world_.store->TakeSnapshot([] { return false; }).status().code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(path));
  std::ofstream(path) << "of a crash";
  world_.Restart();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(SqliteSnapshotTest, ASnapshotIsGivenUpWhenWritesBringTooMuch) {
  SqliteOf(world_).most_snapshot_log_bytes = 0;
  world_.Restart();
  int asked = 0;
  const auto snapshot = world_.store->TakeSnapshot([&] {
    ++asked;
    return world_.experiments->Cancel("open", "", "").ok() || asked > 1;  // a write while pages are copied
  });
  EXPECT_EQ(snapshot.status().code(), absl::StatusCode::kResourceExhausted) << snapshot.status();
  EXPECT_TRUE(world_.store->TakeSnapshot(kGoOn).ok());
}

}  // namespace
}  // namespace gradeline
