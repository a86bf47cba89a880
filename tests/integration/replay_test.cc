// Lost connections: what was answered is replayed, the rest is sent again, and every record counts once.
#include <signal.h>

#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

using absl::StatusCode;
using v1::TrainResponse;

class Replay : public ServerTest {};

TEST_F(Replay, AfterALostConnectionEveryRecordCountsOnce) {
  const auto started = Started("lost");
  std::vector<v1::Record> records;
  {
    RankStream stream(training_.get(), started, 0, 1);
    for (int i = 0; i < 6; ++i) {
      ASSERT_TRUE(stream.Send(RankStream::Batch(i + 1, v1::PHASE_TRAIN, 0, i)));
      records.push_back(stream.NextOf(TrainResponse::kResult).result().record());
    }
    ASSERT_TRUE(stream.Send(RankStream::Batch(7, v1::PHASE_TRAIN, 0, 6)));
    stream.Cancel();
  }
  RankStream stream(training_.get(), started, 0, 1);
  const int64_t committed = stream.welcome().committed_seq();
  EXPECT_GE(stream.welcome().fence(), 2);
  ASSERT_GE(committed, 0);
  // Even what is committed may come again: it is only acknowledged.
  for (const v1::Record& record : records) ASSERT_TRUE(stream.Send(RankStream::Replay(record)));
  ASSERT_TRUE(stream.Send(RankStream::Batch(7, v1::PHASE_TRAIN, 0, 6)));
  ASSERT_TRUE(stream.Send(RankStream::EndPhase(8, v1::PHASE_TRAIN, 0, 7)));
  while (true) {
    const TrainResponse response = stream.Next();
    ASSERT_NE(response.message_case(), TrainResponse::MESSAGE_NOT_SET) << stream.Finish();
    if (!response.has_sealed()) continue;
    EXPECT_EQ(response.sealed().epoch().verdict(), v1::SEAL_VERDICT_COMPLETE);
    EXPECT_EQ(response.sealed().epoch().batches(), 7);
    EXPECT_EQ(response.sealed().epoch().items(), 14);
    EXPECT_EQ(response.sealed().epoch().metrics(0).count(), 14);
    break;
  }
}

// The server dies without a chance to commit: a new one takes the replays over the same file.
TEST_F(Replay, AfterTheServerDied) {
  ServerProcess first;
  ASSERT_TRUE(first.listening());
  training_ = v1::TrainingService::NewStub(channel_ = Connect(first.grpc()));
  dataset_ = v1::DatasetService::NewStub(channel_);
  split_ = v1::SplitService::NewStub(channel_);
  experiment_ = v1::ExperimentService::NewStub(channel_);
  const auto started = Started("died");
  std::vector<v1::Record> records;
  RankStream stream(training_.get(), started, 0, 1);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(stream.Send(RankStream::Batch(i + 1, v1::PHASE_TRAIN, 0, i)));
    records.push_back(stream.NextOf(TrainResponse::kResult).result().record());
  }
  first.Signal(SIGKILL);
  first.Wait();
  ServerProcess second({}, first.folder());
  ASSERT_TRUE(second.listening()) << second.log();
  experiment_ = v1::ExperimentService::NewStub(Connect(second.grpc()));
  training_ = v1::TrainingService::NewStub(Connect(second.grpc()));
  RankStream again(training_.get(), started, 0, 1);
  const int64_t committed = again.welcome().committed_seq();
  ASSERT_LE(committed, 20);
  for (size_t i = static_cast<size_t>(committed); i < records.size(); ++i) {
    ASSERT_TRUE(again.Send(RankStream::Replay(records[i])));
  }
  ASSERT_TRUE(again.Send(RankStream::EndPhase(21, v1::PHASE_TRAIN, 0, 20)));
  const v1::Epoch sealed = again.NextOf(TrainResponse::kSealed).sealed().epoch();
  EXPECT_EQ(sealed.verdict(), v1::SEAL_VERDICT_COMPLETE);
  EXPECT_EQ(sealed.batches(), 20);
  EXPECT_EQ(sealed.items(), 40);
}

TEST_F(Replay, TheSameInstanceOnANewStreamClosesTheOldOne) {
  const auto started = Started("again");
  RankStream old(training_.get(), started, 0, 1);
  RankStream young(training_.get(), started, 0, 1);
  EXPECT_GT(young.welcome().fence(), old.welcome().fence());
  EXPECT_EQ(old.Next().message_case(), TrainResponse::MESSAGE_NOT_SET);
  const absl::Status status = old.Finish();
  EXPECT_EQ(status.code(), StatusCode::kAborted);
  EXPECT_EQ(ReasonOf(status).reason, "SUPERSEDED");
  ASSERT_TRUE(young.Send(RankStream::Batch(1, v1::PHASE_TRAIN, 0, 0)));
  EXPECT_EQ(young.NextOf(TrainResponse::kResult).result().seq(), 1);
}

TEST_F(Replay, AnotherBatchUnderATakenKeyIsAConflict) {
  const auto started = Started("conflict");
  RankStream stream(training_.get(), started, 0, 1);
  ASSERT_TRUE(stream.Send(RankStream::Batch(1, v1::PHASE_VALIDATION, 0, 0)));
  EXPECT_EQ(stream.NextOf(TrainResponse::kResult).result().seq(), 1);
  v1::TrainRequest other = RankStream::Batch(2, v1::PHASE_VALIDATION, 0, 0);
  *other.mutable_batch()->mutable_inputs(1) = I64("target", {2}, {1, 1});
  ASSERT_TRUE(stream.Send(other));
  const v1::Refused refused = stream.NextOf(TrainResponse::kRefused).refused();
  EXPECT_EQ(refused.seq(), 2);
  EXPECT_EQ(refused.status().code(), static_cast<int>(StatusCode::kAlreadyExists));
  EXPECT_FALSE(refused.has_record());
  EXPECT_TRUE(refused.seq_taken());
  ASSERT_TRUE(stream.Send(RankStream::Batch(3, v1::PHASE_VALIDATION, 0, 1)));
  EXPECT_EQ(stream.NextOf(TrainResponse::kResult).result().seq(), 3);
}

}  // namespace
}  // namespace gradeline
