// What the engine needs to know of a loss and the shapes of a batch, worked out once per shape and kept.
// Holds no data of a batch.
#ifndef GRADELINE_SERVER_CORE_ENGINE_CALL_PLAN_H_
#define GRADELINE_SERVER_CORE_ENGINE_CALL_PLAN_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/core/engine/tile_grid.h"
#include "server/core/loss/binding.h"
#include "server/core/loss/registry.h"
#include "server/core/tensor/tensor.h"

namespace gradeline {

/// One input tensor, seen as [outer][small][inner]; whole: as [small], the same for every tile.
struct TensorPlan {
  bool present = false, label = false, whole = false, gradient = false;
  bool ranged = false;  ///< values lie in [min, max]
  DType dtype = DType::kF32;
  int64_t small = -1;
  int64_t elements = 0;
  double min = 0, max = 0;
  int64_t label_size = 0;         ///< labels lie in [0, label_size)
  std::optional<int64_t> ignore;  ///< the label value that means ignored
  int64_t bytes() const { return elements * static_cast<int64_t>(SizeOf(dtype)); }
};

struct PassPlan {
  uint32_t index = 0, flags = 0;  ///< index: as compute and fold see it
  uint64_t inputs = 0;
  int64_t jobs = 0, sums = 0, scratch_bytes = 0;
  TileGrid grid;
};

/// Immutable once made; shared between threads and batches.
struct CallPlan {
  LossHandle loss;  ///< the one that the plan was asked from; a batch computes with its own
  std::vector<std::optional<InputShape>> inputs;
  Binding binding;
  GdlShape shape{};  ///< points into binding
  std::vector<TensorPlan> tensors;
  std::vector<PassPlan> passes;
  uint64_t all_inputs = 0;  ///< what any pass reads
  int64_t input_elements = 0;
  int64_t batch_bytes = 0, carry_bytes = 0;
  bool items_are_denominator = false;
  int counted_tensor = -1;  ///< the first label tensor: valid items are its labels that are not ignored; -1: all items

  int64_t item_loss_bytes() const { return binding.items() * static_cast<int64_t>(sizeof(double)); }

  CallPlan() = default;
  CallPlan(const CallPlan&) = delete;

  /// Whether it holds for these shapes and types under that loss. States that came from equal parameters are equal.
  bool Fits(const LossHandle& handle, absl::Span<const std::optional<TensorView>> views) const;
  /// Binds the shapes and asks the loss for its passes. INVALID_ARGUMENT as BindShapes, what the loss's plan refuses
  /// with its own code (field "inputs.<tensor>"), INTERNAL if the plan breaks the ABI's rules.
  static absl::StatusOr<std::shared_ptr<const CallPlan>> Make(const LossHandle& handle,
                                                              absl::Span<const std::optional<TensorView>> views);
};

/// The plans used last. Thread-safe.
class PlanCache {
 public:
  static constexpr size_t kMostPlans = 64;
  absl::StatusOr<std::shared_ptr<const CallPlan>> Find(const LossHandle& handle,
                                                       absl::Span<const std::optional<TensorView>> views);

 private:
  std::shared_ptr<const CallPlan> Lookup(const LossHandle& handle, absl::Span<const std::optional<TensorView>> views);

  std::mutex mutex_;
  std::vector<std::shared_ptr<const CallPlan>> plans_;  // most recently used first
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_ENGINE_CALL_PLAN_H_
