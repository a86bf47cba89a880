// The ledger over a real database: one rank, two ranks, lost connections, restarts.
#include "gmock/gmock.h"
#include "server/store/sqlite/test_world.h"

namespace gradeline {
namespace {

using testing::ElementsAre;

constexpr Phase kTrain = Phase::kTrain;

/// Sends records 1 ... count of a phase, then its end; returns the next seq.
int64_t SendPhase(RankSession& session, int64_t seq, Phase phase, int64_t epoch, int64_t count) {
  for (int64_t step = 0; step < count; ++step, ++seq) {
    const auto begun = session.Begin(seq);
    EXPECT_TRUE(begun.ok()) << begun.status();
    const Record record = TestRecord(seq, {phase, epoch, step, 0, 0}, static_cast<double>(step));
    EXPECT_TRUE(session.CheckKey(record.key).ok());
    session.Report(record, nullptr);
  }
  EXPECT_TRUE(session.Begin(seq).ok());
  const absl::Status ended = session.EndPhase(seq, phase, epoch, count, nullptr);
  EXPECT_TRUE(ended.ok()) << ended;
  return seq + 1;
}

TEST(Ledger, OneRankFromStartToEnd) {
  TestWorld world;
  world.Start(1, 1);
  EXPECT_EQ(world.Get().state, ExperimentState::kQueued);
  auto listener = std::make_shared<TestListener>();
  auto session = world.Join(0, listener);
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ(world.Get().state, ExperimentState::kRunning);
  EXPECT_EQ((*session)->welcome().committed_seq, 0);
  int64_t seq = SendPhase(**session, 1, kTrain, 0, 4);
  listener->AwaitSeals(1);
  EXPECT_EQ(listener->committed, 5);
  const Seal& seal = listener->seals[0];
  EXPECT_TRUE(seal.complete);
  EXPECT_EQ(seal.batches, 4);
  EXPECT_EQ(seal.items, 40);
  // Steps 0 ... 3, ten items each: 1.5 for each component; weights 1 and 0.5, and nothing for head aux.
  ASSERT_EQ(seal.components.size(), 3u);
  EXPECT_EQ(seal.components[0].value, 1.5);
  EXPECT_EQ(seal.loss, 1.5 + 0.75);
  EXPECT_EQ(seal.average, 2.25 / 3);
  ASSERT_EQ(seal.metrics.size(), 1u);
  EXPECT_EQ(seal.metrics[0].value, 6.0 / 40);
  ASSERT_TRUE((*session)->Begin(seq).ok());
  (*session)->Bye(seq, "", nullptr);
  listener->AwaitStop();
  EXPECT_EQ(world.Get().state, ExperimentState::kSucceeded);
  EXPECT_EQ(world.Seals().size(), 1u);
}

}  // namespace
}  // namespace gradeline
