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

class BatchRun {
 public:
  using Done = std::function<void(absl::StatusOr<LossResult>)>;
  /// Computes `call` and runs `done` once, before this returns or later on an arena thread. `alone`: all of it on this
  /// thread, before this returns.
  static void Start(EngineParts& parts, LossCall call, bool alone, Done done);

 private:
  /// How the tiles of the present pass are laid out; fixed while its slots run.
  struct PassLayout {
    const PassPlan* pass = nullptr;
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

  BatchRun(EngineParts& parts, LossCall call, bool alone, Done done);
  absl::Status Prepare();
  int64_t ScratchBytes() const;
  void Begin();
  absl::Status LoadWhole();
  void TakeGradients();

  void NextPass();
  bool Skipped(const PassPlan& pass) const;
  PassLayout LayOut(const PassPlan& pass) const;
  PassLayout LayOutCheck() const;
  absl::Status SetScales();
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
  int64_t admitted_scratch_bytes_ = 0;

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
  std::atomic<int64_t> next_slot_{0}, open_slots_{0};
  std::atomic<bool> cancelled_{false};
  std::atomic<int64_t> fault_slot_{std::numeric_limits<int64_t>::max()};
  std::mutex fault_mutex_;
  std::optional<Fault> fault_;  // of fault_slot_
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_ENGINE_BATCH_RUN_H_
