// What only snapshots of a PostgreSQL database do: they live in a transaction, and its connections may be lost.
#include "server/store/postgres/snapshot.h"

#include <functional>

#include "gmock/gmock.h"
#include "server/core/experiment/check.h"
#include "server/store/postgres/testing/test_postgres.h"
#include "server/store/test_world.h"

namespace gradeline {
namespace {

using testing::HasSubstr;

const std::function<bool()> kGoOn = [] { return true; };

class PostgresSnapshotTest : public testing::Test {
 protected:
  PostgresSnapshotTest() {
    for (const char* id : {"a", "b"}) {
      Experiment experiment = TestExperiment(1, 2);
      experiment.id = id;
      world_.Start(experiment);
      const auto listener = std::make_shared<TestListener>();
      const auto rank = *world_.Join(0, listener);
      SendPhase(*rank, 1, Phase::kTrain, 0, 2);
      EXPECT_TRUE(listener->AwaitSeals(1));
    }
    auto snapshot = world_.store->TakeSnapshot(kGoOn);
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    snapshot_ = *std::move(snapshot);
    store_ = *snapshot_->Open();
  }
  ~PostgresSnapshotTest() override { store_.reset(); }

  /// Ends the sessions in a transaction that only reads, of those that `which` says, and waits for their end.
  static void EndSessions(const std::string& which) {
    const std::string sessions =
        "FROM pg_stat_activity WHERE backend_type = 'client backend' AND state = 'idle in transaction' AND " + which;
    EXPECT_NE(SharedPostgres().Ask("SELECT count(pg_terminate_backend(pid, 10000)) " + sessions), "0") << which;
  }

  TestWorld world_;
  std::unique_ptr<Snapshot> snapshot_;
  std::shared_ptr<Store> store_;
};

TEST_F(PostgresSnapshotTest, ItIsNoBackUpAndIsOnlyRead) {
  const absl::Status read = snapshot_->Read(0, 1).status();
  EXPECT_EQ(read.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(read.message()), HasSubstr("pg_dump"));
  EXPECT_TRUE(absl::IsFailedPrecondition(store_->Begin().status()));
}

TEST_F(PostgresSnapshotTest, AReaderThatIsLostIsReplacedAtTheSameMoment) {
  EXPECT_TRUE(store_->ListExperiments({}, 10, "").ok());
  EXPECT_TRUE(world_.experiments->Cancel("a", "", "").ok());
  EndSessions("query NOT LIKE '%pg_export_snapshot%'");
  EXPECT_EQ(store_->GetExperiment("a")->second.state, ExperimentState::kRunning);
  const auto report = CheckStore(*store_, kGoOn);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->flaw_count, 0) << report->flaws[0].what;
  EXPECT_EQ(report->records, 4);
}

TEST_F(PostgresSnapshotTest, AMomentThatIsLostIsNoFlaw) {
  EndSessions("true");
  const auto report = CheckStore(*store_, kGoOn);
  EXPECT_TRUE(absl::IsUnavailable(report.status())) << report.status();
}

// An error of PostgreSQL ends the transaction that it comes in, not the check.
TEST_F(PostgresSnapshotTest, WhatCannotBeReadIsNamedAndTheRestIsReadAllTheSame) {
  world_.place()->Connect()->Execute("ALTER TABLE incidents RENAME COLUMN kind TO sort").IgnoreError();
  const auto report = CheckStore(*store_, kGoOn);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->experiments, 2);
  ASSERT_EQ(report->flaw_count, 2);
  for (const Flaw& flaw : report->flaws)
    EXPECT_THAT(flaw.what, HasSubstr("42703")) << "of experiment " << flaw.experiment;
}

}  // namespace
}  // namespace gradeline
