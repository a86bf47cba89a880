// One batch on its way through the passes of its loss. Slots run as steps of the executor, the last one to end folds
// and begins the next pass; nothing waits.
#ifndef GRADELINE_SERVER_CORE_ENGINE_BATCH_RUN_H_
#define GRADELINE_SERVER_CORE_ENGINE_BATCH_RUN_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/engine/admission.h"
#include "server/core/engine/call_plan.h"
#include "server/core/engine/engine.h"
#include "server/core/engine/executor.h"
#include "server/core/engine/fault.h"
#include "server/core/engine/tile_tensor.h"
#include "server/core/tensor/buffer_pool.h"

namespace gradeline {

/// What runs share.
struct EngineParts {
  Executor executor;
  BufferPool pool;
  Admission admission;
  PlanCache plans;
};

/// Where the gradient of a tensor goes that several runs add up, one after another.
struct GradientTarget {
  DType dtype = DType::kF32;   ///< of the sum: f32 or f64, or the tensor's own where nothing is added
  bool add = false;            ///< onto what is there; else stored
  std::byte* sum = nullptr;    ///< the whole tensor
  std::byte* reply = nullptr;  ///< not NULL: the sum is complete, and goes here in the tensor's own type
};

class BatchRun {
 public:
  using Done = std::function<void(absl::StatusOr<LossResult>)>;
  /// Computes `call` and runs `done` once, before this returns or later on an arena thread. `alone`: all of it on this
  /// thread, before this returns.
  static void Start(EngineParts& parts, LossCall call, bool alone, Done done);

  /// The same in two steps, for a caller that admits the scratch itself: checks the call, then computes it. `targets`:
  /// none, or one per tensor, and then the result has no gradients; their memory is needed for Begin only.
  static absl::StatusOr<std::unique_ptr<BatchRun>> Make(EngineParts& parts, LossCall call, bool alone,
                                                        std::vector<GradientTarget> targets = {});
  static void Begin(std::unique_ptr<BatchRun> run, std::vector<GradientTarget> targets, Done done);
  int64_t scratch_bytes() const { return scratch_bytes_; }
  const CallPlan& plan() const { return *plan_; }

  /// RESOURCE_EXHAUSTED if scratch of `bytes` exceeds the budget.
  static absl::Status CheckBudget(const EngineParts& parts, const LossCall& call, int64_t bytes);
  /// Runs `begin` when scratch of `bytes` is admitted; before this returns if it fits at once, or `alone`. Afterwards
  /// AdmittedBytes are to be released.
  static void Admit(EngineParts& parts, int64_t bytes, bool alone, std::function<void()> begin);
  static int64_t AdmittedBytes(int64_t bytes);

 private:
  /// How the tiles of the present pass are laid out; fixed while its slots run.
  struct PassLayout {
    const PassPlan* pass = nullptr;
    bool alone = false;       ///< on the thread that has it
    bool check_only = false;  ///< looks for the lowest fault among all inputs; no kernel runs
    bool counts_valid = false;
    bool writes_gradient = false;
    bool stream = false;  ///< gradients go past the caches
    uint64_t inputs = 0;
    TileGrid grid;
    std::vector<int64_t> input_offset, gradient_offset;  ///< in the tile's scratch; -1: in place
    int64_t kernel_offset = 0, scratch_bytes = 0;
    int64_t sums = 0;
  };
  struct TileViews;

  BatchRun(EngineParts& parts, LossCall call, bool alone);
  absl::Status Prepare();
  int64_t ScratchBytes() const;
  void BeginPasses();
  absl::Status LoadWhole();
  void TakeGradients();

  void NextPass();
  bool Skipped(const PassPlan& pass) const;
  PassLayout LayOut(const PassPlan& pass) const;
  PassLayout LayOutCheck() const;
  absl::Status SetScales();
  void StoreZeros(size_t t) const;
  /// Type of what gradient_data_ points to, and whether the gradient is added to what is there.
  DType GradientType(size_t t) const { return targets_.empty() ? plan_->tensors[t].dtype : targets_[t].dtype; }
  bool IsAdded(size_t t) const { return !targets_.empty() && targets_[t].add; }
  bool RunPass();  ///< whether it has ended; else its steps go on
  bool EndPass();  ///< whether there is a next pass; else *this is gone
  void Fold();
  void Finish(absl::StatusOr<LossResult> result);
  absl::StatusOr<LossResult> Result();

  void Step(int64_t slot);
  void RunSlot(int64_t slot);
  bool RunTile(int64_t tile, int64_t slot, std::byte* scratch);
  bool ShowInputs(const TileBox& box, int64_t slot, std::byte* scratch, TileViews& views);
  void ShowGradients(const TileBox& box, std::byte* scratch, TileViews& views) const;
  void StoreGradients(const TileBox& box, const std::byte* scratch) const;
  std::optional<Fault> FindFault(const TileBox& box) const;
  Fault FaultOf(const GdlFault& raw) const;
  void Report(const Fault& fault, int64_t slot);
  bool finite_checked_by_host() const { return (call_.loss.info().flags & GDL_CHECKS_FINITE) == 0; }

  EngineParts& parts_;
  LossCall call_;
  Done done_;
  bool alone_;
  std::shared_ptr<const CallPlan> plan_;
  int64_t scratch_bytes_ = 0, admitted_bytes_ = 0;
  std::vector<GradientTarget> targets_;  // empty, or per tensor

  std::vector<bool> in_place_;              // per tensor: kernels read the caller's memory, write the reply's
  std::vector<PooledBuffer> whole_copies_;  // per tensor
  std::vector<GdlView> whole_views_;        // per tensor
  std::vector<std::byte*> gradient_data_;   // per tensor; NULL: none
  LossResult result_;
  PooledBuffer batch_, carry_;
  std::vector<double> sums_, numerators_, denominators_, scales_;
  std::vector<int64_t> slot_valid_;
  int64_t valid_items_ = -1;  // -1: not counted yet

  size_t next_pass_ = 0;
  PassLayout layout_;
  uint64_t fitting_labels_ = 0;            // bit t: a pass has seen that all labels of tensor t fit where they are
  std::atomic<uint64_t> unfit_labels_{0};  // some do not
  std::atomic<int64_t> next_slot_{0}, open_slots_{0};
  std::atomic<bool> cancelled_{false};
  std::atomic<int64_t> fault_slot_{std::numeric_limits<int64_t>::max()};
  std::mutex fault_mutex_;
  std::optional<Fault> fault_;  // of fault_slot_
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_ENGINE_BATCH_RUN_H_
