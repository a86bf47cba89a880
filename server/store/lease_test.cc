// Who is suspect, who is gone, and what that does to an experiment, over a real database and a clock that the test
// moves.
#include <algorithm>

#include "gmock/gmock.h"
#include "server/core/experiment/resolve.h"
#include "server/core/experiment/rules.h"
#include "server/store/test_world.h"

namespace gradeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class LeaseTest : public testing::Test {
 protected:
  LeaseTest() : world_(Options()) {}
  static Experiments::Options Options() {
    Experiments::Options options;
    options.leases = {.suspect_ms = 10'000, .gone_ms = 60'000, .progress_ms = 600'000};
    return options;
  }
  std::shared_ptr<RankSession> Join(int32_t rank, const std::shared_ptr<TestListener>& listener) {
    auto joined = world_.Join(rank, listener, static_cast<char>('a' + rank));
    EXPECT_TRUE(joined.ok()) << joined.status();
    return joined.ok() ? *joined : nullptr;
  }
  // Time passes; the sessions beat meanwhile, and the ledger thread looks on.
  void Pass(int64_t ms, const std::vector<std::shared_ptr<RankSession>>& beating = {}, bool paused = false) {
    while (ms > 0) {
      const int64_t step = std::min<int64_t>(ms, 4'000);
      ms -= step;
      world_.clock.now_ms += step;
      for (const auto& session : beating) session->Heartbeat(paused);
      AwaitLook();
    }
  }
  // The ledger thread has looked at the leases since the clock was moved.
  void AwaitLook() {
    for (int i = 0; i < 3; ++i) world_.experiments->DeleteDataset("nothing").IgnoreError();
  }
  static std::vector<int32_t> RanksOf(const std::vector<LateRank>& late) {
    std::vector<int32_t> ranks;
    for (const LateRank& rank : late) ranks.push_back(rank.rank);
    return ranks;
  }
  static bool AwaitSuspects(TestListener& listener, const std::vector<int32_t>& ranks) {
    return listener.Await([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return RanksOf(listener.suspect) == ranks; });
  }
  ExperimentState State() { return world_.Get().state; }

  TestWorld world_;
};

TEST_F(LeaseTest, ASilentRankIsSuspectThenGoneAndTheExperimentLost) {
  world_.Start(2, 1);
  const auto first = std::make_shared<TestListener>(), second = std::make_shared<TestListener>();
  const auto one = Join(0, first), two = Join(1, second);
  Send(*two, TestRecord(1, {Phase::kTrain, 0, 7, 0, 0}, 1));
  second->AwaitCommitted(1);
  Pass(9'999, {one});
  EXPECT_EQ(first->rank_news, 0);
  Pass(1, {one});
  ASSERT_TRUE(AwaitSuspects(*first, {1}));
  EXPECT_EQ(first->suspect[0].silent_ms, 10'000);
  ASSERT_TRUE(first->suspect[0].last.has_value());
  EXPECT_EQ(first->suspect[0].last->step, 7);
  EXPECT_EQ(State(), ExperimentState::kRunning);
  Pass(49'999, {one});
  EXPECT_EQ(State(), ExperimentState::kRunning);
  Pass(1, {one});
  first->AwaitStop();
  EXPECT_EQ(first->stopped, ExperimentState::kLost);
  EXPECT_THAT(first->gone, ElementsAre(1));
  EXPECT_THAT(first->reason, HasSubstr("rank 1 was silent for 60 s; its newest record: train of epoch 0, step 7"));
  EXPECT_EQ(State(), ExperimentState::kLost);
  EXPECT_EQ(world_.Incidents().at(0).kind, "gone");
  ASSERT_EQ(world_.Seals().size(), 1u);
  EXPECT_FALSE(world_.Seals()[0].complete);
}

TEST_F(LeaseTest, ASuspectThatSpeaksIsBack) {
  world_.Start(2, 1);
  const auto first = std::make_shared<TestListener>(), second = std::make_shared<TestListener>();
  const auto one = Join(0, first), two = Join(1, second);
  Pass(59'000, {one});
  ASSERT_TRUE(AwaitSuspects(*first, {1}));
  two->Flush();
  ASSERT_TRUE(AwaitSuspects(*first, {}));
  Pass(9'000);
  EXPECT_EQ(State(), ExperimentState::kRunning);
}

TEST_F(LeaseTest, ANewStreamOfTheSameInstanceBringsASuspectBack) {
  world_.Start(2, 1);
  const auto first = std::make_shared<TestListener>(), second = std::make_shared<TestListener>();
  const auto one = Join(0, first);
  auto two = Join(1, second);
  two.reset();
  Pass(30'000, {one});
  ASSERT_TRUE(AwaitSuspects(*first, {1}));
  EXPECT_EQ(world_.Join(1, std::make_shared<TestListener>(), 'x').status().code(), absl::StatusCode::kAlreadyExists)
      << "a suspect's place is not free";
  two = Join(1, second);
  ASSERT_TRUE(AwaitSuspects(*first, {}));
}

TEST_F(LeaseTest, ARankThatOnlyBeatsIsGoneUnlessItPauses) {
  world_.Start(1, 1);
  const auto listener = std::make_shared<TestListener>();
  const auto session = Join(0, listener);
  session->Heartbeat(true);
  Pass(1'000'000, {session}, true);
  EXPECT_EQ(State(), ExperimentState::kRunning);
  // A new stream of the rank goes on pausing until it says otherwise.
  const auto again = Join(0, listener);
  Pass(1'000);
  EXPECT_EQ(State(), ExperimentState::kRunning);
  again->Heartbeat(false);
  Pass(599'999, {again});
  EXPECT_EQ(State(), ExperimentState::kRunning);
  Pass(1, {again});
  listener->AwaitStop();
  EXPECT_EQ(listener->stopped, ExperimentState::kLost);
  EXPECT_THAT(listener->reason,
              HasSubstr("rank 0 reported nothing for 600 s though it is alive; its newest record: none"));
}

TEST_F(LeaseTest, WhoWaitsForOthersIsNotStuck) {
  world_.Start(2, 2);
  const auto first = std::make_shared<TestListener>(), second = std::make_shared<TestListener>();
  const auto one = Join(0, first), two = Join(1, second);
  SendPhase(*one, 1, Phase::kTrain, 0, 2);
  int64_t seq = 1;
  for (int step = 0; step < 4; ++step) {
    Send(*two, TestRecord(seq++, {Phase::kTrain, 0, step, 0, 0}, 1));
    Pass(400'000, {one, two});
    ASSERT_EQ(State(), ExperimentState::kRunning) << step;
  }
  // Once the phase is sealed, it is the rank's turn again.
  ASSERT_TRUE(two->Begin(seq).ok());
  ASSERT_TRUE(two->EndPhase(seq, Phase::kTrain, 0, 4, nullptr).ok());
  first->AwaitSeals(1);
  Pass(600'000, {one, two});
  first->AwaitStop();
  EXPECT_EQ(first->stopped, ExperimentState::kLost);
}

TEST_F(LeaseTest, WhoDoesNotReportAPhaseIsNotStuckMeanwhile) {
  Experiment experiment = TestExperiment(2, 2);
  experiment.training.validation_ranks = PhaseRanks::kFirst;
  world_.Start(experiment);
  const auto first = std::make_shared<TestListener>(), second = std::make_shared<TestListener>();
  const auto one = Join(0, first), two = Join(1, second);
  int64_t seq = SendPhase(*one, 1, Phase::kTrain, 0, 1);
  SendPhase(*two, 1, Phase::kTrain, 0, 1);
  first->AwaitSeals(1);
  for (int step = 0; step < 4; ++step) {
    Send(*one, TestRecord(seq, {Phase::kValidation, 0, step, 0, 0}, 1));
    first->AwaitCommitted(seq++);
    Pass(400'000, {one, two});
    ASSERT_EQ(State(), ExperimentState::kRunning) << step;
  }
}

TEST_F(LeaseTest, WhomTheServerDoesNotListenToIsNotSilent) {
  world_.Start(1, 1);
  const auto listener = std::make_shared<TestListener>();
  const auto session = Join(0, listener);
  listener->listens = false;
  Pass(1'000'000);
  EXPECT_EQ(State(), ExperimentState::kRunning);
  listener->listens = true;
  Pass(60'000);
  listener->AwaitStop();
  EXPECT_EQ(listener->stopped, ExperimentState::kLost);
}

TEST_F(LeaseTest, AfterARestartEveryHeldRankIsSuspectWithTheFullTime) {
  world_.Start(2, 1);
  const auto first = std::make_shared<TestListener>();
  auto one = Join(0, first);
  auto two = Join(1, std::make_shared<TestListener>());
  Pass(59'000);
  one.reset();
  two.reset();
  world_.Restart();
  AwaitLook();
  Pass(59'999);
  EXPECT_EQ(State(), ExperimentState::kRunning);
  one = Join(0, first);
  ASSERT_TRUE(AwaitSuspects(*first, {1}));
  Pass(1);
  first->AwaitStop();
  EXPECT_EQ(first->stopped, ExperimentState::kLost);
  EXPECT_THAT(first->reason, HasSubstr("rank 1 was silent for 60 s; its newest record: none known"));
}

TEST_F(LeaseTest, NobodyComesBackAfterARestartAndTheExperimentIsLost) {
  world_.Start(2, 1);
  {
    const auto one = Join(0, std::make_shared<TestListener>());
    Send(*one, TestRecord(1, {Phase::kTrain, 0, 0, 0, 0}, 1));
  }
  world_.Restart();
  AwaitLook();
  Pass(60'000);
  for (absl::Time until = absl::Now() + absl::Seconds(10); State() != ExperimentState::kLost && absl::Now() < until;)
    AwaitLook();
  EXPECT_EQ(State(), ExperimentState::kLost);
  EXPECT_THAT(world_.Get().reason,
              HasSubstr("rank 0 was silent for 60 s; its newest record: train of epoch 0, step 0"));
  ASSERT_EQ(world_.Seals().size(), 1u);
  EXPECT_THAT(world_.Seals()[0].missing_ranks, ElementsAre(0, 1));
}

TEST_F(LeaseTest, ARankThatIsDoneMayGo) {
  world_.Start(2, 1);
  const auto first = std::make_shared<TestListener>(), second = std::make_shared<TestListener>();
  auto one = Join(0, first);
  const auto two = Join(1, second);
  SendBye(*one, 1);
  first->AwaitCommitted(1);
  one.reset();
  Pass(590'000, {two});
  EXPECT_EQ(State(), ExperimentState::kRunning);
}

TEST_F(LeaseTest, WhatWasNotHeardWhileTheServerStoodStillIsNoSilence) {
  world_.Start(2, 1);
  const auto first = std::make_shared<TestListener>();
  const auto one = Join(0, first), two = Join(1, std::make_shared<TestListener>());
  AwaitLook();
  world_.clock.now_ms += 100'000;
  AwaitLook();
  EXPECT_EQ(State(), ExperimentState::kRunning);
  EXPECT_EQ(first->rank_news, 0);
  Pass(60'000, {one});
  first->AwaitStop();
  EXPECT_THAT(first->reason, HasSubstr("rank 1 was silent for 60 s"));
}

TEST_F(LeaseTest, ARankThatNeverComesIsAwaitedAndThenLost) {
  world_.Start(3, 1);
  const auto first = std::make_shared<TestListener>(), second = std::make_shared<TestListener>();
  const auto one = Join(0, first);
  Pass(10'000, {one});
  ASSERT_TRUE(AwaitSuspects(*first, {1, 2}));
  const auto two = Join(1, second);
  ASSERT_TRUE(AwaitSuspects(*first, {2}));
  ASSERT_TRUE(AwaitSuspects(*second, {2})) << "a new stream is told at once";
  Pass(589'999, {one, two}, true);
  EXPECT_EQ(State(), ExperimentState::kRunning);
  Pass(1, {one, two}, true);
  first->AwaitStop();
  EXPECT_EQ(first->stopped, ExperimentState::kLost);
  EXPECT_THAT(first->reason, HasSubstr("rank 2 has not joined for 600 s"));
}

TEST_F(LeaseTest, WhoNeverCameIsAwaitedAfterARestartToo) {
  world_.Start(2, 1);
  { const auto one = Join(0, std::make_shared<TestListener>()); }
  world_.Restart();
  AwaitLook();
  const auto first = std::make_shared<TestListener>();
  const auto one = Join(0, first);
  Pass(600'000, {one}, true);
  first->AwaitStop();
  EXPECT_THAT(first->reason, HasSubstr("rank 1 has not joined for 600 s"));
}

TEST_F(LeaseTest, TheWallClockHasNoSay) {
  world_.Start(2, 1);
  const auto first = std::make_shared<TestListener>();
  const auto one = Join(0, first), two = Join(1, std::make_shared<TestListener>());
  for (const int64_t hours : {1, -2, 9}) {
    world_.clock.wall_ms += hours * 3'600'000;
    AwaitLook();
  }
  EXPECT_EQ(first->rank_news, 0);
  EXPECT_EQ(State(), ExperimentState::kRunning);
}

TEST_F(LeaseTest, ARankThatCameBackWhileItWasGivenUpIsKept) {
  world_.Start(1, 1);
  const int64_t fence = Join(0, std::make_shared<TestListener>())->welcome().fence;
  const Experiment experiment = world_.Get();
  world_.experiments.reset();
  const auto expire = [&](int64_t looked_at) {
    const auto transaction = *world_.store->Begin();
    Group group(transaction.get(), &world_.clock);
    const auto heads = std::make_shared<const std::vector<SessionHead>>(HeadsForFold(experiment));
    EXPECT_TRUE(ExpireRank(group, LiveAttempt({1, 1}, experiment, heads), 0, looked_at, "is away").ok());
    EXPECT_TRUE(group.WriteBack().ok());
    EXPECT_TRUE(transaction->Commit().ok());
    return world_.store->GetExperiment(1)->state;
  };
  EXPECT_EQ(expire(fence - 1), ExperimentState::kRunning);
  EXPECT_EQ(expire(fence), ExperimentState::kLost);
  EXPECT_EQ(expire(fence), ExperimentState::kLost) << "once";
  EXPECT_EQ(world_.Incidents().size(), 1u);
}

TEST_F(LeaseTest, WatchersSeeWhoIsSuspect) {
  world_.Start(2, 1);
  const auto first = std::make_shared<TestListener>();
  const auto one = Join(0, first), two = Join(1, std::make_shared<TestListener>());
  const auto subscription = *world_.experiments->Watch("e", 0, [] {});
  Pass(10'000, {one});
  ASSERT_TRUE(AwaitSuspects(*first, {1}));
  std::vector<LateRank> seen;
  for (int i = 0; i < 100 && seen.empty(); ++i) {
    const Subscription::News news = *subscription->Next(10);
    for (const Event& event : news.events) {
      if (const auto* progress = std::get_if<Progress>(&event.body)) seen = progress->suspect;
    }
    AwaitLook();
  }
  EXPECT_THAT(RanksOf(seen), ElementsAre(1));
}

}  // namespace
}  // namespace gradeline
