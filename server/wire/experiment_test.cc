#include "server/wire/experiment.h"

#include <gmock/gmock.h>

#include "server/core/base/status.h"
#include "server/wire/dataset.h"
#include "server/wire/split.h"

namespace gradeline {
namespace {

using testing::ElementsAre;

std::vector<std::string> Fields(const absl::Status& status) {
  std::vector<std::string> fields;
  for (const FieldViolation& violation : FieldViolationsOf(status)) fields.push_back(violation.field);
  return fields;
}

v1::Experiment Good() {
  v1::Experiment proto;
  proto.set_name("experiments/e");
  proto.set_split("splits/s");
  proto.set_architecture("resnet");
  (*proto.mutable_architecture_parameters()->mutable_fields())["depth"].set_number_value(18);
  v1::HeadLoss* loss = proto.add_losses();
  loss->set_head("classification");
  loss->set_loss("cross_entropy");
  (*loss->mutable_params()->mutable_fields())["label_smoothing"].set_number_value(0.1);
  loss->set_weight(2);
  loss->set_reduction(v1::REDUCTION_GIVEN);
  proto.add_metrics("accuracy");
  v1::Training* training = proto.mutable_training();
  training->set_epochs(3);
  training->set_batch_size(64);
  training->set_learning_rate(0.5);
  training->set_seed(9);
  training->set_world_size(2);
  training->set_rank_mean(v1::RANK_MEAN_PER_RANK);
  training->set_validation_ranks(v1::PHASE_RANKS_FIRST);
  training->set_test_ranks(v1::PHASE_RANKS_ALL);
  training->mutable_early_stopping()->set_monitor("validation.loss");
  training->mutable_early_stopping()->set_mode(v1::MONITOR_MODE_MAX);
  training->mutable_early_stopping()->set_patience(3);
  training->mutable_early_stopping()->set_min_delta(0.25);
  training->set_non_finite(v1::NON_FINITE_SKIP);
  (*proto.mutable_labels())["team"] = "vision";
  proto.set_notes("a\nb");
  return proto;
}

TEST(Experiment, InputThereAndBack) {
  Violations violations;
  v1::Experiment back = ToProto(ExperimentFromProto(Good(), &violations));
  EXPECT_TRUE(violations.empty()) << violations.ToStatus();
  for (const char* output : {"state", "etag", "revision"}) {
    back.GetReflection()->ClearField(&back, back.GetDescriptor()->FindFieldByName(output));
  }
  EXPECT_EQ(back.SerializeAsString(), Good().SerializeAsString()) << back.DebugString();
}

TEST(Experiment, AbsentValuesTakeTheirDefaults) {
  v1::Experiment proto = Good();
  proto.mutable_training()->clear_rank_mean();
  proto.mutable_training()->clear_validation_ranks();
  proto.mutable_training()->clear_epochs();
  proto.mutable_training()->clear_batch_size();
  proto.mutable_training()->clear_learning_rate();
  proto.mutable_training()->clear_world_size();
  proto.mutable_losses(0)->clear_reduction();
  proto.mutable_losses(0)->clear_weight();
  Violations violations;
  const Experiment experiment = ExperimentFromProto(proto, &violations);
  ASSERT_TRUE(violations.empty());
  EXPECT_EQ(experiment.training.epochs, 0) << "the catalog has its default, and those of the next two";
  EXPECT_EQ(experiment.training.batch_size, 0);
  EXPECT_EQ(experiment.training.learning_rate, 0);
  EXPECT_EQ(experiment.training.world_size, 1);
  EXPECT_EQ(experiment.training.rank_mean, RankMean::kGlobal);
  EXPECT_EQ(experiment.training.validation_ranks, PhaseRanks::kAll);
  EXPECT_EQ(experiment.losses[0].reduction, std::nullopt);
  EXPECT_EQ(experiment.losses[0].weight, std::nullopt);
}

TEST(Experiment, AllViolationsAtOnce) {
  v1::Experiment proto = Good();
  proto.set_name("e");
  proto.set_split("datasets/s");
  (*proto.mutable_architecture_parameters()->mutable_fields())["depth"].mutable_struct_value();
  (*proto.mutable_losses(0)->mutable_params()->mutable_fields())["x"].set_null_value(google::protobuf::NULL_VALUE);
  proto.mutable_losses(0)->set_reduction(static_cast<v1::Reduction>(9));
  proto.mutable_training()->set_rank_mean(static_cast<v1::RankMean>(9));
  proto.mutable_training()->set_test_ranks(static_cast<v1::PhaseRanks>(9));
  Violations violations;
  const Experiment experiment = ExperimentFromProto(proto, &violations);
  EXPECT_THAT(Fields(violations.ToStatus()),
              ElementsAre("name", "split", "architectureParameters.depth", "losses[0].params.x", "losses[0].reduction",
                          "training.rankMean", "training.testRanks"));
  EXPECT_EQ(experiment.architecture, "resnet") << "the rest is read, so that it can be checked too";
  EXPECT_EQ(experiment.training.epochs, 3);
}

TEST(Experiment, SealsNameHeadsAndComponents) {
  ResolvedHead head;
  head.head = "box";
  head.components = {"l1", "iou"};
  Seal seal;
  seal.phase = Phase::kTest;
  seal.components = {{0, 1, 6, 4, 1.5, 2, true}};
  seal.metrics = {{0, "accuracy", {.value = 0.5, .count = 8}}};
  seal.refused = {{3, 2}};
  seal.missing_ranks = {1};
  const v1::Epoch epoch = ToProto(seal, {head});
  EXPECT_EQ(epoch.phase(), v1::PHASE_TEST);
  EXPECT_EQ(epoch.verdict(), v1::SEAL_VERDICT_PARTIAL);
  EXPECT_EQ(epoch.components(0).component(), "iou");
  EXPECT_EQ(epoch.components(0).head(), "box");
  EXPECT_TRUE(epoch.components(0).batch_mean());
  EXPECT_EQ(epoch.metrics(0).metric(), "accuracy");
  EXPECT_EQ(epoch.refused(0).code(), 3);
  EXPECT_THAT(epoch.missing_ranks(), ElementsAre(1));
}

TEST(Dataset, NamesRequestIdsAndTimes) {
  EXPECT_EQ(IdFromName("name", "datasets", "datasets/a-1").value(), "a-1");
  EXPECT_THAT(Fields(IdFromName("name", "datasets", "datasets/A").status()), ElementsAre("name"));
  EXPECT_TRUE(CheckRequestId("requestId", "").ok());
  EXPECT_TRUE(CheckRequestId("requestId", "123e4567-e89b-12d3-a456-426614174000").ok());
  for (const char* bad : {"x", "123e4567-e89b-12d3-a456-42661417400g", "123e4567-e89b-12d3-a456_426614174000"}) {
    EXPECT_THAT(Fields(CheckRequestId("requestId", bad)), ElementsAre("requestId")) << bad;
  }
  EXPECT_EQ(TimestampOf(1500).seconds(), 1);
  EXPECT_EQ(TimestampOf(1500).nanos(), 500'000'000);
  EXPECT_EQ(TimestampOf(-1).seconds(), -1);
  EXPECT_EQ(TimestampOf(-1).nanos(), 999'000'000);
}

TEST(Split, ThereAndBackAndAllViolations) {
  v1::Split proto;
  proto.set_name("splits/s");
  proto.set_dataset("datasets/d");
  proto.set_task("classification");
  proto.set_strategy(v1::SPLIT_STRATEGY_STRATIFIED);
  proto.set_train_percent(70);
  proto.set_validation_percent(10);
  proto.set_test_percent(20);
  proto.set_seed(5);
  Violations violations;
  v1::Split back = ToProto(SplitFromProto(proto, &violations));
  EXPECT_TRUE(violations.empty()) << violations.ToStatus();
  back.clear_create_time();
  EXPECT_EQ(back.SerializeAsString(), proto.SerializeAsString());
  proto.set_name("s");
  proto.set_dataset("d");
  proto.clear_strategy();
  EXPECT_EQ(SplitFromProto(proto, &violations).task, "classification");
  EXPECT_THAT(Fields(violations.ToStatus()), ElementsAre("name", "dataset", "strategy"));
  EXPECT_THAT(Fields(PartFromProto(v1::PART_UNSPECIFIED).status()), ElementsAre("part"));
  EXPECT_EQ(PartFromProto(v1::PART_TEST).value(), Phase::kTest);
}

}  // namespace
}  // namespace gradeline
