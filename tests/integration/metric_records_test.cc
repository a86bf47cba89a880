// What metrics count of a batch: on its way to the worker and into the ledger.
#include <cmath>
#include <future>

#include "tests/integration/held_commits.h"
#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

using v1::TrainResponse;

class MetricRecords : public ServerTest {
 protected:
  // So many rows, each with scores of its own.
  static v1::TrainRequest Rows(int64_t seq, int64_t step, int64_t rows) {
    v1::TrainRequest request = RankStream::Batch(seq, v1::PHASE_TRAIN, 0, step);
    std::vector<float> scores;
    std::vector<int64_t> labels;
    for (int64_t row = 0; row < rows; ++row) {
      for (int k = 0; k < 3; ++k) scores.push_back(static_cast<float>(std::sin(step * 1000 + row * 3 + k)));
      labels.push_back(row % 3);
    }
    v1::Batch& batch = *request.mutable_batch();
    batch.clear_inputs();
    *batch.add_inputs() = F32("prediction", {rows, 3}, scores);
    *batch.add_inputs() = I64("target", {rows}, labels);
    return request;
  }
};

TEST_F(MetricRecords, LargeCountsAreCommittedBeforeTheyAreAnswered) {
  const auto started = Started("large", 2, 1, {"roc_auc"});
  RankStream one(training_.get(), started, 0, 2), other(training_.get(), started, 1, 2);
  std::future<TrainResponse> large;
  {
    const HeldCommits held(server_.folder() + "/g.db");
    ASSERT_TRUE(one.Send(Rows(1, 0, 500)));
    large = std::async(std::launch::async, [&] { return one.NextOf(TrainResponse::kResult); });
    for (int64_t seq = 1; seq <= 100; ++seq) {
      ASSERT_TRUE(other.Send(Rows(seq, seq, 2)));
      const TrainResponse small = other.Next();
      ASSERT_EQ(small.result().seq(), seq) << small.ShortDebugString();
      EXPECT_LE(small.result().record().metrics().size(), 1024u);
    }
    EXPECT_EQ(large.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  }
  const v1::Result result = large.get().result();
  EXPECT_EQ(result.seq(), 1);
  EXPECT_GT(result.record().metrics().size(), 1024u);
}

TEST_F(MetricRecords, ASealHasCurvesAndMatricesWhereTheyAreAskedFor) {
  const auto started = Started("details", 1, 1, {"roc_auc", "confusion_matrix"});
  RankStream stream(training_.get(), started, 0, 1);
  for (int64_t seq = 1; seq <= 2; ++seq) {
    ASSERT_TRUE(stream.Send(Rows(seq, seq, 20 + 10 * seq)));
    EXPECT_EQ(stream.NextOf(TrainResponse::kResult).result().seq(), seq);
  }
  ASSERT_TRUE(stream.Send(RankStream::EndPhase(3, v1::PHASE_TRAIN, 0, 2)));
  const v1::Epoch told = stream.NextOf(TrainResponse::kSealed).sealed().epoch();
  ASSERT_EQ(told.metrics_size(), 3);
  EXPECT_EQ(told.metrics(1).curves_size(), 0);
  EXPECT_FALSE(told.metrics(2).has_matrix());
  v1::ListEpochsRequest request;
  request.set_parent("experiments/details");
  v1::ListEpochsResponse listed;
  ASSERT_TRUE(Call(&v1::ExperimentService::Stub::ListEpochs, experiment_, request, &listed).ok());
  EXPECT_EQ(listed.epochs(0).metrics(1).curves_size(), 0);
  request.set_show_details(true);
  ASSERT_TRUE(Call(&v1::ExperimentService::Stub::ListEpochs, experiment_, request, &listed).ok());
  EXPECT_EQ(listed.epochs(0).metrics(1).curves_size(), 3);
  double cells = 0;
  for (const double cell : listed.epochs(0).metrics(2).matrix().cells()) cells += cell;
  EXPECT_EQ(cells, 70);
}

}  // namespace
}  // namespace gradeline
