// The ledger over a real database: what streams report is kept once and sealed.
#include <random>

#include "gmock/gmock.h"
#include "server/core/base/status.h"
#include "server/core/experiment/codec.h"
#include "server/store/test_world.h"

namespace gradeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr Phase kTrain = Phase::kTrain;
constexpr Phase kValidation = Phase::kValidation;

class LedgerTest : public testing::Test {
 protected:
  std::shared_ptr<RankSession> Join(int32_t rank = 0) {
    listener_ = std::make_shared<TestListener>();
    auto session = world_.Join(rank, listener_);
    EXPECT_TRUE(session.ok()) << session.status();
    return session.ok() ? *session : nullptr;
  }
  TestWorld world_;
  std::shared_ptr<TestListener> listener_;  // of the last join
};

TEST_F(LedgerTest, OneRankFromStartToEnd) {
  world_.Start(1, 1);
  EXPECT_EQ(world_.Get().state, ExperimentState::kQueued);
  const auto session = Join();
  EXPECT_EQ(world_.Get().state, ExperimentState::kRunning);
  EXPECT_EQ(session->welcome().committed_seq, 0);
  const int64_t seq = SendPhase(*session, 1, kTrain, 0, 4);
  listener_->AwaitSeals(1);
  EXPECT_EQ(listener_->committed, 5);
  const Seal& seal = listener_->seals[0];
  EXPECT_TRUE(seal.complete);
  EXPECT_EQ(seal.batches, 4);
  EXPECT_EQ(seal.items, 40);
  // Steps 0 ... 3, ten items each: 1.5 for each component; weights 1 and 0.5, and nothing for head aux.
  ASSERT_EQ(seal.components.size(), 3u);
  EXPECT_EQ(seal.components[0].value, 1.5);
  EXPECT_EQ(seal.loss, 1.5 + 0.75);
  EXPECT_EQ(seal.average, 2.25 / 3);
  ASSERT_EQ(seal.metrics.size(), 1u);
  EXPECT_EQ(seal.metrics[0].result.value, 6.0 / 40);
  SendBye(*session, seq);
  listener_->AwaitStop();
  EXPECT_EQ(world_.Get().state, ExperimentState::kSucceeded);
  EXPECT_EQ(world_.Seals().size(), 1u);
}

TEST_F(LedgerTest, ALostConnectionIsReplayedAndEveryRecordCountsOnce) {
  world_.Start(1, 1);
  auto session = Join();
  for (int64_t seq = 1; seq <= 5; ++seq) Send(*session, TestRecord(seq, {kTrain, 0, seq, 0, 0}, 1));
  listener_->AwaitCommitted(5);
  // Sent, but the connection is gone before they are reported.
  for (int64_t seq = 6; seq <= 8; ++seq) ASSERT_TRUE(session->Begin(seq).ok());
  session = Join();
  EXPECT_EQ(session->welcome().committed_seq, 5);
  EXPECT_EQ(*session->Begin(3), SeqVerdict::kCommitted);
  for (int64_t seq = 6; seq <= 8; ++seq) Send(*session, TestRecord(seq, {kTrain, 0, seq, 0, 0}, 1));
  ASSERT_TRUE(session->Begin(9).ok());
  ASSERT_TRUE(session->EndPhase(9, kTrain, 0, 8, nullptr).ok());
  listener_->AwaitSeals(1);
  EXPECT_TRUE(listener_->seals[0].complete);
  EXPECT_EQ(listener_->seals[0].batches, 8);
}

TEST_F(LedgerTest, WhatTheOlderStreamHasQueuedIsCommittedBeforeTheJoin) {
  world_.Start(1, 1);
  auto older = Join();
  for (int64_t seq = 1; seq <= 300; ++seq) Send(*older, TestRecord(seq, {kTrain, 0, seq, 0, 0}, 1));
  EXPECT_EQ(Join()->welcome().committed_seq, 300);
}

TEST_F(LedgerTest, TheOlderStreamIsFenced) {
  world_.Start(1, 1);
  const auto older = Join();
  const auto older_listener = listener_;
  const auto newer = Join();
  EXPECT_TRUE(older_listener->superseded);
  EXPECT_EQ(newer->welcome().fence, older->welcome().fence + 1);
  ASSERT_TRUE(older->Begin(1).ok());
  EXPECT_EQ(ReportNow(*older, TestRecord(1, {kTrain, 0, 0, 0, 0}, 1)).first, RecordFate::kFenced);
  EXPECT_EQ(
      AwaitFate([&](RecordDone done) { EXPECT_TRUE(older->EndPhase(1, kTrain, 0, 0, std::move(done)).ok()); }).first,
      RecordFate::kFenced);
  EXPECT_EQ(AwaitFate([&](RecordDone done) { older->Bye(1, "", std::move(done)); }).first, RecordFate::kFenced);
  ASSERT_TRUE(newer->Begin(1).ok());
  EXPECT_EQ(ReportNow(*newer, TestRecord(1, {kTrain, 0, 0, 0, 0}, 1)).first, RecordFate::kCommitted);
}

TEST_F(LedgerTest, ARestartContinuesTheEpochWithTheSameBits) {
  const auto value = [](int64_t step) { return 0.1 * static_cast<double>(step); };
  std::string sealed;
  for (const bool restart : {false, true}) {
    Experiment experiment = TestExperiment(1, 1);
    experiment.id = restart ? "restarted" : "straight";
    world_.Start(experiment);
    auto session = Join();
    for (int64_t seq = 1; seq <= 10; ++seq) Send(*session, TestRecord(seq, {kTrain, 0, seq, 0, 0}, value(seq)));
    listener_->AwaitCommitted(10);
    if (restart) {
      session.reset();
      world_.Restart();
      session = Join();
      EXPECT_EQ(session->welcome().committed_seq, 10);
      EXPECT_EQ(session->welcome().fence, 2);
    }
    for (int64_t seq = 11; seq <= 20; ++seq) Send(*session, TestRecord(seq, {kTrain, 0, seq, 0, 0}, value(seq)));
    ASSERT_TRUE(session->Begin(21).ok());
    ASSERT_TRUE(session->EndPhase(21, kTrain, 0, 20, nullptr).ok());
    listener_->AwaitSeals(1);
    const std::string bytes = Encode(listener_->seals[0]);
    if (restart) {
      EXPECT_EQ(bytes, sealed);
    }
    sealed = bytes;
  }
}

TEST_F(LedgerTest, SeqsHaveNoGapAndDoNotGoBack) {
  world_.Start(1, 1);
  const auto session = Join();
  absl::Status status = session->Begin(2).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("1 is next"));
  EXPECT_FALSE(session->Begin(0).ok());
  EXPECT_FALSE(session->Begin(-5).ok());
  ASSERT_TRUE(session->Begin(1).ok());
  EXPECT_EQ(session->Begin(1).status().code(), absl::StatusCode::kFailedPrecondition) << "not committed yet";
  // Even a stream that does not ask cannot leave a hole.
  const auto [fate, why] = ReportNow(*session, TestRecord(3, {kTrain, 0, 0, 0, 0}, 1));
  EXPECT_EQ(fate, RecordFate::kFailed);
  EXPECT_EQ(why.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(session->Begin(2).status().code(), absl::StatusCode::kAborted) << "the stream is broken";
  EXPECT_EQ(Join()->welcome().committed_seq, 0);
}

TEST_F(LedgerTest, AtMostSoManyAreUncommitted) {
  Experiments::Options options;
  options.max_uncommitted = 3;
  TestWorld world(options);
  world.Start(1, 1);
  const auto listener = std::make_shared<TestListener>();
  const auto session = *world.Join(0, listener);
  for (int64_t seq = 1; seq <= 3; ++seq) ASSERT_TRUE(session->Begin(seq).ok());
  EXPECT_EQ(session->Begin(4).status().code(), absl::StatusCode::kResourceExhausted);
  session->Report(TestRecord(1, {kTrain, 0, 0, 0, 0}, 1), nullptr);
  listener->AwaitCommitted(1);
  EXPECT_TRUE(session->Begin(4).ok());
}

TEST_F(LedgerTest, ADuplicateCountsOnceAndAConflictChangesNothing) {
  world_.Start(1, 1);
  const auto session = Join();
  Record record = TestRecord(1, {kTrain, 0, 0, 0, 0}, 1);
  EXPECT_EQ(ReportNow(*session, record).first, RecordFate::kCommitted);
  EXPECT_EQ(ReportNow(*session, record).first, RecordFate::kDuplicate);
  record.seq = 2;
  EXPECT_EQ(ReportNow(*session, record).first, RecordFate::kDuplicate) << "the same batch under another seq";
  record.seq = 3;
  record.digest[0] = 99;
  record.values = {{1e6, 1}, {1e6, 1}};
  const auto [fate, why] = ReportNow(*session, record);
  EXPECT_EQ(fate, RecordFate::kConflict);
  EXPECT_EQ(why.code(), absl::StatusCode::kAlreadyExists);
  ASSERT_EQ(world_.Incidents().size(), 1u);
  EXPECT_EQ(world_.Incidents()[0].kind, "conflict");
  ASSERT_TRUE(session->EndPhase(4, kTrain, 0, 1, nullptr).ok());
  listener_->AwaitSeals(1);
  EXPECT_EQ(listener_->seals[0].batches, 1);
  EXPECT_EQ(listener_->seals[0].components[0].value, 1);
}

TEST_F(LedgerTest, AnEndThatComesTwiceIsComparedAndNothingComesAfterIt) {
  world_.Start(2, 1);
  const auto session = Join();
  Send(*session, TestRecord(1, {kTrain, 0, 0, 0, 0}, 1));
  const auto end = [&](int64_t seq, int64_t records) {
    return AwaitFate(
               [&](RecordDone done) { EXPECT_TRUE(session->EndPhase(seq, kTrain, 0, records, std::move(done)).ok()); })
        .first;
  };
  EXPECT_EQ(end(2, 1), RecordFate::kCommitted);
  EXPECT_EQ(end(3, 1), RecordFate::kDuplicate);
  EXPECT_EQ(end(4, 2), RecordFate::kConflict);
  EXPECT_EQ(session->CheckKey({kTrain, 0, 1, 0, 0}).code(), absl::StatusCode::kFailedPrecondition);
  const auto [fate, why] = ReportNow(*session, TestRecord(5, {kTrain, 0, 1, 0, 0}, 1));
  EXPECT_EQ(fate, RecordFate::kConflict);
  EXPECT_THAT(std::string(why.message()), HasSubstr("after rank 0 ended train of epoch 0"));
  ASSERT_EQ(world_.Incidents().size(), 2u);
  EXPECT_EQ(world_.Incidents()[1].kind, "late");
  const auto other = Join(1);
  SendPhase(*other, 1, kTrain, 0, 0);
  listener_->AwaitSeals(1);
  EXPECT_EQ(listener_->seals[0].batches, 1);
}

TEST_F(LedgerTest, TwoRanksWithUnevenBatchesSealTogether) {
  world_.Start(2, 1);
  const auto first = Join(0);
  const auto first_listener = listener_;
  SendPhase(*first, 1, kTrain, 0, 5);
  first_listener->AwaitCommitted(6);
  EXPECT_TRUE(world_.Seals().empty());
  const auto second = Join(1);
  SendPhase(*second, 1, kTrain, 0, 3);
  first_listener->AwaitSeals(1);
  listener_->AwaitSeals(1);
  const Seal seal = world_.Seals()[0];
  EXPECT_EQ(seal.batches, 8);
  EXPECT_EQ(seal.components[0].value, (0.0 + 1 + 2 + 3 + 4 + 0 + 1 + 2) / 8);
  SendBye(*first, 7);
  first_listener->AwaitCommitted(7);
  EXPECT_EQ(world_.Get().state, ExperimentState::kRunning);
  SendBye(*second, 5);
  listener_->AwaitStop();
  EXPECT_EQ(world_.Get().state, ExperimentState::kSucceeded);
}

TEST_F(LedgerTest, APhaseOfTheFirstRankWaitsForNoOther) {
  Experiment experiment = TestExperiment(2, 1);
  experiment.training.validation_ranks = PhaseRanks::kFirst;
  world_.Start(experiment);
  const auto second = Join(1);
  EXPECT_EQ(second->CheckKey({kValidation, 0, 0, 0, 0}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(second->EndPhase(1, kValidation, 0, 0, nullptr).code(), absl::StatusCode::kInvalidArgument);
  const auto first = Join(0);
  SendPhase(*first, 1, kValidation, 0, 2);
  listener_->AwaitSeals(1);
  EXPECT_EQ(listener_->seals[0].phase, kValidation);
}

TEST_F(LedgerTest, TheSealHasTheSameBitsInEveryOrderAndGrouping) {
  constexpr int kRanks = 3, kSteps = 12;
  std::mt19937_64 random(20240607);
  std::uniform_real_distribution<double> uniform(-1, 1);
  std::vector<std::vector<Record>> records(kRanks);
  for (auto& of_rank : records) {
    for (int step = 0; step < kSteps; ++step) {
      Record record = TestRecord(1, {kTrain, 0, step, 0, 0}, 0, 1 + static_cast<int64_t>(random() % 50));
      for (Ratio& value : record.values) value = {uniform(random) * std::exp2(random() % 60), uniform(random) + 2};
      record.metrics = AccuracyCounts(random() % 10, 10);
      of_rank.push_back(record);
    }
  }
  std::string expected;
  for (int run = 0; run < 200; ++run) {
    Experiment experiment = TestExperiment(kRanks, 1);
    experiment.id = absl::StrCat("e", run);
    world_.Start(experiment);
    std::vector<std::shared_ptr<RankSession>> sessions;
    std::vector<int64_t> next(kRanks, 0);
    for (int rank = 0; rank < kRanks; ++rank) {
      std::shuffle(records[rank].begin(), records[rank].end(), random);
      sessions.push_back(Join(rank));
    }
    for (int left = kRanks * kSteps; left > 0;) {
      const size_t rank = random() % kRanks;
      if (next[rank] == kSteps) continue;
      Record record = records[rank][next[rank]];
      record.seq = ++next[rank];
      --left;
      if (random() % 16 == 0) {
        sessions[rank]->Begin(record.seq).IgnoreError();
        ReportNow(*sessions[rank], record);
      } else {
        Send(*sessions[rank], record);
      }
    }
    for (int rank = 0; rank < kRanks; ++rank) {
      ASSERT_TRUE(sessions[rank]->Begin(kSteps + 1).ok());
      ASSERT_TRUE(sessions[rank]->EndPhase(kSteps + 1, kTrain, 0, kSteps, nullptr).ok());
    }
    listener_->AwaitSeals(1);
    const std::string sealed = Encode(listener_->seals[0]);
    if (run == 0) expected = sealed;
    ASSERT_EQ(sealed, expected) << "run " << run;
    ASSERT_TRUE(world_.experiments->Cancel(experiment.id, "", "").ok());
  }
}

TEST_F(LedgerTest, RefusedBatchesAreCountedByCode) {
  world_.Start(1, 1);
  const auto session = Join();
  Record refused = TestRecord(1, {kTrain, 0, 0, 0, 0}, 1);
  refused.code = 3;
  refused.values.clear();
  refused.metrics.clear();
  Send(*session, refused);
  Send(*session, TestRecord(2, {kTrain, 0, 1, 0, 0}, 4));
  ASSERT_TRUE(session->Begin(3).ok());
  ASSERT_TRUE(session->EndPhase(3, kTrain, 0, 2, nullptr).ok());
  listener_->AwaitSeals(1);
  EXPECT_TRUE(listener_->seals[0].complete);
  EXPECT_EQ(listener_->seals[0].batches, 1);
  EXPECT_THAT(listener_->seals[0].refused, ElementsAre(testing::Pair(3, 1)));
}

TEST_F(LedgerTest, AWrongCountEndsTheExperimentAsLostAndSaysWhy) {
  world_.Start(1, 2);
  const auto session = Join();
  Send(*session, TestRecord(1, {kTrain, 0, 0, 0, 0}, 1));
  ASSERT_TRUE(session->Begin(2).ok());
  ASSERT_TRUE(session->EndPhase(2, kTrain, 0, 2, nullptr).ok());
  listener_->AwaitStop();
  EXPECT_EQ(listener_->stopped, ExperimentState::kLost);
  EXPECT_THAT(listener_->reason, HasSubstr("with 2 records, the ledger has 1"));
  EXPECT_THAT(listener_->gone, ElementsAre(0));
  EXPECT_EQ(world_.Incidents()[0].kind, "count");
  const auto seals = world_.Seals();
  ASSERT_EQ(seals.size(), 1u);
  EXPECT_FALSE(seals[0].complete);
  EXPECT_TRUE(seals[0].missing_ranks.empty());
}

TEST_F(LedgerTest, AByeWithAReasonFailsTheExperiment) {
  world_.Start(2, 1);
  const auto first = Join(0);
  const auto first_listener = listener_;
  const auto second = Join(1);
  Send(*first, TestRecord(1, {kTrain, 0, 0, 0, 0}, 1));
  first_listener->AwaitCommitted(1);
  SendBye(*second, 1, "out of memory");
  first_listener->AwaitStop();
  EXPECT_EQ(first_listener->stopped, ExperimentState::kFailed);
  EXPECT_EQ(first_listener->reason, "rank 1: out of memory");
  EXPECT_EQ(ReportNow(*first, TestRecord(2, {kTrain, 0, 1, 0, 0}, 1)).first, RecordFate::kClosed);
  ASSERT_EQ(world_.Seals().size(), 1u);
  EXPECT_THAT(world_.Seals()[0].missing_ranks, ElementsAre(0, 1));
}

TEST_F(LedgerTest, CancelSealsPartiallyAndFencesAtOnce) {
  world_.Start(2, 3);
  const auto first = Join(0);
  const auto first_listener = listener_;
  SendPhase(*first, 1, kTrain, 0, 2);
  const auto second = Join(1);
  Send(*second, TestRecord(1, {kTrain, 0, 0, 0, 0}, 5));
  listener_->AwaitCommitted(1);
  first_listener->AwaitCommitted(3);
  const auto cancelled = world_.experiments->Cancel("e", "", "");
  ASSERT_TRUE(cancelled.ok()) << cancelled.status();
  EXPECT_EQ(cancelled->state, ExperimentState::kCancelled);
  first_listener->AwaitStop();
  const auto seals = world_.Seals();
  ASSERT_EQ(seals.size(), 1u);
  EXPECT_FALSE(seals[0].complete);
  EXPECT_THAT(seals[0].missing_ranks, ElementsAre(1));
  EXPECT_EQ(seals[0].components[0].value, 2);
  EXPECT_EQ(ReportNow(*second, TestRecord(2, {kTrain, 0, 1, 0, 0}, 1)).first, RecordFate::kClosed);
  EXPECT_EQ(world_.Seals()[0].batches, 3);
  EXPECT_EQ(world_.experiments->Cancel("e", "", "").status().code(), absl::StatusCode::kFailedPrecondition);
  const auto late = world_.Join(0, std::make_shared<TestListener>());
  EXPECT_EQ(late.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(late.status()).reason, "EXPERIMENT_ENDED");
}

TEST_F(LedgerTest, CancelNeedsNoLoadedLoss) {
  world_.Start(1, 1);
  Send(*Join(), TestRecord(1, {kTrain, 0, 0, 0, 0}, 5));
  listener_->AwaitCommitted(1);
  world_.Restart();
  const auto catalog = std::make_shared<const Catalog>(*Catalog::Make({}, {}, ""));
  Experiments bare(world_.store, LossRegistry::Builder().Build(catalog), &world_.clock, {.numerics = "test"});
  world_.experiments.reset();
  EXPECT_EQ(bare.Cancel("e", "", "")->state, ExperimentState::kCancelled);
  EXPECT_EQ(bare.ListEpochs("e", 10, "")->items.at(0).components.at(0).value, 5);
}

TEST_F(LedgerTest, KeysAreChecked) {
  world_.Start(1, 2);
  const auto session = Join();
  const auto fields = [&](RecordKey key) {
    std::vector<std::string> names;
    for (const auto& violation : FieldViolationsOf(session->CheckKey(key))) names.push_back(violation.field);
    return names;
  };
  EXPECT_THAT(fields({kTrain, 2, -1, 2, -1}), ElementsAre("key.epoch", "key.step", "key.part", "key.head"));
  EXPECT_THAT(fields({static_cast<Phase>(0), -1, 0, 0, 0}), ElementsAre("key.phase", "key.epoch"));
  EXPECT_THAT(fields({kValidation, 0, 0, 1, 0}), ElementsAre("key.phase")) << "aux reports in training alone";
  EXPECT_TRUE(session->CheckKey({kTrain, 1, 0, 1, 3}).ok());
}

TEST_F(LedgerTest, ASealedPhaseAndAPhaseTooFarAheadAreRefused) {
  world_.Start(2, 3);
  const auto first = Join(0);
  const auto first_listener = listener_;
  const auto second = Join(1);
  int64_t seq = SendPhase(*first, 1, kTrain, 0, 1);
  seq = SendPhase(*first, seq, kValidation, 0, 1);
  absl::Status status = first->CheckKey({kTrain, 1, 0, 0, 0});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("wait for train of epoch 0"));
  EXPECT_EQ(first->EndPhase(seq, kTrain, 1, 0, nullptr).code(), absl::StatusCode::kFailedPrecondition);
  SendPhase(*second, 1, kTrain, 0, 1);
  first_listener->AwaitSeals(1);
  EXPECT_TRUE(first->CheckKey({kTrain, 1, 0, 0, 0}).ok());
  status = second->CheckKey({kTrain, 0, 7, 0, 0});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("sealed"));
  // A new stream of the rank knows the same.
  const auto again = Join(0);
  EXPECT_EQ(again->welcome().last_seals.size(), 1u);
  EXPECT_EQ(again->CheckKey({kValidation, 0, 1, 0, 0}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(again->CheckKey({kTrain, 1, 0, 0, 0}).ok());
  EXPECT_EQ(again->CheckKey({kTrain, 2, 0, 0, 0}).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(LedgerTest, TooFarAheadWaitsForThePhaseThatCameFirst) {
  world_.Start(2, 3);
  const auto first = Join(0);
  const auto second = Join(1);
  int64_t seq = SendPhase(*first, 1, kValidation, 0, 1);
  SendPhase(*first, seq, kTrain, 1, 1);
  EXPECT_THAT(std::string(first->CheckKey({kValidation, 1, 0, 0, 0}).message()),
              HasSubstr("wait for validation of epoch 0"));
  // A new stream of the rank says the same.
  EXPECT_THAT(std::string(Join(0)->CheckKey({kValidation, 1, 0, 0, 0}).message()),
              HasSubstr("wait for validation of epoch 0"));
}

TEST_F(LedgerTest, FlushIsAnsweredEvenIfNothingIsNew) {
  world_.Start(1, 1);
  const auto session = Join();
  Send(*session, TestRecord(1, {kTrain, 0, 0, 0, 0}, 1));
  listener_->AwaitCommitted(1);
  {
    absl::MutexLock lock(&listener_->mutex);
    listener_->committed = 0;
  }
  session->Flush();
  listener_->AwaitCommitted(1);
}

TEST_F(LedgerTest, JoinSaysWhoMayNot) {
  world_.MakeSplit();
  ASSERT_TRUE(world_.experiments->CreateExperiment(TestExperiment(2, 1), "", false).ok());
  const auto join = [&](auto change) {
    JoinRequest request = world_.Request(0);
    change(request);
    return world_.experiments->Join(request, std::make_shared<TestListener>()).status();
  };
  EXPECT_EQ(join([](JoinRequest& r) { r.experiment = "x"; }).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(join([](JoinRequest&) {}).code(), absl::StatusCode::kFailedPrecondition) << "not started";
  world_.token = world_.experiments->Start("e", "", "")->token;
  EXPECT_EQ(join([](JoinRequest& r) { r.token = ""; }).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(join([](JoinRequest& r) { r.token.back() ^= 1; }).code(), absl::StatusCode::kPermissionDenied);
  const absl::Status bad = join([](JoinRequest& r) {
    r.rank = 2;
    r.world_size = 3;
    r.instance = "short";
  });
  EXPECT_EQ(bad.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FieldViolationsOf(bad).size(), 3u);
  EXPECT_EQ(world_.Get().state, ExperimentState::kQueued) << "nothing that is refused changes anything";
  const auto session = Join(0);
  const absl::Status taken = join([](JoinRequest& r) { r.instance = std::string(16, 'z'); });
  EXPECT_EQ(taken.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(taken).reason, "RANK_TAKEN");
  SendBye(*session, 1);
  listener_->AwaitCommitted(1);
  EXPECT_EQ(ReasonOf(join([](JoinRequest&) {})).reason, "RANK_DONE");
}

TEST_F(LedgerTest, AnAttemptKeepsItsNumerics) {
  world_.Start(1, 1);
  Join();
  world_.experiments.reset();
  Experiments other(world_.store, TestRegistry(), &world_.clock, {.numerics = "another build"});
  JoinRequest request;
  request.experiment = "e";
  request.token = world_.token;
  request.world_size = 1;
  request.instance = std::string(16, 'a');
  const absl::Status status = other.Join(request, std::make_shared<TestListener>()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), testing::AllOf(HasSubstr("\"test\""), HasSubstr("another build")));
  EXPECT_EQ(other.GetExperiment("e")->numerics, "test");
}

}  // namespace
}  // namespace gradeline
