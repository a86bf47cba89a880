#include "client/cpp/record_window.h"

#include <gtest/gtest.h>

#include <optional>

#include "client/cpp/status.h"

namespace gradeline::client {
namespace {

v1::Batch BatchOfStep(int64_t step) {
  v1::Batch batch;
  batch.mutable_key()->set_phase(v1::PHASE_TRAIN);
  batch.mutable_key()->set_step(step);
  batch.mutable_key()->set_head("h");
  batch.add_inputs()->set_data("tensor");
  return batch;
}

v1::Result ResultOf(int64_t seq) {
  v1::Result result;
  result.set_seq(seq);
  result.mutable_record()->set_seq(seq);
  result.mutable_record()->set_digest("d");
  return result;
}

v1::Refused RefusedOf(int64_t seq, bool recorded) {
  v1::Refused refused;
  refused.set_seq(seq);
  refused.mutable_status()->set_code(3);
  refused.set_seq_taken(recorded);
  if (recorded) {
    refused.mutable_record()->set_seq(seq);
    refused.mutable_record()->set_code(3);
  }
  return refused;
}

class RecordWindowTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(window_.Reconnected(0, 4, 8).ok()); }

  // Adds a batch whose answers are counted in answered_[step].
  absl::Status Add(int64_t step) {
    return window_.AddBatch(BatchOfStep(step), [this, step](const absl::StatusOr<v1::Result>&) { ++answered_[step]; });
  }
  // What is sent from now on: "batch 1", "replay 1", "end 2 of 1", "bye 3".
  std::vector<std::string> Sent() {
    std::vector<std::string> out;
    while (const auto request = window_.Next()) {
      if (request->has_batch()) {
        out.push_back("batch " + std::to_string(request->batch().seq()) + " step " +
                      std::to_string(request->batch().key().step()));
      } else if (request->has_replay()) {
        out.push_back("replay " + std::to_string(request->replay().record().seq()));
      } else if (request->has_end_phase()) {
        out.push_back("end " + std::to_string(request->end_phase().seq()) + " of " +
                      std::to_string(request->end_phase().records()));
      } else {
        out.push_back("bye " + std::to_string(request->bye().seq()));
      }
    }
    return out;
  }
  void Call(const Answer& answer) {
    ASSERT_NE(answer, nullptr);
    answer(v1::Result());
  }
  using Strings = std::vector<std::string>;

  RecordWindow window_;
  std::map<int64_t, int> answered_;
};

TEST_F(RecordWindowTest, NumbersFromOneAndSendsEachOnce) {
  ASSERT_TRUE(Add(0).ok());
  ASSERT_TRUE(Add(1).ok());
  EXPECT_EQ(Sent(), (Strings{"batch 1 step 0", "batch 2 step 1"}));
  EXPECT_EQ(Sent(), Strings{});
}

TEST_F(RecordWindowTest, KeepsCreditsAndTheUncommittedLimit) {
  for (int step = 0; step < 4; ++step) ASSERT_TRUE(Add(step).ok());
  EXPECT_FALSE(window_.HasRoomForBatch());
  Sent();
  for (int seq = 1; seq <= 4; ++seq) Call(window_.TakeResult(ResultOf(seq)));
  EXPECT_TRUE(window_.HasRoomForBatch());
  for (int step = 4; step < 8; ++step) ASSERT_TRUE(Add(step).ok());
  Sent();
  for (int seq = 5; seq <= 8; ++seq) Call(window_.TakeResult(ResultOf(seq)));
  EXPECT_FALSE(window_.HasRoomForEnd()) << "eight are uncommitted";
  window_.Commit(3);
  EXPECT_TRUE(window_.HasRoomForBatch());
  EXPECT_EQ(window_.size(), 5u);
}

TEST_F(RecordWindowTest, ReplaysWhatHadAnAnswerAndSendsTheRestWhole) {
  for (int step = 0; step < 4; ++step) ASSERT_TRUE(Add(step).ok());
  Sent();
  Call(window_.TakeResult(ResultOf(1)));
  Call(window_.TakeResult(ResultOf(2)));
  Call(window_.TakeRefused(RefusedOf(3, true)));
  const auto lost = window_.Reconnected(1, 4, 8);
  ASSERT_TRUE(lost.ok());
  EXPECT_TRUE(lost->empty());
  EXPECT_EQ(Sent(), (Strings{"replay 2", "replay 3", "batch 4 step 3"}));
}

TEST_F(RecordWindowTest, NamesDurableBatchesWhoseAnswerWasLost) {
  ASSERT_TRUE(Add(0).ok());
  ASSERT_TRUE(Add(1).ok());
  Sent();
  const auto lost = window_.Reconnected(1, 4, 8);
  ASSERT_TRUE(lost.ok());
  ASSERT_EQ(lost->size(), 1u);
  EXPECT_EQ(lost->front().request->batch().inputs(0).data(), "tensor") << "its tensors are still needed";
  EXPECT_EQ(Sent(), Strings{"batch 2 step 1"});
  Call(window_.TakeLost(1));
  EXPECT_EQ(answered_[0], 1);
  EXPECT_EQ(window_.TakeLost(1), nullptr);
  EXPECT_EQ(window_.size(), 1u);
}

TEST_F(RecordWindowTest, RefusesAServerThatForgotOrKnowsTooMuch) {
  ASSERT_TRUE(Add(0).ok());
  Sent();
  Call(window_.TakeResult(ResultOf(1)));
  window_.Commit(1);
  EXPECT_EQ(window_.Reconnected(0, 4, 8).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(window_.Reconnected(2, 4, 8).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(RecordWindowTest, GoesOnWhereTheServerIsAtTheFirstWelcome) {
  RecordWindow window;
  ASSERT_TRUE(window.Reconnected(17, 4, 8).ok());
  ASSERT_TRUE(window.AddBatch(BatchOfStep(0), nullptr).ok());
  EXPECT_EQ(window.last_seq(), 18);
}

TEST_F(RecordWindowTest, EndOfPhaseWaitsForAnswersAndCountsRecords) {
  for (int step = 0; step < 3; ++step) ASSERT_TRUE(Add(step).ok());
  window_.AddEndPhase(v1::PHASE_TRAIN, 0);
  EXPECT_EQ(Sent().size(), 3u);
  Call(window_.TakeResult(ResultOf(1)));
  Call(window_.TakeRefused(RefusedOf(2, true)));
  EXPECT_EQ(Sent(), Strings{});
  Call(window_.TakeResult(ResultOf(3)));
  EXPECT_EQ(Sent(), Strings{"end 4 of 3"});
}

TEST_F(RecordWindowTest, ARefusalWithoutRecordGivesItsSeqBack) {
  for (int step = 0; step < 4; ++step) ASSERT_TRUE(Add(step).ok());
  Sent();
  Call(window_.TakeResult(ResultOf(1)));
  Call(window_.TakeRefused(RefusedOf(2, false)));
  EXPECT_EQ(answered_[1], 1);
  // The server refuses what was on its way under the old numbers; those answers are nobody's.
  EXPECT_EQ(window_.TakeRefused(RefusedOf(3, false)), nullptr);
  EXPECT_EQ(window_.TakeRefused(RefusedOf(4, false)), nullptr);
  EXPECT_EQ(Sent(), (Strings{"batch 2 step 2", "batch 3 step 3"}));
  Call(window_.TakeResult(ResultOf(2)));
  EXPECT_EQ(answered_[2], 1);
  Call(window_.TakeRefused(RefusedOf(3, false)));
  EXPECT_EQ(answered_[3], 1);
  window_.AddEndPhase(v1::PHASE_TRAIN, 0);
  EXPECT_EQ(Sent(), Strings{"end 3 of 2"}) << "refused without a record does not count";
}

TEST_F(RecordWindowTest, DoesNotChangeAMessageThatIsBeingWritten) {
  ASSERT_TRUE(Add(0).ok());
  ASSERT_TRUE(Add(1).ok());
  const auto first = window_.Next();
  const auto second = window_.Next();
  Call(window_.TakeRefused(RefusedOf(1, false)));
  EXPECT_EQ(second->batch().seq(), 2);
  EXPECT_EQ(Sent(), Strings{"batch 1 step 1"});
}

TEST_F(RecordWindowTest, AReconnectionForgetsRefusalsStillToCome) {
  ASSERT_TRUE(Add(0).ok());
  ASSERT_TRUE(Add(1).ok());
  Sent();
  Call(window_.TakeRefused(RefusedOf(1, false)));
  ASSERT_TRUE(window_.Reconnected(0, 4, 8).ok());
  EXPECT_EQ(Sent(), Strings{"batch 1 step 1"});
  Call(window_.TakeRefused(RefusedOf(1, false)));
  EXPECT_EQ(answered_[1], 1);
}

TEST_F(RecordWindowTest, AConflictKeepsItsSeq) {
  ASSERT_TRUE(Add(0).ok());
  ASSERT_TRUE(Add(1).ok());
  Sent();
  v1::Refused refused = RefusedOf(1, false);
  refused.set_seq_taken(true);
  Call(window_.TakeRefused(refused));
  Call(window_.TakeResult(ResultOf(2)));
  EXPECT_EQ(answered_[1], 1);
}

TEST_F(RecordWindowTest, RefusesAKeyThatCameBefore) {
  ASSERT_TRUE(Add(0).ok());
  EXPECT_EQ(Add(0).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(window_.last_seq(), 1);
  window_.Sealed(v1::PHASE_TRAIN, 0);
}

TEST_F(RecordWindowTest, ValidationAnswersMayComeAfterTheCommit) {
  ASSERT_TRUE(Add(0).ok());
  Sent();
  window_.Commit(1);
  EXPECT_EQ(window_.size(), 1u);
  Call(window_.TakeResult(ResultOf(1)));
  EXPECT_EQ(window_.size(), 0u);
  EXPECT_EQ(window_.TakeResult(ResultOf(1)), nullptr) << "answered once";
}

TEST_F(RecordWindowTest, GivesUpEveryOwedAnswer) {
  ASSERT_TRUE(Add(0).ok());
  ASSERT_TRUE(Add(1).ok());
  Sent();
  Call(window_.TakeResult(ResultOf(1)));
  EXPECT_EQ(window_.TakeAll().size(), 1u);
  EXPECT_EQ(window_.size(), 0u);
}

}  // namespace
}  // namespace gradeline::client
