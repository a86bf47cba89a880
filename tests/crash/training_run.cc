#include "tests/crash/training_run.h"

#include <array>
#include <future>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/cli/small_experiment.h"

namespace gradeline {
namespace {

constexpr int kRows = 4, kClasses = 3;

std::shared_ptr<client::Connection> To(const std::string& address) {
  auto connection = client::Connect(address);
  EXPECT_TRUE(connection.ok()) << connection.status();
  return *std::move(connection);
}

// Of some steps a label that no class has: such a batch is recorded as refused.
bool IsBad(int64_t step) { return step % 10 == 3; }

// The same in every run; differs between ranks, phases, epochs and steps.
v1::Batch BatchOf(int rank, v1::Phase phase, int64_t epoch, int64_t step) {
  std::seed_seq seed{static_cast<int64_t>(rank), static_cast<int64_t>(phase), epoch, step};
  std::mt19937 random(seed);
  std::array<float, kRows * kClasses> logits;
  for (float& logit : logits) logit = static_cast<float>(random() % 6000) / 1000.0F - 3;
  std::array<int64_t, kRows> labels;
  for (int64_t& label : labels) label = static_cast<int64_t>(random() % kClasses);
  if (IsBad(step)) labels[0] = kClasses;
  return testing::SmallBatch(phase, epoch, step, logits, labels);
}

std::string WithoutTime(v1::Epoch epoch) {
  epoch.clear_seal_time();
  return epoch.SerializeAsString();
}

}  // namespace

TrainingRun::TrainingRun(const std::string& address, const std::string& id)
    : address_(address), name_("experiments/" + id), connection_(To(address)) {
  client::WorkerOptions options;
  options.experiment = id;
  options.attempt_token = testing::StartSmallExperiment(*connection_, id, kRanks, kEpochs, kRows);
  options.world_size = kRanks;
  options.first_backoff = absl::Milliseconds(5);
  options.max_backoff = absl::Milliseconds(100);
  std::vector<std::unique_ptr<client::Worker>> workers;
  for (options.rank = 0; options.rank < kRanks; ++options.rank) {
    auto worker = client::Worker::Join(To(address_), options);
    EXPECT_TRUE(worker.ok()) << worker.status();
    workers.push_back(*std::move(worker));
  }
  for (int rank = 0; rank < kRanks; ++rank) {
    threads_.emplace_back([this, rank, worker = std::move(workers[static_cast<size_t>(rank)])] {
      Train(*worker, rank);
      const absl::MutexLock lock(&mutex_);
      --training_;
    });
  }
  threads_.emplace_back([this] { Watch(); });
}

TrainingRun::~TrainingRun() { Join(); }

void TrainingRun::Join() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool TrainingRun::AwaitMessages(int64_t count) {
  const absl::MutexLock lock(&mutex_);
  const auto over = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return messages_ >= count || training_ == 0; };
  mutex_.Await(absl::Condition(&over));
  return training_ > 0;
}

int64_t TrainingRun::messages() {
  const absl::MutexLock lock(&mutex_);
  return messages_;
}

void TrainingRun::Count() {
  const absl::MutexLock lock(&mutex_);
  ++messages_;
}

void TrainingRun::Train(client::Worker& worker, int rank) {
  for (int64_t epoch = 0; epoch < kEpochs && !::testing::Test::HasFailure(); ++epoch) {
    RunPhase(worker, rank, v1::PHASE_TRAIN, epoch);
    // As before a checkpoint.
    const absl::Status flushed = worker.Flush();
    EXPECT_TRUE(flushed.ok()) << "rank " << rank << ": " << flushed;
    RunPhase(worker, rank, v1::PHASE_VALIDATION, epoch);
  }
  const absl::Status ended = worker.Bye();
  EXPECT_TRUE(ended.ok()) << "rank " << rank << ": " << ended;
}

void TrainingRun::RunPhase(client::Worker& worker, int rank, v1::Phase phase, int64_t epoch) {
  std::vector<std::future<absl::StatusOr<v1::Result>>> results;
  for (int64_t step = 0; step < kSteps; ++step) {
    results.push_back(worker.Submit(BatchOf(rank, phase, epoch, step)));
    Count();
  }
  for (int64_t step = 0; step < kSteps; ++step) {
    const absl::StatusOr<v1::Result> result = results[static_cast<size_t>(step)].get();
    Count();
    const absl::StatusCode expected = IsBad(step) ? absl::StatusCode::kInvalidArgument : absl::StatusCode::kOk;
    EXPECT_EQ(result.status().code(), expected) << "rank " << rank << ", step " << step << ": " << result.status();
  }
  const absl::StatusOr<v1::Epoch> seal = worker.EndPhase(phase, epoch);
  Count();
  EXPECT_TRUE(seal.ok()) << "rank " << rank << ": " << seal.status();
}

void TrainingRun::Watch() {
  int64_t revision = 0;
  while (!WatchOnce(&revision)) {
    // gRPC connects only while somebody waits for the channel.
    connection_->channel()->WaitForConnected(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
  }
}

bool TrainingRun::WatchOnce(int64_t* revision) {
  grpc::ClientContext context;
  v1::WatchExperimentRequest request;
  request.set_name(name_);
  request.set_from_revision(*revision);
  const auto reader = connection_->experiments().WatchExperiment(&context, request);
  for (v1::WatchExperimentResponse event; reader->Read(&event);) {
    if (event.has_progress()) {
      EXPECT_EQ(event.revision(), *revision);
      continue;
    }
    EXPECT_EQ(event.revision(), *revision + 1) << "a watcher misses something, or is told twice";
    *revision = event.revision();
    if (event.has_sealed()) watched_.push_back(WithoutTime(event.sealed()));
  }
  const grpc::Status status = reader->Finish();
  EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::UNAVAILABLE) << status.error_message();
  return status.error_code() != grpc::StatusCode::UNAVAILABLE;
}

std::vector<std::string> TrainingRun::Seals() {
  Join();
  grpc::ClientContext context;
  v1::ListEpochsRequest request;
  request.set_parent(name_);
  request.set_page_size(1000);
  v1::ListEpochsResponse response;
  const grpc::Status status = connection_->experiments().ListEpochs(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  std::vector<std::string> seals;
  for (const v1::Epoch& epoch : response.epochs()) {
    EXPECT_EQ(epoch.verdict(), v1::SEAL_VERDICT_COMPLETE);
    EXPECT_EQ(epoch.batches() + epoch.refused(0).count(), kRanks * kSteps);
    seals.push_back(WithoutTime(epoch));
  }
  EXPECT_EQ(seals.size(), 2U * kEpochs);
  EXPECT_EQ(watched_, seals) << "a watcher was told something else";
  return seals;
}

}  // namespace gradeline
