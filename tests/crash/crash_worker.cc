// One rank for the kill tests: reports batches that depend on (seed of the test, phase, epoch, step, rank) alone, so
// that any attempt from any epoch on says the same. What it would keep in a checkpoint is therefore nothing but the
// epoch.
//   crash_worker SERVER EXPERIMENT TOKEN RANK WORLD_SIZE EPOCHS STEPS
#include <cstdlib>
#include <future>
#include <iostream>
#include <random>
#include <vector>

#include "client/cpp/worker.h"
#include "tests/cli/small_experiment.h"

namespace gradeline::client {
namespace {

constexpr int kClasses = 3;

// Ranks have different numbers of batches, and batches different numbers of rows.
v1::Batch BatchOf(v1::Phase phase, int64_t epoch, int64_t step, int rank) {
  std::seed_seq seed{static_cast<int64_t>(phase), epoch, step, static_cast<int64_t>(rank)};
  std::mt19937 random(seed);
  const auto rows = 1 + static_cast<int>(random() % 6);
  std::vector<float> logits(static_cast<size_t>(rows * kClasses));
  for (float& logit : logits) logit = static_cast<float>(random() % 2000) / 500.F - 2.F;
  std::vector<int64_t> labels(static_cast<size_t>(rows));
  for (int64_t& label : labels) label = static_cast<int64_t>(random() % kClasses);
  v1::Batch batch = testing::SmallBatch(phase, epoch, step, logits, labels);
  batch.set_gradient(false);
  return batch;
}

absl::Status RunPhase(Worker& worker, v1::Phase phase, int64_t epoch, int64_t steps, int rank) {
  std::vector<std::future<absl::StatusOr<v1::Result>>> answers;
  for (int64_t step = 0; step < steps; ++step) answers.push_back(worker.Submit(BatchOf(phase, epoch, step, rank)));
  for (auto& answer : answers) {
    if (const auto result = answer.get(); !result.ok()) return result.status();
  }
  return worker.EndPhase(phase, epoch).status();
}

absl::Status Run(Worker& worker, int64_t epochs, int64_t steps, int rank) {
  // The evaluation of the epoch before, which another attempt may not have come to, is said again: it is the same.
  const int64_t first = worker.welcome().first_epoch();
  for (int64_t epoch = std::max<int64_t>(first - 1, 0); epoch < epochs; ++epoch) {
    if (epoch >= first) {
      if (absl::Status status = RunPhase(worker, v1::PHASE_TRAIN, epoch, steps + rank % 3, rank); !status.ok()) {
        return status;
      }
    }
    if (absl::Status status = RunPhase(worker, v1::PHASE_VALIDATION, epoch, 1 + rank % 2, rank); !status.ok()) {
      return status;
    }
  }
  return worker.Bye();
}

// The server may be away when a rank begins: joining waits for it.
absl::StatusOr<std::unique_ptr<Worker>> Join(const std::string& address, const WorkerOptions& options) {
  ConnectOptions connecting;
  connecting.connect_timeout = absl::ZeroDuration();
  auto connection = Connect(address, connecting);
  if (!connection.ok()) return connection.status();
  return Worker::Join(*std::move(connection), options);
}

int Main(char** argv) {
  WorkerOptions options;
  options.experiment = argv[2];
  options.attempt_token = argv[3];
  options.rank = std::atoi(argv[4]);
  options.world_size = std::atoi(argv[5]);
  absl::Status status;
  if (const auto worker = Join(argv[1], options); worker.ok()) {
    status = Run(**worker, std::atoll(argv[6]), std::atoll(argv[7]), options.rank);
  } else {
    status = worker.status();
  }
  if (status.ok()) return 0;
  std::cerr << "rank " << options.rank << ": " << status << "\n";
  return 1;
}

}  // namespace
}  // namespace gradeline::client

int main(int argc, char** argv) { return argc == 8 ? gradeline::client::Main(argv) : 2; }
