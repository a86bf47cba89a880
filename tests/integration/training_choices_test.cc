// Every field of an experiment's training with wrong values: the exact violations; and what it leaves out.
#include <functional>
#include <limits>

#include "tests/integration/creation_fixture.h"

namespace gradeline {
namespace {

using Service = v1::ExperimentService::Stub;

class TrainingChoices : public CreationTest {
 protected:
  Refusal WithTraining(const std::function<void(v1::Training&)>& change) {
    return Created([&](v1::Experiment& experiment) { change(*experiment.mutable_training()); });
  }
};

TEST_F(TrainingChoices, MetricsAndTraining) {
  EXPECT_EQ(Created([](v1::Experiment& e) { e.set_metrics(0, "acuracy"), e.add_metrics("acuracy"); }),
            Invalid({"experiment.metrics[0]: no metric acuracy; did you mean accuracy?",
                     "experiment.metrics[1]: no metric acuracy; did you mean accuracy?"}));
  EXPECT_EQ(Created([](v1::Experiment& e) {
              e.set_metrics(0, "accuracy(k=0, q=1)");
              e.add_metrics("accuracy(k=2)");
              e.add_metrics("accuracy( k = 2 )");
              e.add_metrics("accuracy(k");
            }),
            Invalid({"experiment.metrics[0].k: is \"0\"; allowed: integers in [1, 100000]",
                     "experiment.metrics[0].q: is no parameter; did you mean k?",
                     "experiment.metrics[2]: \"accuracy(k=2)\" is given twice",
                     "experiment.metrics[3]: \"accuracy(k\" does not end with a )"}));
  EXPECT_EQ(WithTraining([](v1::Training& t) {
              t.set_epochs(-1);
              t.set_batch_size(-1);
              t.set_learning_rate(-1);
              t.set_world_size(-1);
            }),
            Invalid({"experiment.training.epochs: is -1; allowed: integers in [1, 100000]",
                     "experiment.training.batchSize: is -1; allowed: integers in [1, 1048576]",
                     "experiment.training.worldSize: is -1; allowed: integers in [1, 4096]",
                     "experiment.training.learningRate: is -1; allowed: finite numbers greater than 0"}));
  EXPECT_EQ(WithTraining([](v1::Training& t) {
              t.set_epochs(100'001);
              t.set_batch_size((1 << 20) + 1);
              t.set_learning_rate(std::numeric_limits<double>::infinity());
              t.set_world_size(4097);
            }),
            Invalid({"experiment.training.epochs: is 100001; allowed: integers in [1, 100000]",
                     "experiment.training.batchSize: is 1048577; allowed: integers in [1, 1048576]",
                     "experiment.training.worldSize: is 4097; allowed: integers in [1, 4096]",
                     "experiment.training.learningRate: is inf; allowed: finite numbers greater than 0"}));
  EXPECT_EQ(WithTraining([](v1::Training& t) {
              t.set_rank_mean(static_cast<v1::RankMean>(3));
              t.set_validation_ranks(static_cast<v1::PhaseRanks>(3));
              t.set_test_ranks(static_cast<v1::PhaseRanks>(-1));
            }),
            Invalid({"experiment.training.rankMean: 3 is unknown; allowed: RANK_MEAN_PER_RANK, RANK_MEAN_GLOBAL",
                     "experiment.training.validationRanks: 3 is unknown; allowed: PHASE_RANKS_ALL, PHASE_RANKS_FIRST",
                     "experiment.training.testRanks: -1 is unknown; allowed: PHASE_RANKS_ALL, PHASE_RANKS_FIRST"}));
  EXPECT_EQ(
      WithTraining([](v1::Training& t) {
        t.set_non_finite(static_cast<v1::NonFinite>(3));
        t.mutable_early_stopping()->set_monitor("validation.f_score");
        t.mutable_early_stopping()->set_mode(static_cast<v1::MonitorMode>(3));
        t.mutable_early_stopping()->set_patience(-1);
        t.mutable_early_stopping()->set_min_delta(-0.5);
      }),
      Invalid({"experiment.training.earlyStopping.mode: 3 is unknown; allowed: MONITOR_MODE_MIN, MONITOR_MODE_MAX",
               "experiment.training.nonFinite: 3 is unknown; allowed: NON_FINITE_REFUSE, NON_FINITE_SKIP",
               "experiment.training.earlyStopping.monitor: \"validation.f_score\" is no measure of the experiment; "
               "allowed: train.loss, train.accuracy, validation.loss, validation.accuracy",
               "experiment.training.earlyStopping.patience: is -1; allowed: integers in [1, 100000]",
               "experiment.training.earlyStopping.minDelta: is -0.5; allowed: finite numbers of at least 0"}));
}

TEST_F(TrainingChoices, SolverSchedulerAndAugmentations) {
  EXPECT_EQ(WithTraining([](v1::Training& t) { t.set_seed((uint64_t{1} << 53) + 2); }),
            Invalid({"experiment.training.seed: is 9007199254740994; allowed: integers in [0, 9007199254740992]"}));
  const auto set = [](google::protobuf::Struct* params, const std::string& name, double value) {
    (*params->mutable_fields())[name].set_number_value(value);
  };
  EXPECT_EQ(
      WithTraining([&](v1::Training& t) {
        t.set_solver("sdg");
        t.set_scheduler("step");
        t.add_augmentations()->set_augmentation("blurr");
        t.set_workers(-1);
        t.set_iterations(-1);
      }),
      Invalid({"experiment.training.solver: there is no solver \"sdg\"; did you mean sgd?",
               "experiment.training.workers: is -1; allowed: integers in [0, 1024]",
               "experiment.training.iterations: is -1; allowed: integers in [0, 1073741824]",
               "experiment.training.scheduler: there is no scheduler \"step\"; did you mean step_lr, multi_step_lr?",
               "experiment.training.augmentations[0].augmentation: there is no augmentation \"blurr\"; did you "
               "mean blur?"}));
  EXPECT_EQ(WithTraining([&](v1::Training& t) {
              t.set_solver("sgd");
              set(t.mutable_solver_parameters(), "momentun", 0.9);
              set(t.mutable_solver_parameters(), "weight_decay", -1);
              (*t.mutable_solver_parameters()->mutable_fields())["nesterov"].set_bool_value(true);
              t.set_scheduler("step_lr");
              set(t.mutable_scheduler_parameters(), "step_size", 0.5);
              t.add_augmentations()->set_augmentation("copy_paste");
              set(t.add_augmentations()->mutable_parameters(), "p", 2);
              t.mutable_augmentations(1)->set_augmentation("blur");
            }),
            Invalid({"experiment.training.solverParameters.weight_decay: is -1; allowed: finite numbers of at least 0",
                     "experiment.training.solverParameters.momentun: is no parameter; did you mean momentum?",
                     "experiment.training.solverParameters.nesterov: is true, which needs momentum > 0; momentum is 0",
                     "experiment.training.schedulerParameters.step_size: is 0.5; allowed: integers in [1, 100000]",
                     "experiment.training.augmentations[0].augmentation: copy_paste is for instance-segmentation, "
                     "panoptic-segmentation, not for task classification",
                     "experiment.training.augmentations[1].parameters.p: is 2; allowed: numbers in [0, 1]"}));
  EXPECT_EQ(WithTraining([&](v1::Training& t) {
              set(t.mutable_solver_parameters(), "momentum", 0.9);
              set(t.mutable_scheduler_parameters(), "gamma", 0.9);
            }),
            Invalid({"experiment.training.solverParameters: is given without a solver",
                     "experiment.training.schedulerParameters: is given without a scheduler"}));
  EXPECT_EQ(WithTraining([&](v1::Training& t) {
              t.set_solver("adam");
              t.set_scheduler("cyclic_lr");
              t.set_learning_rate(0.5);
              (*t.mutable_scheduler_parameters()->mutable_fields())["cycle_momentum"].set_bool_value(true);
            }),
            Invalid({"experiment.training.learningRate: is 0.5, which needs base_lr <= max_lr; max_lr is 0.1",
                     "experiment.training.schedulerParameters.cycle_momentum: needs a solver with momentum; adam has "
                     "none"}));
  EXPECT_EQ(WithTraining([&](v1::Training& t) {
              t.set_scheduler("reduce_lr_on_plateau");
              (*t.mutable_scheduler_parameters()->mutable_fields())["monitor"].set_string_value("validation.f_score");
            }),
            Invalid({"experiment.training.schedulerParameters.monitor: \"validation.f_score\" is no measure of the "
                     "experiment; allowed: train.loss, train.accuracy, validation.loss, validation.accuracy"}));
}

TEST_F(TrainingChoices, WhatTheTrainingLeavesOutIsFilledIn) {
  MakeSplit();
  v1::CreateExperimentRequest create;
  *create.mutable_experiment() = ExperimentNamed("filled", 1, 1);
  v1::Training* training = create.mutable_experiment()->mutable_training();
  training->clear_learning_rate();
  training->set_solver("adamax");
  training->set_scheduler("reduce_lr_on_plateau");
  (*training->mutable_scheduler_parameters()->mutable_fields())["monitor"].set_string_value("validation.accuracy");
  training->add_augmentations()->set_augmentation("horizontal_flip");
  v1::Experiment created;
  const absl::Status status = Call(&Service::CreateExperiment, experiment_, create, &created);
  ASSERT_TRUE(status.ok()) << status;
  const v1::Training resolved = Get("filled").training();
  EXPECT_EQ(resolved.learning_rate(), 0.002) << "the solver's";
  EXPECT_EQ(resolved.solver_parameters().fields().at("beta2").number_value(), 0.999);
  EXPECT_EQ(resolved.scheduler_parameters().fields().at("mode").string_value(), "max") << "accuracy's";
  EXPECT_EQ(resolved.scheduler_parameters().fields().at("patience").number_value(), 10);
  EXPECT_EQ(resolved.augmentations(0).parameters().fields().at("p").number_value(), 0.5);
}

TEST_F(TrainingChoices, TrainingThatIsNotSetTakesItsDefaults) {
  MakeSplit();
  v1::CreateExperimentRequest create;
  create.mutable_experiment()->set_name("experiments/plain");
  create.mutable_experiment()->set_split("splits/s");
  create.mutable_experiment()->set_architecture("resnet");
  v1::Experiment created;
  ASSERT_TRUE(Call(&Service::CreateExperiment, experiment_, create, &created).ok());
  const v1::Training training = Get("plain").training();
  EXPECT_EQ(training.epochs(), 10);
  EXPECT_EQ(training.batch_size(), 32);
  EXPECT_EQ(training.learning_rate(), 0.01);
  EXPECT_EQ(training.world_size(), 1);
}

}  // namespace
}  // namespace gradeline
