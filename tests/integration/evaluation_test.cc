// A detector's experiment: boxes that a worker reports in validation, for metrics alone, and a training that stops by
// them.
#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

using absl::StatusCode;
using v1::TrainResponse;

class Evaluation : public ServerTest {
 protected:
  // An experiment of a detector over a split for its task; "detections" reports where a metric is computed of it.
  absl::Status Create(const std::vector<std::string>& metrics, const char* monitor, v1::Experiment* made) {
    MakeSplit();
    v1::CreateSplitRequest split;
    split.mutable_split()->set_name("splits/boxes");
    split.mutable_split()->set_dataset("datasets/d");
    split.mutable_split()->set_task("object-detection");
    split.mutable_split()->set_strategy(v1::SPLIT_STRATEGY_RANDOM);
    split.mutable_split()->set_train_percent(70);
    split.mutable_split()->set_validation_percent(10);
    split.mutable_split()->set_test_percent(20);
    v1::Split stored;
    if (!Call(
             &v1::SplitService::Stub::GetSplit, split_,
             [] {
               v1::GetSplitRequest request;
               request.set_name("splits/boxes");
               return request;
             }(),
             &stored)
             .ok()) {
      EXPECT_TRUE(Call(&v1::SplitService::Stub::CreateSplit, split_, split, &stored).ok());
    }
    v1::CreateExperimentRequest request;
    v1::Experiment& experiment = *request.mutable_experiment();
    experiment.set_name("experiments/detector");
    experiment.set_split("splits/boxes");
    experiment.set_architecture("faster-rcnn");
    for (const std::string& metric : metrics) experiment.add_metrics(metric);
    experiment.mutable_training()->set_epochs(5);
    if (monitor != nullptr) {
      experiment.mutable_training()->mutable_early_stopping()->set_monitor(monitor);
      experiment.mutable_training()->mutable_early_stopping()->set_patience(1);
    }
    return Call(&v1::ExperimentService::Stub::CreateExperiment, experiment_, request, made);
  }

  // One image with one object; the detection finds it, or another place.
  static v1::TrainRequest Boxes(int64_t seq, int64_t epoch, int64_t step, bool found) {
    v1::TrainRequest request;
    v1::Batch& batch = *request.mutable_batch();
    batch.set_seq(seq);
    batch.mutable_key()->set_phase(v1::PHASE_VALIDATION);
    batch.mutable_key()->set_epoch(epoch);
    batch.mutable_key()->set_step(step);
    batch.mutable_key()->set_head("detections");
    const float x = found ? 0 : 50;
    *batch.add_inputs() = F32("boxes", {1, 4}, {x, 0, x + 10, 10});
    *batch.add_inputs() = F32("scores", {1}, {0.9F});
    *batch.add_inputs() = I64("classes", {1}, {0});
    *batch.add_inputs() = I64("images", {1}, {step});
    *batch.add_inputs() = F32("target_boxes", {1, 4}, {0, 0, 10, 10});
    *batch.add_inputs() = I64("target_classes", {1}, {0});
    *batch.add_inputs() = I64("target_images", {1}, {step});
    return request;
  }
};

TEST_F(Evaluation, AHeadForMetricsAloneReportsWhereOneIsChosen) {
  v1::Experiment made;
  ASSERT_TRUE(Create({}, nullptr, &made).ok());
  for (const v1::ResolvedHead& head : made.heads()) EXPECT_NE(head.head(), "detections");
  v1::DeleteExperimentRequest gone;
  gone.set_name(made.name());
  ASSERT_TRUE(Call(&v1::ExperimentService::Stub::DeleteExperiment, experiment_, gone, &made).ok());
  gone.set_purge(true);
  ASSERT_TRUE(Call(&v1::ExperimentService::Stub::DeleteExperiment, experiment_, gone, &made).ok());

  const absl::Status status = Create({"coco_average_precision"}, "validation.coco_average_precision", &made);
  ASSERT_TRUE(status.ok()) << status;
  const v1::ResolvedHead& head = made.heads(made.heads_size() - 1);
  EXPECT_EQ(head.head(), "detections");
  EXPECT_EQ(head.loss(), "");
  EXPECT_THAT(head.phases(), testing::ElementsAre(v1::PHASE_VALIDATION, v1::PHASE_TEST));
  EXPECT_EQ(made.training().early_stopping().mode(), v1::MONITOR_MODE_MAX);
}

TEST_F(Evaluation, ValidationOfADetectorHasNoLossToMonitor) {
  v1::Experiment made;
  const Refusal refusal = RefusalOf(Create({"coco_average_precision"}, "validation.loss", &made));
  ASSERT_EQ(refusal.texts.size(), 1u);
  EXPECT_THAT(refusal.texts[0], testing::HasSubstr("allowed: train.loss, validation.coco_average_precision"));
}

TEST_F(Evaluation, StopsWhenTheDetectorNoLongerImproves) {
  v1::Experiment made;
  ASSERT_TRUE(Create({"coco_average_precision(iou=0.50)"}, "validation.coco_average_precision(iou=0.50)", &made).ok());
  v1::StartExperimentRequest start;
  start.set_name(made.name());
  v1::StartExperimentResponse started;
  ASSERT_TRUE(Call(&v1::ExperimentService::Stub::StartExperiment, experiment_, start, &started).ok());
  RankStream stream(training_.get(), started, 0, 1);
  const v1::HeadInputs& inputs = stream.welcome().heads(stream.welcome().heads_size() - 1);
  EXPECT_THAT(inputs.required(), testing::Contains("boxes"));
  EXPECT_THAT(inputs.optional(), testing::Contains("target_crowd"));

  int64_t seq = 0;
  const auto validate = [&](int64_t epoch, std::vector<bool> found) {
    EXPECT_TRUE(stream.Send(RankStream::EndPhase(++seq, v1::PHASE_TRAIN, epoch, 0)));
    stream.NextOf(TrainResponse::kSealed);
    for (size_t image = 0; image < found.size(); ++image) {
      EXPECT_TRUE(stream.Send(Boxes(++seq, epoch, static_cast<int64_t>(image), found[image])));
      const v1::Result result = stream.NextOf(TrainResponse::kResult).result();
      EXPECT_EQ(result.seq(), seq);
      EXPECT_FALSE(result.record().metrics().empty());
      EXPECT_EQ(result.value().components_size(), 0);
    }
    EXPECT_TRUE(
        stream.Send(RankStream::EndPhase(++seq, v1::PHASE_VALIDATION, epoch, static_cast<int64_t>(found.size()))));
    return stream.NextOf(TrainResponse::kSealed).sealed().epoch();
  };
  const v1::Epoch first = validate(0, {true, false});
  ASSERT_EQ(first.metrics_size(), 1);
  EXPECT_GT(first.metrics(0).value(), 0);
  EXPECT_LT(first.metrics(0).value(), 1);
  EXPECT_FALSE(first.directive().stop());
  const v1::Epoch second = validate(1, {true, true});
  EXPECT_DOUBLE_EQ(second.metrics(0).value(), 1);
  EXPECT_EQ(second.directive().best_epoch(), 1);
  const v1::Epoch third = validate(2, {false, false});
  EXPECT_EQ(third.metrics(0).value(), 0);
  EXPECT_TRUE(third.directive().stop());
  EXPECT_EQ(third.directive().best_value(), 1);

  EXPECT_TRUE(stream.Send(RankStream::EndPhase(++seq, v1::PHASE_TEST, 2, 0)));
  EXPECT_TRUE(stream.NextOf(TrainResponse::kSealed).has_sealed());
  EXPECT_TRUE(stream.Send(RankStream::Bye(++seq)));
  stream.NextCommitted(seq);
  EXPECT_EQ(Get("detector").state(), v1::EXPERIMENT_STATE_EARLY_STOPPED);
}

TEST_F(Evaluation, ABatchThatIsWrongIsRecordedAndTheStreamLivesOn) {
  v1::Experiment made;
  ASSERT_TRUE(Create({"coco_average_precision"}, nullptr, &made).ok());
  v1::StartExperimentRequest start;
  start.set_name(made.name());
  v1::StartExperimentResponse started;
  ASSERT_TRUE(Call(&v1::ExperimentService::Stub::StartExperiment, experiment_, start, &started).ok());
  RankStream stream(training_.get(), started, 0, 1);
  v1::TrainRequest wrong = Boxes(1, 0, 0, true);
  wrong.mutable_batch()->mutable_inputs(1)->set_name("score");
  wrong.mutable_batch()->add_normalisers(2);
  ASSERT_TRUE(stream.Send(wrong));
  const v1::Refused refused = stream.NextOf(TrainResponse::kRefused).refused();
  EXPECT_TRUE(refused.seq_taken());
  EXPECT_THAT(refused.status().message(), testing::AllOf(testing::HasSubstr("\"score\" is no input"),
                                                         testing::HasSubstr("an evaluation has no loss")));
  ASSERT_TRUE(stream.Send(Boxes(2, 0, 1, true)));
  EXPECT_EQ(stream.NextOf(TrainResponse::kResult).result().seq(), 2);
}

}  // namespace
}  // namespace gradeline
