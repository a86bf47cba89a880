// WatchExperiment: everything that happens, in order, without gap or duplicate.
#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

using v1::TrainResponse;

class Watch : public ServerTest {
 protected:
  struct Watcher {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::WatchExperimentResponse>> reader;
  };
  std::unique_ptr<Watcher> From(const std::string& id, int64_t revision) {
    auto watcher = std::make_unique<Watcher>();
    watcher->context.set_deadline(SoonEnough());
    v1::WatchExperimentRequest request;
    request.set_name("experiments/" + id);
    request.set_from_revision(revision);
    watcher->reader = experiment_->WatchExperiment(&watcher->context, request);
    return watcher;
  }
  /// All events to the end of the stream, which must end well; provisional ones apart.
  static std::vector<v1::WatchExperimentResponse> All(Watcher* watcher) {
    std::vector<v1::WatchExperimentResponse> events;
    v1::WatchExperimentResponse response;
    while (watcher->reader->Read(&response)) {
      if (!response.has_progress()) events.push_back(response);
    }
    EXPECT_TRUE(watcher->reader->Finish().ok());
    return events;
  }
};

TEST_F(Watch, SealsAreOfTheHeadsThatTheDraftHadInTheEnd) {
  MakeSplit();
  v1::CreateExperimentRequest create;
  *create.mutable_experiment() = ExperimentNamed("w", 1, 1);
  v1::Experiment experiment;
  ASSERT_TRUE(Call(&v1::ExperimentService::Stub::CreateExperiment, experiment_, create, &experiment).ok());
  const auto live = From("w", 0);
  v1::WatchExperimentResponse first;
  ASSERT_TRUE(live->reader->Read(&first));
  v1::UpdateExperimentRequest update;
  update.mutable_experiment()->set_name("experiments/w");
  update.mutable_experiment()->add_losses()->set_head("classification");
  update.mutable_experiment()->mutable_losses(0)->set_loss("cross_entropy+focal");
  ASSERT_TRUE(Call(&v1::ExperimentService::Stub::UpdateExperiment, experiment_, update, &experiment).ok());
  v1::StartExperimentRequest start;
  start.set_name("experiments/w");
  v1::StartExperimentResponse started;
  ASSERT_TRUE(Call(&v1::ExperimentService::Stub::StartExperiment, experiment_, start, &started).ok());
  RankStream stream(training_.get(), started, 0, 1);
  ASSERT_TRUE(stream.Send(RankStream::Batch(1, v1::PHASE_TRAIN, 0, 0)));
  ASSERT_TRUE(stream.Send(RankStream::EndPhase(2, v1::PHASE_TRAIN, 0, 1)));
  stream.NextOf(TrainResponse::kResult);
  stream.NextOf(TrainResponse::kSealed);
  ASSERT_TRUE(stream.Send(RankStream::Bye(3)));
  stream.NextCommitted(3);
  const auto events = All(live.get());
  ASSERT_EQ(events.size(), 5u);  // the update, QUEUED, RUNNING, the seal, SUCCEEDED
  ASSERT_EQ(events[3].sealed().components_size(), 2);
  EXPECT_EQ(events[3].sealed().components(1).component(), "focal");
}

TEST_F(Watch, FromTheBeginningFromTheMiddleAndLiveAreTheSame) {
  const auto started = Started("w", 1, 2);
  const auto live = From("w", 0);
  RankStream stream(training_.get(), started, 0, 1);
  int64_t seq = 0;
  for (int epoch = 0; epoch < 2; ++epoch) {
    ASSERT_TRUE(stream.Send(RankStream::Batch(++seq, v1::PHASE_TRAIN, epoch, 0)));
    ASSERT_TRUE(stream.Send(RankStream::EndPhase(++seq, v1::PHASE_TRAIN, epoch, 1)));
    stream.NextOf(TrainResponse::kResult);
    stream.NextOf(TrainResponse::kSealed);
  }
  ASSERT_TRUE(stream.Send(RankStream::Bye(++seq)));
  stream.NextCommitted(seq);
  const auto events = All(live.get());
  ASSERT_EQ(events.size(), 6u);  // DRAFT, QUEUED, RUNNING, two seals, SUCCEEDED
  for (size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].revision(), static_cast<int64_t>(i) + 1);
  EXPECT_EQ(events[2].experiment().state(), v1::EXPERIMENT_STATE_RUNNING);
  EXPECT_EQ(events[3].sealed().components(0).component(), "cross_entropy");
  EXPECT_EQ(events[5].experiment().state(), v1::EXPERIMENT_STATE_SUCCEEDED);
  const auto later = All(From("w", 0).get());
  ASSERT_EQ(later.size(), events.size());
  for (size_t i = 0; i < events.size(); ++i) EXPECT_EQ(later[i].DebugString(), events[i].DebugString());
  const auto middle = All(From("w", 4).get());
  ASSERT_EQ(middle.size(), 2u);
  EXPECT_EQ(middle[0].revision(), 5);
}

TEST_F(Watch, ALongHistoryIsToldWholeHoweverSlowlyItIsRead) {
  constexpr int kEpochs = 1500;
  const auto started = Started("long", 1, kEpochs);
  const auto live = From("long", 0);  // not read until everything has happened
  RankStream stream(training_.get(), started, 0, 1);
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    ASSERT_TRUE(stream.Send(RankStream::EndPhase(epoch + 1, v1::PHASE_TRAIN, epoch, 0)));
    stream.NextOf(TrainResponse::kSealed);
  }
  ASSERT_TRUE(stream.Send(RankStream::Bye(kEpochs + 1)));
  stream.NextCommitted(kEpochs + 1);
  const auto later = From("long", 0);
  for (Watcher* watcher : {live.get(), later.get()}) {
    const auto events = All(watcher);
    ASSERT_EQ(events.size(), 4u + kEpochs);
    for (size_t i = 0; i < events.size(); ++i) ASSERT_EQ(events[i].revision(), static_cast<int64_t>(i) + 1);
  }
}

TEST_F(Watch, AWatcherMayLeave) {
  const auto started = Started("leave");
  auto watcher = From("leave", 0);
  v1::WatchExperimentResponse response;
  ASSERT_TRUE(watcher->reader->Read(&response));
  watcher->context.TryCancel();
  EXPECT_EQ(watcher->reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  RankStream stream(training_.get(), started, 0, 1);
  ASSERT_TRUE(stream.Send(RankStream::Batch(1, v1::PHASE_TRAIN, 0, 0)));
  EXPECT_EQ(stream.NextOf(TrainResponse::kResult).result().seq(), 1);
}

}  // namespace
}  // namespace gradeline
