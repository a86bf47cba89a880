#include "server/core/experiment/directive.h"

#include <limits>

#include "gmock/gmock.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

using testing::HasSubstr;

// Two heads that both have accuracy; "aux" reports in training alone.
Experiment Monitored(const std::string& monitor, int32_t patience, double min_delta = 0) {
  Experiment experiment;
  experiment.metrics = {"accuracy"};
  experiment.training.epochs = 10;
  experiment.training.learning_rate = 0.25;
  experiment.training.early_stopping = EarlyStopping{monitor, std::nullopt, patience, min_delta};
  experiment.heads.resize(2);
  experiment.heads[0].head = "main";
  experiment.heads[0].signal = experiment.heads[1].signal = "multiclass";
  experiment.heads[0].loss = experiment.heads[1].loss = "cross_entropy";
  experiment.heads[0].phases = {Phase::kTrain, Phase::kValidation, Phase::kTest};
  experiment.heads[1].head = "aux";
  experiment.heads[1].phases = {Phase::kTrain};
  return experiment;
}

Experiment Resolved(const std::string& monitor, int32_t patience, double min_delta = 0) {
  Experiment experiment = Monitored(monitor, patience, min_delta);
  const absl::Status status = ResolveEarlyStopping(experiment);
  EXPECT_TRUE(status.ok()) << status;
  return experiment;
}

Seal Validation(int64_t epoch, double loss, int32_t attempt = 1) {
  Seal seal;
  seal.attempt = attempt;
  seal.phase = Phase::kValidation;
  seal.epoch = epoch;
  seal.complete = true;
  seal.items = 5;
  seal.loss = loss;
  return seal;
}

// The directives of validation losses in order.
std::vector<Directive> DirectivesOf(const Experiment& experiment, const std::vector<double>& losses) {
  std::vector<Directive> directives;
  std::optional<Seal> before;
  for (size_t epoch = 0; epoch < losses.size(); ++epoch) {
    Seal seal = Validation(static_cast<int64_t>(epoch), losses[epoch]);
    seal.directive = Decide(experiment, seal, before);
    DecideRate(experiment, seal, before, *seal.directive);
    directives.push_back(*seal.directive);
    before = seal;
  }
  return directives;
}

TEST(Directive, StopsAfterPatienceEpochsWithoutImprovement) {
  const auto directives = DirectivesOf(Resolved("validation.loss", 2), {1.0, 0.5, 0.6, 0.5, 0.4});
  EXPECT_FALSE(directives[0].stop || directives[1].stop || directives[2].stop);
  EXPECT_EQ(directives[2].stale_epochs, 1);
  EXPECT_TRUE(directives[3].stop) << "equal is no improvement";
  EXPECT_EQ(directives[3].best_epoch, 1);
  EXPECT_EQ(directives[3].best_value, 0.5);
  EXPECT_EQ(directives[4].stale_epochs, 0);
  EXPECT_TRUE(directives[4].stop) << "said once, it stays said";
  EXPECT_EQ(directives[0].learning_rate, 0.25);
}

TEST(Directive, AnImprovementIsAtLeastMinDelta) {
  const auto directives = DirectivesOf(Resolved("validation.loss", 5, 0.125), {1.0, 0.9375, 0.875, 0.8125});
  EXPECT_EQ(directives[1].stale_epochs, 1);
  EXPECT_EQ(directives[2].stale_epochs, 0) << "exactly min_delta is enough";
  EXPECT_EQ(directives[2].best_value, 0.875);
  EXPECT_EQ(directives[3].stale_epochs, 1) << "counted from the best, not from the last";
}

TEST(Directive, ANumberThatIsNoneDoesNotImprove) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto directives = DirectivesOf(Resolved("validation.loss", 2), {nan, 3, nan, nan});
  EXPECT_FALSE(directives[0].best_epoch.has_value());
  EXPECT_EQ(directives[0].stale_epochs, 1);
  EXPECT_EQ(directives[1].best_value, 3);
  EXPECT_TRUE(directives[3].stop);
}

TEST(Directive, TheLastEpochIsNotToldToStop) {
  Experiment experiment = Resolved("validation.loss", 1);
  experiment.training.epochs = 2;
  EXPECT_FALSE(DirectivesOf(experiment, {1, 2})[1].stop);
}

TEST(Directive, AnotherAttemptKeepsTheBestAndCountsAnew) {
  const Experiment experiment = Resolved("validation.loss", 2);
  Seal before = Validation(3, 0.6, 1);
  before.directive = Directive{.stop = true, .best_epoch = 1, .best_value = 0.5, .stale_epochs = 2};
  const Directive directive = Decide(experiment, Validation(4, 0.7, 2), before);
  EXPECT_EQ(directive.best_epoch, 1);
  EXPECT_EQ(directive.stale_epochs, 1);
  EXPECT_FALSE(directive.stop);
}

TEST(Directive, AMetricIsFoundByWhatItMeans) {
  Experiment experiment = Monitored("", 1);
  experiment.metrics = {"accuracy(k=2)", "f_score(beta=0.5)", "recall(average=macro)", "calibration_error"};
  const auto meant = [&](const char* monitor) {
    const absl::StatusOr<Measure> measure = FindMeasure(experiment, monitor);
    return measure.ok() ? measure->head + " " + measure->metric : std::string(measure.status().message());
  };
  EXPECT_EQ(meant("validation.f_score(beta=0.5)"), "main f_score(beta=0.5)");
  EXPECT_EQ(meant("validation.main.f_score( average=macro, beta=.5 )"), "main f_score(beta=0.5)");
  EXPECT_EQ(meant("train.aux.recall"), "aux recall(average=macro)");
  EXPECT_EQ(meant("validation.accuracy(k=2)"), "main accuracy(k=2)");
  EXPECT_THAT(meant("validation.accuracy"), HasSubstr("no measure"));
  EXPECT_THAT(meant("validation.f_score"), HasSubstr("no measure"));
  for (const char* wrong : {"(", ".", "validation.(", "validation.f_score(beta=0.5", "validation.main.aux.recall"}) {
    EXPECT_THAT(meant(wrong), HasSubstr("no measure")) << wrong;
  }
  EXPECT_TRUE(IsMaximised(*FindMeasure(experiment, "validation.f_score(beta=0.5)")));
  EXPECT_FALSE(IsMaximised(*FindMeasure(experiment, "validation.calibration_error")));
}

TEST(Directive, AMetricHasItsDirection) {
  const Experiment experiment = Resolved("validation.accuracy", 1);
  EXPECT_EQ(experiment.training.early_stopping->mode, MonitorMode::kMax);
  Seal seal = Validation(1, 0);
  seal.metrics = {{0, "accuracy", {.value = 0.75, .count = 4}}};
  Seal before = Validation(0, 0);
  before.directive = Directive{.best_epoch = 0, .best_value = 0.5};
  EXPECT_EQ(Decide(experiment, seal, before).best_value, 0.75);
  before.directive->best_value = 0.8;
  EXPECT_TRUE(Decide(experiment, seal, before).stop);
}

TEST(Directive, OnlyTheMonitoredPhaseDecides) {
  const Experiment experiment = Resolved("validation.loss", 1);
  Seal seal = Validation(1, 9);
  seal.phase = Phase::kTrain;
  const Directive directive = Decide(experiment, seal, std::nullopt);
  EXPECT_FALSE(directive.best_epoch.has_value());
  EXPECT_TRUE(HasDirective(experiment, Phase::kTrain));
  EXPECT_TRUE(HasDirective(experiment, Phase::kValidation));
  EXPECT_FALSE(HasDirective(experiment, Phase::kTest));
  EXPECT_FALSE(HasDirective(Experiment{}, Phase::kValidation));
}

TEST(Directive, TheRateFollowsTheEpoch) {
  Experiment experiment;
  experiment.training.learning_rate = 0.5;
  experiment.training.scheduler = "step_lr";
  experiment.training.scheduler_params = {{"step_size", 2.0}, {"gamma", 0.5}};
  EXPECT_EQ(RatedBy(experiment), std::nullopt);
  for (const auto& [epoch, rate] : {std::pair{0, 0.5}, {1, 0.25}, {2, 0.25}, {3, 0.125}}) {
    Seal seal = Validation(epoch, 0);
    seal.phase = Phase::kTrain;
    EXPECT_EQ(Decide(experiment, seal, std::nullopt).learning_rate, rate) << "of epoch " << epoch + 1;
    EXPECT_EQ(RateOf(experiment, epoch + 1, std::nullopt).learning_rate, rate);
  }
  EXPECT_EQ(RateOf(experiment, 0, std::nullopt).learning_rate, 0.5);
}

TEST(Directive, AMomentumThatCyclesIsTold) {
  Experiment experiment;
  experiment.training.scheduler = "cyclic_lr";
  experiment.training.scheduler_params = {
      {"base_lr", 0.0625}, {"max_lr", 0.5}, {"step_size_up", 1.0}, {"cycle_momentum", true}};
  Seal seal = Validation(0, 0);
  seal.phase = Phase::kTrain;
  const Directive directive = Decide(experiment, seal, std::nullopt);
  EXPECT_EQ(directive.learning_rate, 0.5);
  EXPECT_EQ(directive.momentum, 0.8);
}

// Falls to half after each validation loss that is not better than all before.
Experiment OnPlateau() {
  Experiment experiment = Monitored("", 0);
  experiment.training.early_stopping.reset();
  experiment.training.scheduler = kReduceOnPlateau;
  experiment.training.scheduler_params = {
      {"monitor", std::string("validation.loss")}, {"factor", 0.5}, {"patience", 0.0}, {"threshold", 0.0}};
  return experiment;
}

TEST(Directive, APlateauIsDecidedByTheSealsOfItsPhase) {
  const Experiment experiment = OnPlateau();
  EXPECT_EQ(RatedBy(experiment), Phase::kValidation);
  EXPECT_TRUE(HasDirective(experiment, Phase::kValidation));
  Seal train = Validation(0, 0);
  train.phase = Phase::kTrain;
  EXPECT_EQ(Decide(experiment, train, std::nullopt).learning_rate, std::nullopt);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto directives = DirectivesOf(experiment, {1, 0.9, 0.9, nan, 0.8});
  const std::vector<double> rates{0.25, 0.25, 0.125, 0.0625, 0.0625};
  for (size_t i = 0; i < rates.size(); ++i) EXPECT_EQ(directives[i].learning_rate, rates[i]) << "epoch " << i;
}

TEST(Directive, APlateauGoesOnInAnotherAttempt) {
  const Experiment experiment = OnPlateau();
  Seal before = Validation(3, 0.5, 1);
  before.directive.emplace();
  DecideRate(experiment, before, std::nullopt, *before.directive);
  EXPECT_EQ(RateOf(experiment, 4, before).learning_rate, 0.25);
  EXPECT_EQ(RateOf(experiment, 4, std::nullopt).learning_rate, 0.25);
  Seal after = Validation(4, 0.5, 2);
  after.directive.emplace();
  DecideRate(experiment, after, before, *after.directive);
  EXPECT_EQ(after.directive->learning_rate, 0.125);
  EXPECT_EQ(RateOf(experiment, 5, after).learning_rate, 0.125);
}

TEST(Directive, WhatCannotBeMonitored) {
  Experiment experiment = Monitored("validation.aux.accuracy", 1);
  const absl::Status status = ResolveEarlyStopping(experiment);
  const auto violations = FieldViolationsOf(status);
  ASSERT_EQ(violations.size(), 1u) << status;
  EXPECT_EQ(violations[0].field, "training.earlyStopping.monitor");
  EXPECT_EQ(violations[0].description,
            "\"validation.aux.accuracy\" is no measure of the experiment; allowed: train.loss, train.main.accuracy, "
            "train.aux.accuracy, validation.loss, validation.accuracy");
  for (const char* wrong : {"", "loss", "test.loss", "validation", "validation.f_score", "train.accuracy"}) {
    EXPECT_THAT(std::string(FindMeasure(experiment, wrong).status().message()), HasSubstr("allowed: train.loss"))
        << wrong;
  }
  for (const char* right : {"train.aux.accuracy", "validation.main.accuracy"}) {
    EXPECT_TRUE(FindMeasure(experiment, right).ok()) << right;
  }
}

}  // namespace
}  // namespace gradeline
