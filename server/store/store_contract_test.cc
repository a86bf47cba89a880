// What every store must do.
#include "server/store/store_contract.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace gradeline {
namespace {

TEST_F(StoreContract, NothingIsSeenBeforeTheCommitAndNothingStaysWithoutIt) {
  Dataset dataset;
  dataset.id = "d";
  dataset.item_count = 1;
  {
    auto transaction = store_->Begin();
    ASSERT_TRUE(transaction.ok());
    EXPECT_TRUE((*transaction)->InsertDataset(dataset, {{0, "u", 0}}).ok());
    EXPECT_EQ(store_->GetDataset("d").status().code(), absl::StatusCode::kNotFound);
  }
  EXPECT_EQ(store_->GetDataset("d").status().code(), absl::StatusCode::kNotFound);
  Write([&](Transaction& t) { EXPECT_TRUE(t.InsertDataset(dataset, {{0, "u", 0}}).ok()); });
  EXPECT_TRUE(store_->GetDataset("d").ok());
  Reopen();
  EXPECT_TRUE(store_->GetDataset("d").ok());
}

TEST_F(StoreContract, NestedWorkIsUndoneAlone) {
  Write([&](Transaction& t) {
    Dataset dataset;
    dataset.id = "kept";
    EXPECT_TRUE(t.InsertDataset(dataset, {}).ok());
    const absl::Status status = t.Nested([&]() -> absl::Status {
      dataset.id = "undone";
      EXPECT_TRUE(t.InsertDataset(dataset, {}).ok());
      return absl::InvalidArgumentError("no");
    });
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(t.failure().ok()) << "an answer is not a failure of the store";
    EXPECT_TRUE(t.Nested([&]() -> absl::Status {
                   dataset.id = "also";
                   return t.InsertDataset(dataset, {});
                 }).ok());
  });
  EXPECT_TRUE(store_->GetDataset("kept").ok());
  EXPECT_TRUE(store_->GetDataset("also").ok());
  EXPECT_FALSE(store_->GetDataset("undone").ok());
}

TEST_F(StoreContract, ListsGoByIdAndAfter) {
  Write([&](Transaction& t) {
    for (const char* id : {"b", "a", "c"}) {
      Experiment experiment;
      experiment.id = id;
      EXPECT_TRUE(t.InsertExperiment(experiment).ok());
    }
  });
  EXPECT_EQ(store_->ListExperiments({}, 2, "")->at(1).id, "b");
  EXPECT_EQ(store_->ListExperiments({}, 2, "b")->size(), 1u);
}

TEST_F(StoreContract, ExperimentsChangeOnlyWhatMayChange) {
  const int64_t no = MakeAttempt(1);
  Write([&](Transaction& t) {
    Experiment experiment = *t.GetExperiment(no);
    experiment.state = ExperimentState::kLost;
    experiment.reason = "why";
    experiment.revision = 7;
    experiment.etag = 3;
    experiment.numerics = "n";
    experiment.training.epochs = 99;
    EXPECT_TRUE(t.UpdateExperiment(no, experiment).ok());
    EXPECT_EQ(t.InsertExperiment(experiment).status().code(), absl::StatusCode::kAlreadyExists);
  });
  const auto [found_no, experiment] = *store_->GetExperiment("e");
  EXPECT_EQ(found_no, no);
  EXPECT_EQ(experiment.state, ExperimentState::kLost);
  EXPECT_EQ(experiment.reason, "why");
  EXPECT_EQ(experiment.revision, 7);
  EXPECT_EQ(experiment.etag, 3);
  EXPECT_EQ(experiment.training.epochs, Training().epochs);
  EXPECT_EQ(store_->GetExperiment(no + 1).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(StoreContract, AttemptsAndRanks) {
  const int64_t no = MakeAttempt(2);
  EXPECT_EQ(store_->GetAttempt(no, 1)->token, "secret");
  EXPECT_TRUE(store_->GetAttempt(no, 1)->open());
  EXPECT_EQ(store_->GetAttempt(no, 2).status().code(), absl::StatusCode::kNotFound);
  Write([&](Transaction& t) {
    RankRow rank = *t.GetRank(no, 1, 1);
    EXPECT_EQ(rank.state, RankState::kFree);
    rank.instance = std::string("\0x", 2);
    rank.fence = 4;
    rank.state = RankState::kHeld;
    rank.committed_seq = 12;
    EXPECT_TRUE(t.PutRank(no, 1, rank).ok());
    EXPECT_EQ(t.GetRank(no, 1, 2).status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(t.GetRank(no, 1, 1)->committed_seq, 12) << "reads its own writes";
  });
  Write([&](Transaction& t) { EXPECT_TRUE(t.CloseAttempt(no, 1, ExperimentState::kFailed, kAnyText).ok()); });
  const auto ranks = *store_->ListRanks(no, 1);
  ASSERT_EQ(ranks.size(), 2u);
  EXPECT_EQ(ranks[0].fence, 1);
  EXPECT_EQ(ranks[1].fence, 5);
  EXPECT_EQ(ranks[1].instance, std::string("\0x", 2));
  EXPECT_EQ(store_->GetAttempt(no, 1)->ended, ExperimentState::kFailed);
  EXPECT_EQ(store_->GetAttempt(no, 1)->reason, kAnyText);
  EXPECT_EQ(store_->GetAttempt(no, 1)->late, 0);
  Write([&](Transaction& t) { EXPECT_TRUE(t.CountLate(no, 1).ok()); });
  EXPECT_EQ(store_->GetAttempt(no, 1)->late, 1);
}

TEST_F(StoreContract, ExpectedRanksAreThoseOfRunningAttemptsThatAreNotThrough) {
  const int64_t no = MakeAttempt(3);
  EXPECT_TRUE(store_->ListExpectedRanks()->empty()) << "nobody has joined";
  const auto become = [&](ExperimentState state) {
    Write([&](Transaction& t) {
      Experiment experiment = t.OwnExperiment("e")->second;
      experiment.state = state;
      experiment.attempt = 1;
      EXPECT_TRUE(t.UpdateExperiment(no, experiment).ok());
    });
  };
  become(ExperimentState::kRunning);
  Write([&](Transaction& t) {
    RankRow rank = *t.GetRank(no, 1, 1);
    rank.fence = 4;
    rank.state = RankState::kHeld;
    EXPECT_TRUE(t.PutRank(no, 1, rank).ok());
    rank = *t.GetRank(no, 1, 2);
    rank.state = RankState::kDone;
    EXPECT_TRUE(t.PutRank(no, 1, rank).ok());
  });
  const auto expected = *store_->ListExpectedRanks();
  ASSERT_EQ(expected.size(), 2u);
  EXPECT_EQ(expected[0].experiment_no, no);
  EXPECT_EQ(expected[0].rank, 0);
  EXPECT_FALSE(expected[0].joined);
  EXPECT_EQ(expected[1].attempt, 1);
  EXPECT_EQ(expected[1].rank, 1);
  EXPECT_EQ(expected[1].fence, 4);
  EXPECT_TRUE(expected[1].joined);
  become(ExperimentState::kLost);
  EXPECT_TRUE(store_->ListExpectedRanks()->empty());
}

TEST_F(StoreContract, ACompleteSealBeforeAnEpochIsOfTheNewestAttempt) {
  const int64_t no = MakeAttempt(1);
  const auto seal = [&](int32_t attempt, int64_t epoch, bool complete, int64_t revision) {
    Seal made;
    made.attempt = attempt;
    made.epoch = epoch;
    made.complete = complete;
    made.revision = revision;
    Write([&](Transaction& t) { EXPECT_TRUE(t.InsertSeal(no, made).ok()); });
  };
  seal(1, 0, true, 1);
  seal(1, 1, true, 2);
  seal(1, 2, false, 3);
  seal(2, 1, true, 4);
  Write([&](Transaction& t) {
    const auto before = [&](int32_t first, int32_t last, int64_t epoch) {
      const auto found = *t.FindCompleteSealBefore(no, first, last, {Phase::kTrain, epoch});
      return found ? std::make_pair(found->attempt, found->epoch) : std::make_pair(0, int64_t{-1});
    };
    EXPECT_EQ(before(1, 2, 9), std::make_pair(2, int64_t{1}));
    EXPECT_EQ(before(1, 1, 9), std::make_pair(1, int64_t{1}));
    EXPECT_EQ(before(1, 2, 1), std::make_pair(1, int64_t{0}));
    EXPECT_EQ(before(2, 2, 1), std::make_pair(0, int64_t{-1}));
    EXPECT_FALSE(*t.FindCompleteSealBefore(no, 1, 2, {Phase::kTest, 9}));
  });
}

TEST_F(StoreContract, AKeyIsStoredOnceAndTheDigestDecides) {
  const int64_t no = MakeAttempt(1);
  const RecordKey key{Phase::kTrain, 0, 5, 0, 0};
  Write([&](Transaction& t) {
    Record record = MakeRecord(1, key);
    EXPECT_EQ(*t.InsertRecord(no, 1, 0, record), InsertOutcome::kInserted);
    record.seq = 2;
    EXPECT_EQ(*t.InsertRecord(no, 1, 0, record), InsertOutcome::kSame);
    record.digest[3] = 0;
    EXPECT_EQ(*t.InsertRecord(no, 1, 0, record), InsertOutcome::kDifferent);
    EXPECT_EQ(*t.InsertRecord(no, 1, 1, record), InsertOutcome::kInserted) << "another rank";
    EXPECT_TRUE(t.InsertPhaseEnd(no, 1, {Phase::kTrain, 0, 0, 3, 1}).ok());
    EXPECT_TRUE(absl::IsAlreadyExists(t.InsertPhaseEnd(no, 1, {Phase::kTrain, 0, 0, 4, 1})));
    EXPECT_EQ(t.ListPhaseEnds(no, 1, {Phase::kTrain, 0})->at(0).seq, 3);
  });
}

TEST_F(StoreContract, WhatWasForeseenIsAnsweredTheSame) {
  const int64_t no = MakeAttempt(1);
  const RecordKey stored{Phase::kTrain, 0, 5, 1, 2}, fresh{Phase::kTrain, 0, 6, 1, 2},
      undone{Phase::kTrain, 0, 7, 1, 2};
  Write([&](Transaction& t) { EXPECT_TRUE(t.InsertRecord(no, 1, 0, MakeRecord(1, stored)).ok()); });
  Write([&](Transaction& t) {
    EXPECT_TRUE(t.Foresee({{no, 1, 0, stored}, {no, 1, 0, fresh}, {no, 1, 0, fresh}, {no, 1, 0, undone}}).ok());
    Record record = MakeRecord(1, stored);
    EXPECT_EQ(*t.InsertRecord(no, 1, 0, record), InsertOutcome::kSame);
    record.digest[0] ^= 1;
    EXPECT_EQ(*t.InsertRecord(no, 1, 0, record), InsertOutcome::kDifferent);
    record = MakeRecord(2, fresh);
    EXPECT_EQ(*t.InsertRecord(no, 1, 0, record), InsertOutcome::kInserted);
    EXPECT_EQ(*t.InsertRecord(no, 1, 0, record), InsertOutcome::kSame);
    record.digest[0] ^= 1;
    EXPECT_EQ(*t.InsertRecord(no, 1, 0, record), InsertOutcome::kDifferent);
    EXPECT_FALSE(t.Nested([&]() -> absl::Status {
                    EXPECT_EQ(*t.InsertRecord(no, 1, 0, MakeRecord(3, undone)), InsertOutcome::kInserted);
                    return absl::InvalidArgumentError("no");
                  }).ok());
    EXPECT_EQ(*t.InsertRecord(no, 1, 0, MakeRecord(3, undone)), InsertOutcome::kInserted);
    EXPECT_EQ(*t.InsertRecord(no, 1, 0, MakeRecord(4, {Phase::kTrain, 0, 9, 0, 0})), InsertOutcome::kInserted)
        << "not foreseen";
  });
  int rows = 0;
  Write([&](Transaction& t) {
    EXPECT_TRUE(t.ScanRecords(no, 1, {Phase::kTrain, 0}, [&](const RecordRow&) { ++rows; }).ok());
  });
  EXPECT_EQ(rows, 4);
}

TEST_F(StoreContract, ALongPhaseIsScannedToItsEnd) {
  const int64_t no = MakeAttempt(2);
  constexpr int kSteps = 4100;
  Write([&](Transaction& t) {
    std::vector<RecordPlace> places;
    for (int64_t step = 0; step < kSteps; ++step) {
      for (int32_t rank = 0; rank < 2; ++rank) places.push_back({no, 1, rank, {Phase::kTest, 0, step, 0, 0}});
    }
    EXPECT_TRUE(t.Foresee(places).ok());
    for (int64_t step = 0; step < kSteps; ++step) {
      for (int32_t rank = 0; rank < 2; ++rank) {
        EXPECT_TRUE(t.InsertRecord(no, 1, rank, MakeRecord(step + 1, {Phase::kTest, 0, step, 0, 0})).ok());
      }
    }
  });
  std::vector<std::pair<int64_t, int32_t>> found;
  Write([&](Transaction& t) {
    EXPECT_TRUE(t.ScanRecords(no, 1, {Phase::kTest, 0}, [&](const RecordRow& row) {
                   found.emplace_back(row.record.key.step, row.rank);
                 }).ok());
  });
  ASSERT_EQ(found.size(), 2u * kSteps);
  EXPECT_TRUE(std::is_sorted(found.begin(), found.end()));
  EXPECT_EQ(found.back(), std::make_pair(int64_t{kSteps - 1}, 1));
}

TEST_F(StoreContract, ASeqIsStoredOnceForARank) {
  const int64_t no = MakeAttempt(1);
  auto transaction = store_->Begin();
  ASSERT_TRUE(transaction.ok());
  EXPECT_TRUE((*transaction)->InsertRecord(no, 1, 0, MakeRecord(1, {Phase::kTrain, 0, 0, 0, 0})).ok());
  const bool refused = !(*transaction)->InsertRecord(no, 1, 0, MakeRecord(1, {Phase::kTrain, 0, 1, 0, 0})).ok();
  EXPECT_TRUE(refused || !(*transaction)->Commit().ok());
}

TEST_F(StoreContract, RecordsComeBackInKeyOrderBitByBit) {
  const int64_t no = MakeAttempt(2);
  std::vector<Record> records;
  for (const auto& [step, head, part] : std::vector<std::array<int, 3>>{{1, 1, 0}, {1, 0, 1}, {1, 0, 0}, {0, 1, 1}}) {
    records.push_back(MakeRecord(static_cast<int64_t>(records.size()) + 1,
                                 {Phase::kTrain, 2, step, static_cast<int32_t>(head), static_cast<int32_t>(part)}));
  }
  records[0].metrics = std::string("\1\0counts", 8);
  records[1].code = 3;
  records[1].values.clear();
  Write([&](Transaction& t) {
    for (const Record& record : records) EXPECT_TRUE(t.InsertRecord(no, 1, 1, record).ok());
    EXPECT_TRUE(t.InsertRecord(no, 1, 0, MakeRecord(1, {Phase::kTrain, 2, 1, 0, 0})).ok());
    EXPECT_TRUE(t.InsertRecord(no, 1, 0, MakeRecord(2, {Phase::kTrain, 3, 1, 0, 0})).ok());
  });
  std::vector<std::pair<int32_t, Record>> found;
  Write([&](Transaction& t) {
    EXPECT_TRUE(t.ScanRecords(no, 1, {Phase::kTrain, 2}, [&](const RecordRow& row) {
                   found.push_back({row.rank, row.record});
                 }).ok());
  });
  ASSERT_EQ(found.size(), 5u);
  EXPECT_EQ(found[0].second, records[3]);
  EXPECT_EQ(found[1].first, 0);
  EXPECT_EQ(found[2].second, records[2]);
  EXPECT_EQ(found[3].second, records[1]);
  EXPECT_EQ(found[4].second, records[0]);
  EXPECT_TRUE(std::signbit(found[0].second.values[1].denominator));
}

TEST_F(StoreContract, OpenPhasesAreThoseWithoutASeal) {
  const int64_t no = MakeAttempt(1);
  Write([&](Transaction& t) {
    int64_t seq = 0;
    for (const auto& [phase, epoch] : std::vector<std::pair<Phase, int64_t>>{
             {Phase::kTrain, 0}, {Phase::kTrain, 2}, {Phase::kValidation, 0}, {Phase::kTest, 7}}) {
      for (int64_t step = 0; step < 3; ++step) {
        EXPECT_TRUE(t.InsertRecord(no, 1, 0, MakeRecord(++seq, {phase, epoch, step, 0, 0})).ok());
      }
    }
    EXPECT_TRUE(t.InsertPhaseEnd(no, 1, {Phase::kTrain, 9, 0, 100, 0}).ok());
    EXPECT_EQ(t.ListOpenPhases(no, 1)->size(), 5u);
    EXPECT_EQ(t.ListOpenPhases(no, 2)->size(), 0u);
    Seal seal;
    seal.attempt = 1;
    for (const auto& [phase, epoch, revision] : std::vector<std::tuple<Phase, int64_t, int64_t>>{
             {Phase::kTrain, 0, 1}, {Phase::kTrain, 2, 2}, {Phase::kTest, 7, 3}}) {
      seal.phase = phase;
      seal.epoch = epoch;
      seal.revision = revision;
      EXPECT_FALSE(*t.IsSealed(no, 1, {phase, epoch}));
      EXPECT_TRUE(t.InsertSeal(no, seal).ok());
      EXPECT_TRUE(*t.IsSealed(no, 1, {phase, epoch}));
      EXPECT_FALSE(t.InsertSeal(no, seal).ok()) << "nothing leaves a seal";
    }
    EXPECT_THAT(*t.ListOpenPhases(no, 1),
                testing::ElementsAre(PhaseOfEpoch{Phase::kTrain, 9}, PhaseOfEpoch{Phase::kValidation, 0}));
    EXPECT_EQ(t.ListSealedPhases(no, 1)->size(), 3u);
    const auto last = *t.ListLastSeals(no, 1);
    ASSERT_EQ(last.size(), 2u);
    EXPECT_EQ(last[0].epoch, 2);
    EXPECT_EQ(last[1].phase, Phase::kTest);
  });
  EXPECT_EQ(store_->ListSeals(no, 10, 1)->size(), 2u);
  EXPECT_EQ(store_->ListSeals(no, 1, 0)->at(0).revision, 1);
}

TEST_F(StoreContract, EventsAndIncidentsStayInOrder) {
  const int64_t no = MakeAttempt(1);
  Write([&](Transaction& t) {
    Experiment experiment = *t.GetExperiment(no);
    Seal seal;
    seal.loss = 0.1;
    EXPECT_TRUE(t.InsertEvent(no, {2, seal}).ok());
    EXPECT_TRUE(t.InsertEvent(no, {1, experiment}).ok());
    EXPECT_FALSE(t.InsertEvent(no, {1, experiment}).ok());
    EXPECT_TRUE(t.InsertIncident(no, 1, 3, "conflict", "what", 77).ok());
  });
  const auto events = *store_->ListEvents(no, 10, 0);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(std::get<Experiment>(events[0].body).id, "e");
  EXPECT_EQ(std::get<Seal>(events[1].body).loss, 0.1);
  EXPECT_EQ(store_->ListEvents(no, 10, 1)->size(), 1u);
  EXPECT_EQ(store_->ListEvents(no, 1, 0)->size(), 1u);
  const auto incidents = *store_->ListIncidents(no);
  ASSERT_EQ(incidents.size(), 1u);
  EXPECT_EQ(incidents[0].rank, 3);
  EXPECT_EQ(incidents[0].body, "what");
}

TEST_F(StoreContract, RequestsAreAnsweredAgainForADay) {
  const Digest one = {1}, two = {2};
  constexpr int64_t kDayMs = 24 * 3600 * 1000;
  Write([&](Transaction& t) {
    EXPECT_FALSE(t.FindRequest("r", one)->has_value());
    EXPECT_TRUE(t.PutRequest("r", one, "answer", 1000).ok());
    EXPECT_EQ(**t.FindRequest("r", one), "answer");
    EXPECT_EQ(t.FindRequest("r", two).status().code(), absl::StatusCode::kAlreadyExists);
    EXPECT_TRUE(t.PutRequest("later", one, "other", 1000 + kDayMs).ok());
    EXPECT_TRUE(t.FindRequest("r", one)->has_value());
    EXPECT_TRUE(t.PutRequest("later still", one, "other", 1001 + kDayMs).ok());
    EXPECT_FALSE(t.FindRequest("r", one)->has_value());
  });
}

TEST_F(StoreContract, Works) {
  EXPECT_TRUE(store_->Check().ok());
  EXPECT_TRUE(store_->Maintain(true).ok());
}

}  // namespace
}  // namespace gradeline
