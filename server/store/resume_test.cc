// Attempts after the first, early stopping and refused batches, over a real database.
#include "gmock/gmock.h"
#include "server/core/base/status.h"
#include "server/store/test_world.h"

namespace gradeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr Phase kTrain = Phase::kTrain, kValidation = Phase::kValidation;

class ResumeTest : public testing::Test {
 protected:
  std::shared_ptr<RankSession> Join(int32_t rank, char instance) {
    listener_ = std::make_shared<TestListener>();
    auto joined = world_.Join(rank, listener_, instance);
    EXPECT_TRUE(joined.ok()) << joined.status();
    return joined.ok() ? *joined : nullptr;
  }
  absl::Status Resume(std::optional<int64_t> first_epoch = std::nullopt) {
    const auto resumed = world_.experiments->Resume("e", first_epoch, "", "");
    if (resumed.ok()) world_.token = resumed->token;
    return resumed.status();
  }
  // One rank trains epoch 0, then a batch of epoch 1, and fails.
  void FailInEpochOne() {
    world_.Start(1, 3);
    const auto session = Join(0, 'a');
    int64_t seq = SendPhase(*session, 1, kTrain, 0, 2);
    Send(*session, TestRecord(seq++, {kTrain, 1, 0, 0, 0}, 1));
    SendBye(*session, seq, "out of memory");
    listener_->AwaitStop();
  }
  std::vector<std::string> SealWords() const {
    std::vector<std::string> words;
    for (const Seal& seal : world_.Seals()) {
      words.push_back(absl::StrCat(seal.attempt, ":", static_cast<int>(seal.phase), ":", seal.epoch,
                                   seal.complete ? " complete" : " partial"));
    }
    return words;
  }

  TestWorld world_;
  std::shared_ptr<TestListener> listener_;
};

TEST_F(ResumeTest, TheNextAttemptGoesOnAndBothStayVisible) {
  FailInEpochOne();
  ASSERT_TRUE(Resume().ok());
  EXPECT_EQ(world_.Get().state, ExperimentState::kQueued);
  EXPECT_EQ(world_.Get().attempt, 2);
  EXPECT_EQ(world_.Get().reason, "resumed with epoch 1");
  const auto session = Join(0, 'b');
  EXPECT_EQ(session->welcome().first_epoch, 1);
  EXPECT_EQ(session->welcome().committed_seq, 0);
  EXPECT_EQ(world_.Get().state, ExperimentState::kRunning);
  int64_t seq = SendPhase(*session, 1, kTrain, 1, 2);
  seq = SendPhase(*session, seq, kTrain, 2, 2);
  SendBye(*session, seq);
  listener_->AwaitStop();
  EXPECT_EQ(listener_->stopped, ExperimentState::kSucceeded);
  EXPECT_THAT(SealWords(), ElementsAre("1:1:0 complete", "1:1:1 partial", "2:1:1 complete", "2:1:2 complete"));
  const auto attempts = *world_.experiments->ListAttempts("e", 10, "");
  ASSERT_EQ(attempts.items.size(), 2u);
  EXPECT_EQ(attempts.items[0].ended, ExperimentState::kFailed);
  EXPECT_EQ(attempts.items[0].reason, "rank 0: out of memory");
  EXPECT_EQ(attempts.items[1].ended, ExperimentState::kSucceeded);
  EXPECT_EQ(attempts.items[1].first_epoch, 1);
  EXPECT_EQ(world_.experiments->ListAttempts("e", 1, "")->next, "1");
  EXPECT_EQ(world_.experiments->ListAttempts("e", 1, "1")->items[0].attempt, 2);
}

TEST_F(ResumeTest, TheFirstEpochIsOneThatIsNotTrainedYetOrEarlier) {
  FailInEpochOne();
  for (const int64_t wrong : {int64_t{2}, int64_t{-1}}) {
    EXPECT_THAT(std::string(Resume(wrong).message()),
                HasSubstr(absl::StrCat("firstEpoch: ", wrong, "; allowed: 0 to 1")));
  }
  ASSERT_TRUE(Resume(0).ok());
  const auto session = Join(0, 'b');
  EXPECT_TRUE(session->CheckKey({kTrain, 0, 0, 0, 0}).ok());
  ASSERT_TRUE(world_.experiments->Cancel("e", "", "").ok());
  // Attempt 2 has trained nothing: what attempt 1 trained after its checkpoint does not count for it.
  EXPECT_THAT(std::string(Resume(1).message()), HasSubstr("firstEpoch: 1; allowed: 0 to 0"));
}

TEST_F(ResumeTest, EpochsBeforeTheCheckpointAreClosedSaveTheEvaluationOfTheLast) {
  FailInEpochOne();
  ASSERT_TRUE(Resume().ok());
  const auto session = Join(0, 'b');
  EXPECT_THAT(std::string(session->CheckKey({kTrain, 0, 0, 0, 0}).message()),
              HasSubstr("key.epoch: 0 is not between 1 and 2"));
  EXPECT_TRUE(session->CheckKey({kValidation, 0, 0, 0, 0}).ok());
}

TEST_F(ResumeTest, OnlyWhatHasEndedOtherwiseThanWellCanBeResumed) {
  EXPECT_EQ(Resume().code(), absl::StatusCode::kNotFound);
  world_.Start(1, 1);
  EXPECT_THAT(std::string(Resume().message()),
              HasSubstr("e is QUEUED; this needs LOST, FAILED, CANCELLED or EARLY_STOPPED"));
  const auto session = Join(0, 'a');
  const int64_t seq = SendPhase(*session, 1, kTrain, 0, 1);
  SendBye(*session, seq);
  listener_->AwaitStop();
  EXPECT_EQ(Resume().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ResumeTest, AWorkerOfAnOldAttemptChangesNothingAndIsCounted) {
  world_.Start(1, 3);
  const auto old_session = Join(0, 'a');
  const auto old_listener = listener_;
  const std::string old_token = world_.token;
  Send(*old_session, TestRecord(1, {kTrain, 0, 0, 0, 0}, 1));
  old_listener->AwaitCommitted(1);
  ASSERT_TRUE(world_.experiments->Cancel("e", "", "").ok());
  ASSERT_TRUE(Resume().ok());
  const auto session = Join(0, 'b');
  EXPECT_EQ(ReportNow(*old_session, TestRecord(2, {kTrain, 0, 1, 0, 0}, 1)).first, RecordFate::kClosed);
  EXPECT_EQ(ReportNow(*old_session, TestRecord(3, {kTrain, 0, 2, 0, 0}, 1)).first, RecordFate::kClosed);
  EXPECT_EQ(world_.experiments->ListAttempts("e", 10, "")->items[0].late, 2);
  EXPECT_EQ(session->welcome().committed_seq, 0);
  world_.token = old_token;
  const absl::Status refused = world_.Join(0, std::make_shared<TestListener>(), 'a').status();
  EXPECT_EQ(ReasonOf(refused).reason, "EXPERIMENT_ENDED") << refused;
  EXPECT_EQ(ReasonOf(refused).metadata["state"], "CANCELLED");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("attempt 1 of experiment e is CANCELLED"));
  world_.token = "nonsense";
  EXPECT_EQ(ReasonOf(world_.Join(0, std::make_shared<TestListener>(), 'a').status()).reason, "WRONG_TOKEN");
}

TEST_F(ResumeTest, ARepeatedResumeGivesTheSameAttempt) {
  FailInEpochOne();
  const std::string id = "123e4567-e89b-12d3-a456-426614174000";
  const auto first = world_.experiments->Resume("e", std::nullopt, id, "");
  const auto again = world_.experiments->Resume("e", std::nullopt, id, "");
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(first->token, again->token);
  EXPECT_EQ(world_.Get().attempt, 2);
  EXPECT_EQ(world_.experiments->Resume("e", 0, id, "").status().code(), absl::StatusCode::kAlreadyExists);
}

class EarlyStoppingTest : public ResumeTest {
 protected:
  void Start(int32_t world_size, int32_t patience) {
    Experiment experiment = TestExperiment(world_size, 6);
    experiment.training.early_stopping = EarlyStopping{"validation.loss", std::nullopt, patience, 0};
    world_.Start(experiment);
  }
  // A validation epoch with the loss, after an epoch of training.
  static int64_t SendEpoch(RankSession& session, int64_t seq, int64_t epoch, double loss) {
    seq = SendPhase(session, seq, kTrain, epoch, 1);
    Send(session, TestRecord(seq++, {kValidation, epoch, 0, 0, 0}, loss));
    EXPECT_TRUE(session.Begin(seq).ok());
    EXPECT_TRUE(session.EndPhase(seq, kValidation, epoch, 1, nullptr).ok());
    return seq + 1;
  }
};

TEST_F(EarlyStoppingTest, TheDirectiveIsStoredWithTheSealAndToldAgain) {
  Start(1, 2);
  auto session = Join(0, 'a');
  int64_t seq = 1;
  for (const double loss : {2.0, 1.0, 1.0, 3.0}) {
    const int64_t epoch = (seq - 1) / 4;
    seq = SendEpoch(*session, seq, epoch, loss);
    listener_->AwaitSeals(static_cast<size_t>(2 * (epoch + 1)));
  }
  listener_->AwaitSeals(8);
  const Seal last = world_.Seals().back();
  ASSERT_TRUE(last.directive.has_value());
  EXPECT_TRUE(last.directive->stop);
  EXPECT_EQ(last.directive->best_epoch, 1);
  EXPECT_EQ(last.directive->stale_epochs, 2);
  EXPECT_FALSE(world_.Seals()[5].directive->stop);
  session.reset();
  world_.Restart();
  session = Join(0, 'a');
  ASSERT_EQ(session->welcome().last_seals.size(), 2u);
  EXPECT_TRUE(session->welcome().last_seals[1].directive->stop);
  SendBye(*session, seq);
  listener_->AwaitStop();
  EXPECT_EQ(listener_->stopped, ExperimentState::kEarlyStopped);
  EXPECT_THAT(listener_->reason, HasSubstr("validation.loss has not improved for 2 epochs, best: "));
}

TEST_F(EarlyStoppingTest, ARankThatIsLostAfterTheDirectiveDoesNotMakeItLost) {
  Start(2, 1);
  const auto one = Join(0, 'a');
  const auto one_listener = listener_;
  const auto two = Join(1, 'b');
  int64_t seq = 1;
  for (const double loss : {1.0, 2.0}) {
    const int64_t epoch = (seq - 1) / 4;
    SendEpoch(*one, seq, epoch, loss);
    seq = SendEpoch(*two, seq, epoch, loss);
    one_listener->AwaitSeals(static_cast<size_t>(2 * (epoch + 1)));
  }
  ASSERT_TRUE(world_.Seals().back().directive->stop);
  for (int i = 0; i < 15; ++i) {
    world_.clock.now_ms += 4'000;
    one->Heartbeat(false);
    for (int look = 0; look < 3; ++look) world_.experiments->DeleteDataset("nothing").IgnoreError();
  }
  one_listener->AwaitStop();
  EXPECT_EQ(one_listener->stopped, ExperimentState::kEarlyStopped);
  EXPECT_THAT(one_listener->reason, HasSubstr("; rank 1 was silent for 60 s"));
}

TEST_F(EarlyStoppingTest, PartialEpochsDoNotFeedPatience) {
  Start(1, 1);
  auto session = Join(0, 'a');
  int64_t seq = SendEpoch(*session, 1, 0, 1);
  listener_->AwaitSeals(2);
  seq = SendPhase(*session, seq, kTrain, 1, 1);
  Send(*session, TestRecord(seq++, {kValidation, 1, 0, 0, 0}, 9));
  listener_->AwaitCommitted(seq - 1);
  ASSERT_TRUE(world_.experiments->Cancel("e", "", "").ok());
  EXPECT_FALSE(world_.Seals().back().directive.has_value());
  ASSERT_TRUE(Resume().ok());
  session = Join(0, 'b');
  EXPECT_EQ(session->welcome().first_epoch, 2);
  SendEpoch(*session, 1, 2, 0.5);
  listener_->AwaitSeals(2);
  EXPECT_EQ(world_.Seals().back().directive->stale_epochs, 0);
  EXPECT_EQ(world_.Seals().back().directive->best_epoch, 2);
}

TEST_F(ResumeTest, APhaseThatARankWhichIsDoneNeverEndedIsNotWaitedFor) {
  for (const bool goodbye_first : {true, false}) {
    SCOPED_TRACE(goodbye_first);
    Experiment experiment = TestExperiment(2, 2);
    experiment.id = goodbye_first ? "before" : "after";
    world_.Start(experiment);
    const auto one = Join(0, 'a');
    const auto two = Join(1, 'b');
    const int64_t seq = SendPhase(*one, 1, kTrain, 0, 1);
    int64_t other = SendPhase(*two, 1, kTrain, 0, 1);
    listener_->AwaitSeals(1);
    if (goodbye_first) SendBye(*one, seq);
    other = SendPhase(*two, other, kTrain, 1, 1);
    if (!goodbye_first) {
      listener_->AwaitCommitted(other - 1);
      SendBye(*one, seq);
    }
    listener_->AwaitStop();
    EXPECT_EQ(listener_->stopped, ExperimentState::kLost);
    EXPECT_EQ(listener_->reason, "rank 0 is done and has not ended train of epoch 1, which others report");
  }
}

TEST_F(ResumeTest, TheFirstRefusedBatchIsKeptInTheOrderOfKeys) {
  world_.Start(1, 1);
  const auto session = Join(0, 'a');
  const auto refused = [&](int64_t seq, int64_t step, int64_t item) {
    Record record = TestRecord(seq, {kTrain, 0, step, 0, 0}, 0);
    record.code = 3;
    record.items = 0;
    record.values.clear();
    record.metrics.clear();
    record.refusal = {"NOT_FINITE", "prediction", item};
    Send(*session, record);
  };
  Send(*session, TestRecord(1, {kTrain, 0, 0, 0, 0}, 1));
  refused(2, 5, 17);
  refused(3, 3, 8);
  ASSERT_TRUE(session->Begin(4).ok());
  ASSERT_TRUE(session->EndPhase(4, kTrain, 0, 3, nullptr).ok());
  listener_->AwaitSeals(1);
  const Seal seal = world_.Seals()[0];
  EXPECT_EQ(seal.refused.at(3), 2);
  ASSERT_TRUE(seal.first_refused.has_value());
  EXPECT_EQ(seal.first_refused->step, 3);
  EXPECT_EQ(seal.first_refused->code, 3);
  EXPECT_EQ(seal.first_refused->refusal, (Refusal{"NOT_FINITE", "prediction", 8}));
  EXPECT_TRUE(seal.complete);
}

}  // namespace
}  // namespace gradeline
