// An attempt that closes while batches are in flight: the stream says Stop and ends well.
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

using v1::TrainResponse;

constexpr int kRounds = 15;
constexpr int64_t kRows = 4'000;
constexpr int kAnswersBeforeCancel = 3;

class StopUnderLoad : public ServerTest, public testing::WithParamInterface<v1::Phase> {
 protected:
  static v1::TrainRequest Batch(int64_t seq) {
    v1::TrainRequest request = RankStream::Batch(seq, GetParam(), 0, seq);
    *request.mutable_batch()->mutable_inputs(0) =
        F32("prediction", {kRows, 3}, std::vector<float>(static_cast<size_t>(kRows * 3), 0.5F));
    *request.mutable_batch()->mutable_inputs(1) =
        I64("target", {kRows}, std::vector<int64_t>(static_cast<size_t>(kRows), 1));
    return request;
  }
  void Cancel(const std::string& id) {
    v1::CancelExperimentRequest request;
    request.set_name("experiments/" + id);
    v1::Experiment experiment;
    const absl::Status status = Call(&v1::ExperimentService::Stub::CancelExperiment, experiment_, request, &experiment);
    EXPECT_TRUE(status.ok()) << status;
  }
};

TEST_P(StopUnderLoad, ACancelEndsTheStreamWithStopAndNothingElse) {
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(absl::StrCat("round ", round));
    const std::string id = absl::StrCat("load", round);
    const auto started = Started(id);
    RankStream stream(training_.get(), started, 0, 1);
    std::thread sender([&] {
      for (int64_t seq = 1; stream.Send(Batch(seq)); ++seq) {
      }
    });
    for (int answers = 0; answers < kAnswersBeforeCancel;) answers += stream.Next().has_result() ? 1 : 0;
    std::thread canceller([&] { Cancel(id); });
    TrainResponse last;
    for (TrainResponse response = stream.Next(); response.message_case() != TrainResponse::MESSAGE_NOT_SET;
         response = stream.Next()) {
      last = response;
    }
    canceller.join();
    sender.join();
    EXPECT_EQ(last.stop().state(), v1::EXPERIMENT_STATE_CANCELLED) << last.ShortDebugString();
    const absl::Status status = stream.Finish();
    EXPECT_TRUE(status.ok()) << status;
  }
}

INSTANTIATE_TEST_SUITE_P(Phases, StopUnderLoad, testing::Values(v1::PHASE_TRAIN, v1::PHASE_VALIDATION),
                         [](const auto& phase) { return phase.param == v1::PHASE_TRAIN ? "train" : "validation"; });

}  // namespace
}  // namespace gradeline
