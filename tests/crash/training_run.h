// Eight real workers that train one experiment on a real server, and a watcher; each goes on by itself when the server
// comes back.
#ifndef GRADELINE_TESTS_CRASH_TRAINING_RUN_H_
#define GRADELINE_TESTS_CRASH_TRAINING_RUN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "client/cpp/worker.h"

namespace gradeline {

class TrainingRun {
 public:
  static constexpr int kRanks = 8, kEpochs = 3, kSteps = 12;

  /// Makes and starts experiments/{id}; all ranks have joined. Then they train by themselves.
  TrainingRun(const std::string& address, const std::string& id);
  /// Waits for the end.
  ~TrainingRun();
  TrainingRun(const TrainingRun&) = delete;

  /// Waits until ranks have sent so many batches or got so many answers together. False: all have finished before.
  bool AwaitMessages(int64_t count);
  int64_t messages();
  /// Waits for the end, and gives the sealed epochs in order, as bytes without their time.
  std::vector<std::string> Seals();

 private:
  /// Each ends when its rank or the experiment has.
  void Train(client::Worker& worker, int rank);
  void RunPhase(client::Worker& worker, int rank, v1::Phase phase, int64_t epoch);
  void Watch();
  /// Reads one stream from `revision` on to its end. True: the experiment has ended.
  bool WatchOnce(int64_t* revision);
  void Count();
  void Join();

  const std::string address_, name_;
  const std::shared_ptr<client::Connection> connection_;
  std::vector<std::thread> threads_;
  std::vector<std::string> watched_;  // sealed epochs, of the watching thread
  absl::Mutex mutex_;
  int64_t messages_ ABSL_GUARDED_BY(mutex_) = 0;
  int training_ ABSL_GUARDED_BY(mutex_) = kRanks;  // ranks that have not finished
};

}  // namespace gradeline

#endif  // GRADELINE_TESTS_CRASH_TRAINING_RUN_H_
