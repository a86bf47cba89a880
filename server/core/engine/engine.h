// The engine: computes a loss and its gradient over one batch, in tiles, on one oneTBB arena.
// The answer does not depend on the number of threads or on what else runs. Knows nothing of streams, protos or stores.
#ifndef GRADELINE_SERVER_CORE_ENGINE_ENGINE_H_
#define GRADELINE_SERVER_CORE_ENGINE_ENGINE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/core/loss/binding.h"
#include "server/core/loss/registry.h"
#include "server/core/tensor/buffer_pool.h"
#include "server/core/tensor/tensor.h"

namespace gradeline {

/// How the value of a batch is divided. The numbers are those of gradeline.v1.Reduction.
enum class Reduction : uint8_t { kMean = 1, kMeanAll = 2, kSum = 3, kGiven = 4, kNone = 5 };

/// One batch. Memory of inputs is borrowed, and must not change, until `done` has run.
struct LossCall {
  LossHandle loss;
  std::vector<std::optional<TensorView>> inputs;  ///< one per tensor spec of the loss
  Reduction reduction = Reduction::kMean;
  std::vector<double> normalisers;  ///< kGiven: one per component, each > 0
  double gradient_scale = 1;
  bool gradient = false;
  bool item_losses = false;                      ///< refused unless the loss's items are independent
  const std::atomic<bool>* cancelled = nullptr;  ///< looked at between tiles; may be null
};

struct ComponentResult {
  double loss = 0;  ///< numerator / divisor; 0 if that is 0
  double weight = 1;
  double numerator = 0;
  double denominator = 0;  ///< the loss's own, whatever the reduction divided by
  double divisor = 0;      ///< what the reduction divided by; 1 of an aggregate
};

struct GradientResult {
  size_t tensor = 0;  ///< index of the loss's tensor spec
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  PooledBuffer data;
};

struct LossResult {
  double loss = 0;  ///< sum of weight * component loss
  /// Their mean.
  double average() const { return components.empty() ? 0 : loss / static_cast<double>(components.size()); }
  /// Labels that are not ignored, of the first label tensor (for most losses: items); without labels, all items. 0 when
  /// every component is divided by 0 (a mean, and all weights are 0). Of a sum: the most that a term counts.
  int64_t valid_count = 0;
  bool empty = false;  ///< valid_count is 0: loss 0 by definition
  std::vector<ComponentResult> components;
  std::vector<GradientResult> gradients;
  /// Doubles in the order of `item_shape`; where asked for. Of a sum: the weighted sum of its terms'.
  std::optional<PooledBuffer> item_losses;
  std::vector<int64_t> item_shape;
};

class Lane;

class Engine {
 public:
  struct Options {
    int threads = 0;                                 ///< 0: the machine's
    int64_t memory_budget_bytes = int64_t{2} << 30;  ///< messages, replies and scratch in flight
    size_t pool_keep_bytes = size_t{256} << 20;
  };
  explicit Engine(Options options);
  ~Engine();  ///< waits for everything that runs; close lanes before
  Engine(const Engine&) = delete;

  int threads() const;
  /// Version of the tile plan and SIMD target: results with equal text have equal bits.
  std::string numerics() const;
  BufferPool& pool();

  std::unique_ptr<Lane> OpenLane();

  /// Bytes of the gradients and item losses that computing `call` gives. Errors as for shapes in Lane::Compute.
  absl::StatusOr<int64_t> ResultBytes(const LossCall& call);

  /// Computes on the calling thread's behalf and waits, from any thread. For tests, tools and probes. Errors as for
  /// Lane::Compute.
  absl::StatusOr<LossResult> Run(const LossCall& call);

  /// Admission by bytes. `granted` runs, at once or later, on this thread or on one that releases, when `bytes` fit
  /// into the budget; what is asked for first is granted first. A demand above the whole budget is granted alone, one
  /// of at most kSmallBytes at once. Release gives them back. The caller counts its message and, if a gradient is
  /// wanted, its reply (as many bytes as the differentiable inputs). The engine counts scratch by itself while a batch
  /// runs (item losses, what the passes of a loss share, sums, and a tile's copies once per thread; not below 64 KiB):
  /// it goes before messages, and may exceed the budget by one batch's when no other is held.
  void Admit(int64_t bytes, std::function<void()> granted);
  /// As Admit, for callers that nothing holds back. RESOURCE_EXHAUSTED, reason MEMORY_BUDGET_FULL, and `granted` never
  /// runs, where callers of this that wait already would exceed the budget with this one.
  absl::Status AdmitOrRefuse(int64_t bytes, std::function<void()> granted);
  void Release(int64_t bytes);
  static constexpr int64_t kSmallBytes = int64_t{128} << 10;  ///< a message of 64 KiB and its reply
  int64_t memory_budget_bytes() const;
  int64_t admitted_bytes() const;  ///< messages and scratch

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

/// Streams share the engine through lanes: each lane's work runs in order, one piece at a time, and lanes take turns,
/// so that a stream of small batches is not starved by one of large. A lane must not outlive its engine.
class Lane {
 public:
  ~Lane();  ///< closes
  /// Drops what has not begun and waits for what runs; what is posted later is dropped too. Not from the lane's work.
  void Close();
  /// Runs `work` on an arena thread, after all that was posted to this lane before. For parsing, binding, metrics. From
  /// any thread.
  void Post(std::function<void()> work);

  /// Called from inside posted work, once, or from inside `done`: computes `call` with the other threads' help after
  /// that work has returned; `done` runs on an arena thread, and the lane's next work starts only after it returned.
  /// Status: INVALID_ARGUMENT with the field ("inputs.target[17]"), value, what is allowed, for labels out of range,
  /// values not finite or out of range (of several the lowest item's, whatever the threads do), shapes that do not
  /// bind, wrong reductions; OUT_OF_RANGE (reason NOT_FINITE) for values or factors that overflow; CANCELLED;
  /// RESOURCE_EXHAUSTED when scratch alone exceeds the budget; what the loss's plan refuses. Of a sum: shapes and
  /// reductions as all terms refuse them, values as the first term that does.
  void Compute(LossCall call, std::function<void(absl::StatusOr<LossResult>)> done);

  struct Impl;

 private:
  friend class Engine;
  explicit Lane(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_ENGINE_ENGINE_H_
