#include "server/wire/experiment_mask.h"

#include <gmock/gmock.h>

namespace gradeline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> Paths(const v1::Experiment& given, const std::vector<std::string>& mask,
                               Violations* violations) {
  google::protobuf::FieldMask proto;
  for (const std::string& path : mask) proto.add_paths(path);
  return PathsOfUpdate(given, proto, violations);
}

Experiment Stored() {
  Experiment stored;
  stored.id = "e";
  stored.split = "s";
  stored.architecture = "resnet";
  stored.architecture_params = {{"depth", 18.0}};
  stored.losses = {{"classification", "focal", {{"gamma", 2.0}}, 0.5, Reduction::kSum}};
  stored.metrics = {"accuracy"};
  stored.training.epochs = 7;
  stored.training.early_stopping = EarlyStopping{"validation.loss", MonitorMode::kMin, 3, 0.5};
  stored.labels = {{"a", "1"}, {"b", "2"}};
  stored.notes = "old";
  return stored;
}

TEST(ExperimentMask, EmptyMeansWhatIsSetAndAStarAll) {
  Violations violations;
  v1::Experiment given;
  given.set_name("experiments/e");
  given.set_etag("9");
  EXPECT_THAT(Paths(given, {}, &violations), IsEmpty());
  given.set_notes("n");
  (*given.mutable_labels())["a"] = "";
  given.mutable_training();
  EXPECT_THAT(Paths(given, {}, &violations), ElementsAre("training", "labels", "notes"));
  EXPECT_THAT(Paths(given, {"*"}, &violations), ElementsAre("split", "architecture", "architecture_parameters",
                                                            "losses", "metrics", "training", "labels", "notes"));
  EXPECT_TRUE(violations.empty());
}

TEST(ExperimentMask, EveryPathThatIsNoneIsNamed) {
  Violations violations;
  EXPECT_THAT(Paths({},
                    {"notes", "note", "name", "training.epoch", "training.early_stopping.patience", "labels.a.b",
                     "labels.", "losses.head", "state", "*"},
                    &violations),
              ElementsAre("notes", "training.early_stopping.patience", "labels.a.b"));
  std::vector<std::string> said;
  for (const FieldViolation& violation : violations.list()) {
    EXPECT_EQ(violation.field, "updateMask");
    said.push_back(violation.description.substr(0, violation.description.find(';')));
  }
  EXPECT_THAT(said, ElementsAre("\"note\" is no field", "\"name\" is not to be changed",
                                "\"training.epoch\" is no field", "\"labels.\" is no field",
                                "\"losses.head\" is no field", "\"state\" is not to be changed", "\"*\" is no field"));
  EXPECT_NE(violations.list()[0].description.find("allowed: split, architecture"), std::string::npos);
}

TEST(ExperimentMask, OnlyWhatIsNamedChangesAndWholeFieldsAreReplaced) {
  Violations violations;
  v1::Experiment given;
  given.set_architecture("u-net");
  given.set_notes("new");
  given.mutable_training()->set_epochs(9);
  given.mutable_training()->set_batch_size(5);
  given.add_losses()->set_head("box");
  (*given.mutable_labels())["b"] = "3";
  (*given.mutable_labels())["c"] = "4";
  Experiment merged =
      MergedExperiment(Stored(), given, {"training.epochs", "losses", "labels.a", "labels.c"}, &violations);
  EXPECT_EQ(merged.architecture, "resnet");
  EXPECT_EQ(merged.notes, "old");
  EXPECT_EQ(merged.training.epochs, 9);
  EXPECT_EQ(merged.training.batch_size, 32);
  EXPECT_EQ(merged.training.early_stopping->patience, 3);
  ASSERT_EQ(merged.losses.size(), 1u);
  EXPECT_EQ(merged.losses[0].head, "box");
  EXPECT_THAT(merged.losses[0].params, IsEmpty());
  EXPECT_THAT(merged.labels, ElementsAre(std::pair("b", "2"), std::pair("c", "4")));
  merged = MergedExperiment(Stored(), given, {"training", "labels", "architecture_parameters", "metrics", "notes"},
                            &violations);
  EXPECT_FALSE(merged.training.early_stopping.has_value());
  EXPECT_EQ(merged.training.batch_size, 5);
  EXPECT_THAT(merged.labels, ElementsAre(std::pair("b", "3"), std::pair("c", "4")));
  EXPECT_THAT(merged.architecture_params, IsEmpty());
  EXPECT_THAT(merged.metrics, IsEmpty());
  EXPECT_EQ(merged.notes, "new");
  EXPECT_EQ(merged.id, "e");
  merged = MergedExperiment(Stored(), {}, {"training.epochs", "training.early_stopping.patience"}, &violations);
  EXPECT_EQ(merged.training.epochs, 0) << "the catalog has its default";
  EXPECT_EQ(merged.training.early_stopping->patience, 0);
  EXPECT_EQ(merged.training.early_stopping->monitor, "validation.loss");
  EXPECT_TRUE(violations.empty()) << violations.ToStatus();
}

TEST(ExperimentMask, OneParameterChangesAlone) {
  Experiment stored = Stored();
  stored.training.solver_params = {{"beta1", 0.8}, {"eps", 1e-7}};
  v1::Experiment given;
  (*given.mutable_training()->mutable_solver_parameters()->mutable_fields())["beta2"].set_number_value(0.9);
  Violations violations;
  const auto paths = Paths({}, {"training.solver_parameters.beta2", "training.solver_parameters.eps"}, &violations);
  const Experiment merged = MergedExperiment(stored, given, paths, &violations);
  EXPECT_EQ(merged.training.solver_params, (ParamMap{{"beta1", 0.8}, {"beta2", 0.9}}));
  EXPECT_EQ(merged.architecture_params, stored.architecture_params);
  EXPECT_TRUE(violations.empty()) << violations.ToStatus();
}

TEST(ExperimentMask, WhatIsWrongCountsOnlyWhereItIsNamed) {
  Violations violations;
  v1::Experiment given;
  given.set_split("s");
  given.mutable_training()->set_rank_mean(static_cast<v1::RankMean>(9));
  MergedExperiment(Stored(), given, {"notes"}, &violations);
  EXPECT_TRUE(violations.empty());
  MergedExperiment(Stored(), given, {"split", "training"}, &violations);
  ASSERT_EQ(violations.list().size(), 2u);
  EXPECT_EQ(violations.list()[0].field, "split");
  EXPECT_EQ(violations.list()[1].field, "training.rankMean");
}

}  // namespace
}  // namespace gradeline
