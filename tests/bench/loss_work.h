// The work of one case at one size, ready to be timed: the loss through the real engine, and the probes on the memory
// of the same batches.
#ifndef GRADELINE_TESTS_BENCH_LOSS_WORK_H_
#define GRADELINE_TESTS_BENCH_LOSS_WORK_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/core/engine/engine.h"
#include "server/core/loss/registry.h"
#include "tests/bench/loss_batch.h"
#include "tests/bench/loss_cases.h"
#include "tests/bench/probes.h"

namespace gradeline::bench {

/// The built-in losses. `checked`: as they are; else nobody looks for values that are not finite: neither the host nor,
/// of the losses that look themselves, cross_entropy.
std::shared_ptr<const LossRegistry> BuiltinLosses(bool checked);

/// One case is open at a time. Not thread-safe.
class LossWork {
 public:
  static constexpr int kThreads = 2;

  LossWork();

  absl::Status Open(const LossCase& which, std::string_view size);
  void Close();
  bool IsOpen(const LossCase& which, std::string_view size) const;
  const LossBatch& batch() const { return *batch_; }

  /// What is timed: "gradient" or "evaluate", the loss with gradient or without; "unchecked", as gradient of the
  /// losses that are not checked; "copy", "triad", "read", "exp", "sort", the probes. Runs once per call, on the next
  /// of the batches; aborts if the loss refuses a batch. INVALID_ARGUMENT for any other side.
  absl::StatusOr<std::function<void()>> Side(std::string_view side);
  /// Loss and gradient of the first batch.
  absl::StatusOr<LossResult> Answer();

 private:
  std::function<void()> Run(const LossBatch& batch, bool gradient);
  std::function<void()> Sort();

  std::shared_ptr<const LossRegistry> losses_, unchecked_;
  Engine engine_;
  Probes probes_;
  const LossCase* which_ = nullptr;
  std::string_view size_;
  std::unique_ptr<LossBatch> batch_, unchecked_batch_;
  std::optional<Pages> room_, keys_;  // what probes write; keys to sort
  int64_t turn_ = 0;
};

}  // namespace gradeline::bench

#endif  // GRADELINE_TESTS_BENCH_LOSS_WORK_H_
