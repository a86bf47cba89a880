#include "server/core/experiment/resolve_training.h"

#include <limits>

#include "gmock/gmock.h"
#include "server/core/base/status.h"
#include "server/core/loss/known_training.h"

namespace gradeline {
namespace {

using testing::ElementsAre;

ParamSpec Spec(const std::string& name, uint32_t kind, std::optional<double> fallback) {
  ParamSpec spec;
  spec.name = name;
  spec.kind = kind;
  spec.fallback = fallback;
  spec.flags = fallback ? 0u : uint32_t{GDL_MAY_BE_OFF};
  spec.min = -std::numeric_limits<double>::infinity();
  spec.max = std::numeric_limits<double>::infinity();
  return spec;
}

Catalog TestCatalog() {
  TrainingOffer offer;
  offer.solvers = {{.id = "sgd", .params = {Spec("momentum", GDL_NUMBER, 0)}, .learning_rate = 0.5}, {.id = "plain"}};
  offer.schedulers = Schedules();
  offer.augmentations = {
      {.id = "rotate", .params = {Spec("label_padding", GDL_INTEGER, std::nullopt)}, .tasks = {"segmentation"}}};
  offer.training = TrainingFields();
  offer.training[0].fallback = 7;  // epochs
  return *Catalog::Make({{"segmentation", "", "", {}}, {"other", "", "", {}}}, {}, "", offer);
}

Experiment Segmentation() {
  Experiment experiment;
  experiment.task = "segmentation";
  experiment.metrics = {"accuracy"};
  experiment.training.epochs = 0;
  experiment.training.learning_rate = 0;
  ResolvedHead head;
  head.head = "segmentation";
  head.signal = "pixel-multiclass";
  head.loss = "cross_entropy";
  head.params = {{"ignore_index", 255.0}};
  head.phases = {Phase::kTrain, Phase::kValidation};
  experiment.heads = {head};
  return experiment;
}

TEST(ResolveTraining, TakesTheCatalogsDefaults) {
  Experiment experiment = Segmentation();
  ASSERT_TRUE(ResolveTraining(TestCatalog(), experiment).ok());
  EXPECT_EQ(experiment.training.epochs, 7);
  EXPECT_EQ(experiment.training.learning_rate, 0.01);
  experiment = Segmentation();
  experiment.training.solver = "sgd";
  ASSERT_TRUE(ResolveTraining(TestCatalog(), experiment).ok());
  EXPECT_EQ(experiment.training.learning_rate, 0.5);
  EXPECT_EQ(experiment.training.solver_params, (ParamMap{{"momentum", 0.0}}));
  experiment.training.learning_rate = 0.25;
  ASSERT_TRUE(ResolveTraining(TestCatalog(), experiment).ok());
  EXPECT_EQ(experiment.training.learning_rate, 0.25);
}

TEST(ResolveTraining, FilledInPixelsAreThoseThatTheLossIgnores) {
  Experiment experiment = Segmentation();
  experiment.training.augmentations = {{"rotate", {}}};
  ASSERT_TRUE(ResolveTraining(TestCatalog(), experiment).ok());
  EXPECT_EQ(experiment.training.augmentations[0].params, (ParamMap{{"label_padding", 255.0}}));
  ASSERT_TRUE(ResolveTraining(TestCatalog(), experiment).ok()) << "what was filled in is right";
  experiment.training.augmentations[0].params["label_padding"] = 0.0;
  EXPECT_THAT(FieldViolationsOf(ResolveTraining(TestCatalog(), experiment)),
              ElementsAre(FieldViolation{"training.augmentations[0].parameters.label_padding",
                                         "is 0, but head segmentation ignores 255: filled pixels would be learned as a "
                                         "class"}));
  experiment.heads[0].params = {{"cross_entropy.ignore_index", 7.0}, {"dice.smooth", 1.0}};
  experiment.training.augmentations[0].params.clear();
  ASSERT_TRUE(ResolveTraining(TestCatalog(), experiment).ok());
  EXPECT_EQ(experiment.training.augmentations[0].params, (ParamMap{{"label_padding", 7.0}})) << "of a sum's term";
  experiment.training.augmentations[0].params["label_padding"] = 0.0;
  experiment.task = "other";
  experiment.heads[0].signal = "multiclass";
  EXPECT_THAT(FieldViolationsOf(ResolveTraining(TestCatalog(), experiment)),
              ElementsAre(FieldViolation{"training.augmentations[0].augmentation",
                                         "rotate is for segmentation, not for task other"}));
}

TEST(ResolveTraining, APlateauMonitorsWhatStoppingDoesOrTheLoss) {
  const auto monitor = [](Experiment experiment) {
    experiment.training.scheduler = kReduceOnPlateau;
    const absl::Status status = ResolveTraining(TestCatalog(), experiment);
    EXPECT_TRUE(status.ok()) << status;
    const ParamMap& params = experiment.training.scheduler_params;
    return ParamText(params.at("monitor")) + " " + ParamText(params.at("mode"));
  };
  Experiment experiment = Segmentation();
  EXPECT_EQ(monitor(experiment), "validation.loss min");
  experiment.training.scheduler_params = {{"monitor", std::string("train.accuracy")}};
  EXPECT_EQ(monitor(experiment), "train.accuracy max");
  experiment.training.scheduler_params["mode"] = std::string("min");
  EXPECT_EQ(monitor(experiment), "train.accuracy min");
  experiment.training.scheduler_params.clear();
  experiment.training.early_stopping = EarlyStopping{"validation.accuracy", std::nullopt, 3, 0};
  EXPECT_EQ(monitor(experiment), "validation.accuracy max");
  experiment.training.early_stopping.reset();
  experiment.heads[0].phases = {Phase::kTrain};
  EXPECT_EQ(monitor(experiment), "train.loss min");
}

TEST(ResolveTraining, WhatWasAskedForStaysKnown) {
  Experiment experiment = Segmentation();
  experiment.training.solver = "sgd";
  experiment.training.scheduler = "cyclic_lr";
  experiment.training.scheduler_params["max_lr"] = 2.0;
  ASSERT_TRUE(ResolveTraining(TestCatalog(), experiment).ok());
  EXPECT_EQ(experiment.training.learning_rate, 0.5) << "the solver's";
  EXPECT_EQ(experiment.training.scheduler_params.at("base_lr"), ParamValue(0.5));
  ASSERT_TRUE(experiment.asked_training.has_value());
  EXPECT_EQ(experiment.asked_training->learning_rate, 0);
  EXPECT_EQ(experiment.asked_training->scheduler_params, (ParamMap{{"max_lr", 2.0}}));
}

TEST(ResolveTraining, ARateAboveItsCycleIsTheRatesMistake) {
  Experiment experiment = Segmentation();
  experiment.training.scheduler = "cyclic_lr";
  experiment.training.learning_rate = 1;
  experiment.training.scheduler_params["base_lr"] = std::string("off");
  Catalog catalog = TestCatalog();
  EXPECT_TRUE(ResolveTraining(catalog, experiment).ok()) << "the server's own schedule asks for nothing";
  TrainingOffer offer = catalog.offer();
  offer.schedulers[1].params[0].needs = {"base_lr <= max_lr"};
  catalog = *Catalog::Make({{"segmentation", "", "", {}}}, {}, "", {{}, offer.schedulers, {}, {}});
  experiment.training.scheduler_params = {{"base_lr", std::string("off")}};
  EXPECT_THAT(
      FieldViolationsOf(ResolveTraining(catalog, experiment)),
      ElementsAre(FieldViolation{"training.learningRate", "is 1, which needs base_lr <= max_lr; max_lr is 0.1"}));
  experiment.training = {.scheduler = "cyclic_lr", .scheduler_params = {{"base_lr", 0.2}}};
  EXPECT_THAT(FieldViolationsOf(ResolveTraining(catalog, experiment)),
              ElementsAre(FieldViolation{"training.schedulerParameters.base_lr",
                                         "is 0.2, which needs base_lr <= max_lr; max_lr is 0.1"}));
}

TEST(PreviewRates, AreThoseOfTheSchedule) {
  const auto rates = PreviewRates(TestCatalog(), {"step_lr", {{"step_size", 2.0}, {"gamma", 0.5}}, 1, 5, {}});
  ASSERT_TRUE(rates.ok()) << rates.status();
  EXPECT_THAT(*rates, ElementsAre(Rate{1, {}}, Rate{1, {}}, Rate{0.5, {}}, Rate{0.5, {}}, Rate{0.25, {}}));
  EXPECT_EQ(PreviewRates(TestCatalog(), {"step_lr", {}, 0, 0, {}})->size(), 7u) << "the default of epochs";
}

TEST(PreviewRates, EndWhereTheLossesDo) {
  const SchedulePreview preview{kReduceOnPlateau, {{"patience", 0.0}}, 1, 0, {1, 1}};
  const auto rates = PreviewRates(TestCatalog(), preview);
  ASSERT_TRUE(rates.ok()) << rates.status();
  EXPECT_THAT(*rates, ElementsAre(Rate{1, {}}, Rate{1, {}}, Rate{0.1, {}}));
  SchedulePreview longer = preview;
  longer.epochs = 5;
  EXPECT_EQ(PreviewRates(TestCatalog(), longer)->back(), (Rate{0.1, {}})) << "after the last loss it stays";
}

}  // namespace
}  // namespace gradeline
