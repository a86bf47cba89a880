// The worker library against a real server: batches, refusals, lost connections, a server that dies.
#include "client/cpp/worker.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>

#include "absl/strings/str_cat.h"
#include "client/cpp/status.h"
#include "tests/cli/cutting_proxy.h"
#include "tests/cli/server_process.h"
#include "tests/cli/small_experiment.h"

namespace gradeline::client {
namespace {

using testing::CuttingProxy;
using testing::ServerProcess;

constexpr int kRows = 4, kClasses = 3;

// Logits and labels that differ from step to step.
v1::Batch BatchOf(v1::Phase phase, int64_t epoch, int64_t step) {
  std::mt19937 random(static_cast<uint32_t>(step * 31 + epoch * 7 + phase));
  std::array<float, kRows * kClasses> logits;
  for (float& logit : logits) logit = std::uniform_real_distribution<float>(-3, 3)(random);
  std::array<int64_t, kRows> labels;
  for (int64_t& label : labels) label = static_cast<int64_t>(random() % kClasses);
  return testing::SmallBatch(phase, epoch, step, logits, labels);
}

v1::Batch BadLabels(v1::Phase phase, int64_t epoch, int64_t step) {
  v1::Batch batch = BatchOf(phase, epoch, step);
  const int64_t label = 17;
  std::memcpy(batch.mutable_inputs(1)->mutable_data()->data(), &label, sizeof(label));
  return batch;
}

class WorkerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new ServerProcess({"grpc.max_message_bytes=1000000"}); }
  static void TearDownTestSuite() { delete server_; }

  static std::shared_ptr<Connection> To(const std::string& address) {
    auto connection = Connect(address);
    EXPECT_TRUE(connection.ok()) << connection.status();
    return *std::move(connection);
  }

  // A started experiment on 30 items: its options for rank 0.
  WorkerOptions Started(const ServerProcess& server, int world_size = 1, int epochs = 2,
                        const v1::Training& training = v1::Training()) {
    const auto connection = To(server.address());
    const std::string id = absl::StrCat("t", ++number_);
    WorkerOptions options;
    options.attempt_token = testing::StartSmallExperiment(*connection, id, world_size, epochs, kRows, training);
    options.experiment = id;
    options.world_size = world_size;
    options.first_backoff = absl::Milliseconds(5);
    return options;
  }

  static std::unique_ptr<Worker> Joined(const std::string& address, const WorkerOptions& options) {
    auto worker = Worker::Join(To(address), options);
    EXPECT_TRUE(worker.ok()) << worker.status();
    return *std::move(worker);
  }

  // The rank of the next attempt, after the one before failed.
  static std::unique_ptr<Worker> Resumed(WorkerOptions options, int64_t first_epoch) {
    v1::ResumeExperimentRequest request;
    request.set_name("experiments/" + options.experiment);
    request.set_first_epoch(first_epoch);
    v1::StartExperimentResponse resumed;
    grpc::ClientContext call;
    EXPECT_TRUE(To(server_->address())->experiments().ResumeExperiment(&call, request, &resumed).ok());
    options.attempt_token = resumed.attempt_token();
    return Joined(server_->address(), options);
  }

  // A phase of one batch of one row, all the better the higher `logit` is.
  static v1::Epoch Run(Worker& worker, v1::Phase phase, int64_t epoch, float logit) {
    EXPECT_TRUE(worker.Submit(testing::SmallBatch(phase, epoch, 0, {logit, 0, 0}, {0})).get().ok());
    const absl::StatusOr<v1::Epoch> seal = worker.EndPhase(phase, epoch);
    EXPECT_TRUE(seal.ok()) << seal.status();
    return *seal;
  }

  static v1::Experiment Look(const std::string& id) {
    v1::GetExperimentRequest request;
    request.set_name("experiments/" + id);
    v1::Experiment out;
    grpc::ClientContext call;
    EXPECT_TRUE(To(server_->address())->experiments().GetExperiment(&call, request, &out).ok());
    return out;
  }

  static ServerProcess* server_;
  int number_ = 0;
  static int numbers_;
  WorkerTest() : number_(numbers_ += 100) {}
};
ServerProcess* WorkerTest::server_ = nullptr;
int WorkerTest::numbers_ = 0;

TEST_F(WorkerTest, TrainsWholeEpochsAndSaysGoodbye) {
  const WorkerOptions options = Started(*server_);
  const auto worker = Joined(server_->address(), options);
  EXPECT_EQ(worker->welcome().heads(0).head().loss(), "cross_entropy");
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (const v1::Phase phase : {v1::PHASE_TRAIN, v1::PHASE_VALIDATION}) {
      std::vector<std::future<absl::StatusOr<v1::Result>>> results;
      for (int step = 0; step < 20; ++step) results.push_back(worker->Submit(BatchOf(phase, epoch, step)));
      double numerator = 0, denominator = 0;
      for (auto& future : results) {
        const absl::StatusOr<v1::Result> result = future.get();
        ASSERT_TRUE(result.ok()) << result.status();
        ASSERT_EQ(result->gradients_size(), 1);
        EXPECT_EQ(result->gradients(0).data().size(), kRows * kClasses * sizeof(float));
        numerator += result->record().values(0).numerator();
        denominator += result->record().values(0).denominator();
      }
      const absl::StatusOr<v1::Epoch> seal = worker->EndPhase(phase, epoch);
      ASSERT_TRUE(seal.ok()) << seal.status();
      EXPECT_EQ(seal->verdict(), v1::SEAL_VERDICT_COMPLETE);
      EXPECT_EQ(seal->batches(), 20);
      EXPECT_EQ(seal->items(), 20 * kRows);
      EXPECT_NEAR(seal->loss(), numerator / denominator, 1e-12);
    }
  }
  EXPECT_TRUE(worker->Bye().ok());
  EXPECT_EQ(Look(options.experiment).state(), v1::EXPERIMENT_STATE_SUCCEEDED);
  EXPECT_EQ(worker->Bye().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(worker->Submit(BatchOf(v1::PHASE_TRAIN, 1, 99)).get().ok());
}

TEST_F(WorkerTest, ABadBatchNeverEndsTheStream) {
  const auto worker = Joined(server_->address(), Started(*server_));
  std::vector<std::future<absl::StatusOr<v1::Result>>> results;
  for (int step = 0; step < 12; ++step) {
    if (step % 4 == 1) {  // recorded as refused
      results.push_back(worker->Submit(BadLabels(v1::PHASE_TRAIN, 0, step)));
    } else if (step % 4 == 2) {  // an epoch that the experiment does not have: nothing is kept
      results.push_back(worker->Submit(BatchOf(v1::PHASE_TRAIN, 77, step)));
    } else {
      results.push_back(worker->Submit(BatchOf(v1::PHASE_TRAIN, 0, step)));
    }
  }
  for (int step = 0; step < 12; ++step) {
    const absl::StatusOr<v1::Result> result = results[step].get();
    if (step % 4 == 1 || step % 4 == 2) {
      EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument) << step << " " << result.status();
      EXPECT_NE(result.status().message().find(step % 4 == 1 ? "17" : "77"), absl::string_view::npos)
          << result.status();
    } else {
      EXPECT_TRUE(result.ok()) << step << " " << result.status();
    }
  }
  const absl::StatusOr<v1::Epoch> seal = worker->EndPhase(v1::PHASE_TRAIN, 0);
  ASSERT_TRUE(seal.ok()) << seal.status();
  EXPECT_EQ(seal->verdict(), v1::SEAL_VERDICT_COMPLETE);
  ASSERT_EQ(seal->refused_size(), 1);
  EXPECT_EQ(seal->refused(0).count(), 3);
  EXPECT_EQ(worker->reconnections(), 0);
}

TEST_F(WorkerTest, RefusesOnItsSideWhatCannotBeSent) {
  const auto worker = Joined(server_->address(), Started(*server_));
  v1::Batch large = BatchOf(v1::PHASE_TRAIN, 0, 0);
  large.mutable_inputs(0)->mutable_data()->resize(1'000'000);
  EXPECT_EQ(worker->Submit(large).get().status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(worker->Submit(BatchOf(v1::PHASE_TRAIN, 0, 0)).get().ok());
  EXPECT_EQ(worker->Submit(BatchOf(v1::PHASE_TRAIN, 0, 0)).get().status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(WorkerTest, FlushMakesEverythingDurable) {
  const auto worker = Joined(server_->address(), Started(*server_));
  for (int step = 0; step < 5; ++step) ASSERT_TRUE(worker->Submit(BatchOf(v1::PHASE_TRAIN, 0, step)).get().ok());
  EXPECT_TRUE(worker->Flush().ok());
  EXPECT_EQ(worker->committed_seq(), 5);
}

TEST_F(WorkerTest, CountsEveryRecordOnceThroughManyLostConnections) {
  constexpr int kSteps = 300;
  const auto reference = Joined(server_->address(), Started(*server_));
  std::vector<std::string> expected;
  for (int step = 0; step < kSteps; ++step) {
    const auto result = reference->Submit(BatchOf(v1::PHASE_TRAIN, 0, step)).get();
    ASSERT_TRUE(result.ok());
    expected.push_back(result->gradients(0).data());
  }
  const auto expected_seal = reference->EndPhase(v1::PHASE_TRAIN, 0);
  ASSERT_TRUE(expected_seal.ok());

  const auto seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const WorkerOptions options = Started(*server_);
  CuttingProxy proxy(server_->address());
  const auto worker = Joined(proxy.address(), options);
  std::mutex mutex;
  std::vector<int> answers(kSteps);
  std::vector<std::string> gradients(kSteps);
  for (int step = 0; step < kSteps; ++step) {
    if (step % 10 == 3) {
      const int64_t bytes = random() % 1500;
      random() % 2 == 0 ? proxy.CutAfter(bytes) : proxy.CutAfterSent(bytes);
    }
    ASSERT_TRUE(worker
                    ->Submit(BatchOf(v1::PHASE_TRAIN, 0, step),
                             [&, step](absl::StatusOr<v1::Result> result) {
                               const std::lock_guard lock(mutex);
                               ++answers[step];
                               if (result.ok()) gradients[step] = result->gradients(0).data();
                             })
                    .ok());
  }
  const auto seal = worker->EndPhase(v1::PHASE_TRAIN, 0);
  ASSERT_TRUE(seal.ok()) << seal.status();
  EXPECT_EQ(seal->verdict(), v1::SEAL_VERDICT_COMPLETE);
  EXPECT_EQ(seal->batches(), kSteps);
  EXPECT_EQ(seal->loss(), expected_seal->loss()) << "to the bit";
  EXPECT_EQ(seal->metrics(0).value(), expected_seal->metrics(0).value());
  EXPECT_EQ(answers, std::vector<int>(kSteps, 1)) << "every batch is answered once";
  EXPECT_EQ(gradients, expected);
  EXPECT_GE(worker->reconnections(), 10) << "cuts: " << proxy.cuts();
  EXPECT_TRUE(worker->Bye().ok());
}

TEST_F(WorkerTest, ValidationSurvivesLostConnectionsToo) {
  const WorkerOptions options = Started(*server_);
  CuttingProxy proxy(server_->address());
  const auto worker = Joined(proxy.address(), options);
  for (int step = 0; step < 60; ++step) {
    if (step % 6 == 1) proxy.CutAfter(step * 5);
    ASSERT_TRUE(worker->Submit(BatchOf(v1::PHASE_VALIDATION, 0, step)).get().ok());
  }
  const auto seal = worker->EndPhase(v1::PHASE_VALIDATION, 0);
  ASSERT_TRUE(seal.ok()) << seal.status();
  EXPECT_EQ(seal->batches(), 60);
  EXPECT_EQ(seal->metrics(0).count(), 60 * kRows);
}

TEST_F(WorkerTest, ASealThatCameWhileDisconnectedIsNotMissed) {
  WorkerOptions options = Started(*server_, 2);
  CuttingProxy proxy(server_->address());
  const auto first = Joined(proxy.address(), options);
  options.rank = 1;
  const auto second = Joined(server_->address(), options);
  ASSERT_TRUE(first->Submit(BatchOf(v1::PHASE_TRAIN, 0, 0)).get().ok());
  ASSERT_TRUE(second->Submit(BatchOf(v1::PHASE_TRAIN, 0, 0)).get().ok());
  auto waiting = std::async(std::launch::async, [&] { return first->EndPhase(v1::PHASE_TRAIN, 0); });
  while (first->committed_seq() < 2) std::this_thread::yield();
  proxy.Refuse(true);
  proxy.CutAfter(0);
  ASSERT_TRUE(second->EndPhase(v1::PHASE_TRAIN, 0).ok());
  proxy.Refuse(false);
  const auto seal = waiting.get();
  ASSERT_TRUE(seal.ok()) << seal.status();
  EXPECT_EQ(seal->batches(), 2);
}

TEST_F(WorkerTest, GoesOnWithAServerThatWasKilledAndStartedAgain) {
  ServerProcess server;
  const WorkerOptions options = Started(server);
  const auto worker = Joined(server.address(), options);
  std::vector<std::future<absl::StatusOr<v1::Result>>> results;
  for (int step = 0; step < 50; ++step) {
    results.push_back(worker->Submit(BatchOf(v1::PHASE_TRAIN, 0, step)));
    if (step == 25) {
      server.Kill();
      server.StartAgain();
    }
  }
  for (auto& result : results) EXPECT_TRUE(result.get().ok());
  const auto seal = worker->EndPhase(v1::PHASE_TRAIN, 0);
  ASSERT_TRUE(seal.ok()) << seal.status();
  EXPECT_EQ(seal->batches(), 50);
  EXPECT_GE(worker->reconnections(), 1);
}

TEST_F(WorkerTest, GivesUpAfterItsLimit) {
  WorkerOptions options = Started(*server_);
  options.reconnect_limit = absl::Milliseconds(200);
  CuttingProxy proxy(server_->address());
  const auto worker = Joined(proxy.address(), options);
  proxy.Refuse(true);
  proxy.CutAfter(0);
  const auto result = worker->Submit(BatchOf(v1::PHASE_TRAIN, 0, 0)).get();
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable) << result.status();
  EXPECT_EQ(worker->EndPhase(v1::PHASE_TRAIN, 0).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(WorkerTest, TellsTheRateAndTheMomentumOfTheNextEpoch) {
  v1::Training training;
  training.set_solver("sgd");
  training.set_scheduler("cyclic_lr");
  auto& parameters = *training.mutable_scheduler_parameters()->mutable_fields();
  parameters["max_lr"].set_number_value(0.4);
  parameters["step_size_up"].set_number_value(2);
  parameters["cycle_momentum"].set_bool_value(true);
  const auto worker = Joined(server_->address(), Started(*server_, 1, 3, training));
  const double rates[] = {0.1, 0.25, 0.4}, momenta[] = {0.9, 0.85, 0.8};  // up in two epochs, momentum down
  for (int epoch = 0; epoch < 3; ++epoch) {
    EXPECT_NEAR(worker->learning_rate(), rates[epoch], 1e-12) << epoch;
    ASSERT_TRUE(worker->momentum().has_value());
    EXPECT_NEAR(*worker->momentum(), momenta[epoch], 1e-12) << epoch;
    Run(*worker, v1::PHASE_TRAIN, epoch, 0);
  }
  EXPECT_FALSE(worker->should_stop());
}

TEST_F(WorkerTest, TheEpochBeforeTheAttemptDecidesNothing) {
  v1::Training training;
  training.set_scheduler("reduce_lr_on_plateau");
  auto& parameters = *training.mutable_scheduler_parameters()->mutable_fields();
  parameters["patience"].set_number_value(0);
  parameters["factor"].set_number_value(0.5);
  training.mutable_early_stopping()->set_monitor("validation.loss");
  training.mutable_early_stopping()->set_patience(1);
  const WorkerOptions options = Started(*server_, 1, 4, training);
  auto worker = Joined(server_->address(), options);
  EXPECT_EQ(worker->learning_rate(), 0.1);
  EXPECT_FALSE(worker->momentum().has_value());
  for (int epoch = 0; epoch < 2; ++epoch) {  // equally good: the second cuts, and stops
    EXPECT_FALSE(worker->should_stop());
    Run(*worker, v1::PHASE_TRAIN, epoch, 0);
    Run(*worker, v1::PHASE_VALIDATION, epoch, 0);
  }
  EXPECT_EQ(worker->learning_rate(), 0.05);
  EXPECT_TRUE(worker->should_stop());
  for (const float logit : {-1.0f, 1.0f}) {  // worse, so that it stops; better, so that there is no cut
    ASSERT_TRUE(worker->Bye("stopped by the test").ok());
    worker = Resumed(options, 2);
    Run(*worker, v1::PHASE_VALIDATION, 1, logit);
    EXPECT_EQ(worker->learning_rate(), 0.05) << logit;
    EXPECT_FALSE(worker->should_stop()) << logit;
  }
}

TEST_F(WorkerTest, HeartbeatsComeWithoutBatches) {
  WorkerOptions options = Started(*server_);
  options.heartbeat_period = absl::Milliseconds(20);
  CuttingProxy proxy(server_->address());
  const auto worker = Joined(proxy.address(), options);
  proxy.WaitForBytesFromClients(proxy.bytes_from_clients() + 100);
  worker->SetPaused(true);
  proxy.WaitForBytesFromClients(proxy.bytes_from_clients() + 100);
}

TEST_F(WorkerTest, JoiningWronglySaysWhy) {
  const WorkerOptions good = Started(*server_);
  const auto code = [&](const WorkerOptions& options) {
    return Worker::Join(To(server_->address()), options).status().code();
  };
  WorkerOptions bad = good;
  bad.attempt_token = "0000";
  EXPECT_EQ(code(bad), absl::StatusCode::kPermissionDenied);
  bad = good;
  bad.rank = 1;
  EXPECT_EQ(code(bad), absl::StatusCode::kInvalidArgument);
  bad = good;
  bad.experiment = "nobody";
  EXPECT_EQ(code(bad), absl::StatusCode::kNotFound);
  const auto worker = Joined(server_->address(), good);
  EXPECT_EQ(code(good), absl::StatusCode::kAlreadyExists) << "the rank is taken";
}

TEST_F(WorkerTest, AJoinWhoseWelcomeWasLostHasTheRankStill) {
  const WorkerOptions options = Started(*server_);
  CuttingProxy proxy(server_->address());
  const auto connection = To(proxy.address());
  proxy.Swallow();
  auto joining = std::async(std::launch::async, [&] { return Worker::Join(connection, options); });
  // It runs once the Hello is committed.
  while (Look(options.experiment).state() == v1::EXPERIMENT_STATE_QUEUED) std::this_thread::yield();
  proxy.CutAfter(0);
  const auto worker = joining.get();
  ASSERT_TRUE(worker.ok()) << worker.status();
  EXPECT_EQ((*worker)->reconnections(), 0);
  EXPECT_TRUE((*worker)->Submit(BatchOf(v1::PHASE_TRAIN, 0, 0)).get().ok());
  EXPECT_EQ(Worker::Join(connection, options).status().code(), absl::StatusCode::kAlreadyExists) << "another instance";
}

TEST_F(WorkerTest, JoiningWaitsForAServerThatIsAway) {
  ServerProcess server;
  WorkerOptions options = Started(server);
  const auto connection = To(server.address());
  server.Kill();
  auto joining = std::async(std::launch::async, [&] { return Worker::Join(connection, options); });
  server.StartAgain();
  const auto worker = joining.get();
  ASSERT_TRUE(worker.ok()) << worker.status();

  server.Kill();
  options.reconnect_limit = absl::Milliseconds(200);
  const absl::Status given_up = Worker::Join(connection, options).status();
  EXPECT_EQ(given_up.code(), absl::StatusCode::kUnavailable) << given_up;
  EXPECT_NE(given_up.message().find("200ms"), absl::string_view::npos) << given_up;
}

TEST_F(WorkerTest, ACancelledExperimentStopsItsWorkers) {
  const WorkerOptions options = Started(*server_);
  const auto worker = Joined(server_->address(), options);
  auto waiting = std::async(std::launch::async, [&] { return worker->EndPhase(v1::PHASE_TRAIN, 0); });
  v1::CancelExperimentRequest cancel;
  cancel.set_name("experiments/" + options.experiment);
  v1::Experiment cancelled;
  grpc::ClientContext call;
  ASSERT_TRUE(To(server_->address())->experiments().CancelExperiment(&call, cancel, &cancelled).ok());
  const absl::Status ended = waiting.get().status();
  // Sealed before the cancellation, or stopped by it: the race is open.
  EXPECT_TRUE(ended.ok() || absl::IsFailedPrecondition(ended)) << ended;
  const absl::Status refused = worker->EndPhase(v1::PHASE_VALIDATION, 0).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
  EXPECT_NE(refused.message().find("CANCELLED"), absl::string_view::npos) << refused;
}

TEST_F(WorkerTest, AGoodbyeWithAReasonFailsTheExperiment) {
  const WorkerOptions options = Started(*server_);
  const auto worker = Joined(server_->address(), options);
  EXPECT_TRUE(worker->Bye("out of memory").ok());
  const v1::Experiment experiment = Look(options.experiment);
  EXPECT_EQ(experiment.state(), v1::EXPERIMENT_STATE_FAILED);
  EXPECT_NE(experiment.state_reason().find("out of memory"), std::string::npos);
}

TEST_F(WorkerTest, AGoodbyeWhoseAnswerWasLostIsDone) {
  // With another rank the experiment goes on; otherwise it ends, well or with the reason.
  for (const int ranks : {2, 1}) {
    for (const char* reason : {"", "out of memory"}) {
      for (const int64_t bytes : {0, 20, 40, 60}) {
        const WorkerOptions options = Started(*server_, ranks);
        CuttingProxy proxy(server_->address());
        const auto worker = Joined(proxy.address(), options);
        proxy.CutAfterSent(bytes + 1);
        const absl::Status ended = worker->Bye(reason);
        EXPECT_TRUE(ended.ok()) << ranks << " ranks, '" << reason << "', " << bytes << " bytes: " << ended;
      }
    }
  }
}

TEST_F(WorkerTest, DestroyingItFailsWhatIsOwed) {
  std::future<absl::StatusOr<v1::Result>> owed;
  {
    WorkerOptions options = Started(*server_);
    CuttingProxy proxy(server_->address());
    const auto worker = Joined(proxy.address(), options);
    proxy.Refuse(true);
    proxy.CutAfter(0);
    owed = worker->Submit(BatchOf(v1::PHASE_TRAIN, 0, 0));
  }
  EXPECT_EQ(owed.get().status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace gradeline::client
