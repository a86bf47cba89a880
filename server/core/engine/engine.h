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

/// One batch. Memory of inputs is borrowed until `done` has run.
struct LossCall {
  LossHandle loss;
  std::vector<std::optional<TensorView>> inputs;  ///< one per tensor spec of the loss
  Reduction reduction = Reduction::kMean;
  std::vector<double> normalisers;                ///< kGiven: one per component, each > 0
  double gradient_scale = 1;
  bool gradient = false;
  bool item_losses = false;     ///< refused unless the loss's items are independent
  bool own_denominators = true; ///< fill ComponentResult::denominator even if the reduction does not need it
  const std::atomic<bool>* cancelled = nullptr;  ///< looked at between tiles; may be null
};

struct ComponentResult {
  double loss = 0;         ///< numerator / what the reduction divides by; 0 if that is 0
  double weight = 1;
  double numerator = 0;
  double denominator = 0;  ///< the loss's own, whatever the reduction divided by
};

struct GradientResult {
  size_t tensor = 0;  ///< index of the loss's tensor spec
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  PooledBuffer data;
};

struct LossResult {
  double loss = 0;          ///< sum of weight * component loss
  int64_t valid_count = 0;  ///< items that are not ignored
  bool empty = false;       ///< valid_count is 0: loss 0 by definition, gradients 0
  std::vector<ComponentResult> components;
  std::vector<GradientResult> gradients;
  std::vector<double> item_losses;
  std::vector<int64_t> item_shape;
};

/// Streams share the engine through lanes: each lane's work runs in order, one piece at a time, and lanes take turns, so that a
/// stream of small batches is not starved by one of large. Closing a lane (destruction) drops what has not begun and waits for what runs.
class Lane;

class Engine {
 public:
  struct Options {
    int threads = 0;                                 ///< 0: the machine's
    int64_t memory_budget_bytes = int64_t{2} << 30;  ///< messages, replies and scratch in flight
    size_t pool_keep_bytes = size_t{256} << 20;
  };
  explicit Engine(Options options);
  ~Engine();  ///< waits for everything that runs
  Engine(const Engine&) = delete;

  int threads() const;
  /// Version of the tile plan and SIMD target: results with equal text have equal bits.
  std::string numerics() const;
  BufferPool& pool();

  std::unique_ptr<Lane> OpenLane();

  /// Computes on the calling thread's behalf and waits. For tests, tools and probes. Errors as for Lane::Compute.
  absl::StatusOr<LossResult> Run(const LossCall& call);

  /// Admission by bytes. `granted` runs, at once or later, on some thread, when `bytes` fit into the budget; what is asked for first is granted
  /// first. A demand above the whole budget is granted alone. Release gives them back.
  void Admit(int64_t bytes, std::function<void()> granted);
  void Release(int64_t bytes);
  int64_t admitted_bytes() const;

  struct Impl;

 private:
  friend class Lane;
  std::unique_ptr<Impl> impl_;
};

class Lane {
 public:
  ~Lane();
  /// Runs `work` on an arena thread, after all that was posted to this lane before. For parsing, binding, metrics.
  void Post(std::function<void()> work);

  /// Called from inside posted work: computes `call` with the other threads' help; `done` runs on an arena thread, and the lane's next work starts only
  /// after it returned. Status: INVALID_ARGUMENT with the field ("inputs.target[17]"), value, what is allowed, for labels out of range, values not
  /// finite (component, item), shapes that do not bind; CANCELLED; RESOURCE_EXHAUSTED when scratch alone exceeds the budget.
  void Compute(LossCall call, std::function<void(absl::StatusOr<LossResult>)> done);

  struct Impl;

 private:
  friend class Engine;
  explicit Lane(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_ENGINE_ENGINE_H_
