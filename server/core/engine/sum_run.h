// One batch of a weighted sum of losses: its terms run one after another as batches of their own, each with all
// threads, and their gradients are added tile by tile while they are made. Knows nothing of how a loss is computed.
#ifndef GRADELINE_SERVER_CORE_ENGINE_SUM_RUN_H_
#define GRADELINE_SERVER_CORE_ENGINE_SUM_RUN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/engine/batch_run.h"

namespace gradeline {

/// Computes `call`, of one loss or a sum; see BatchRun::Start.
void StartRun(EngineParts& parts, LossCall call, bool alone, BatchRun::Done done);

/// The first term stores its gradient into the reply, the others add theirs to it, in the real type of the call: f64 if
/// any input is, else f32. Where the reply has another type, a copy in the real type takes the sum, and the last term
/// narrows it once. All memory is admitted at once, for the longest of the terms: a sum that waited for more while it
/// holds some could wait for another that does the same.
class SumRun {
 public:
  static void Start(EngineParts& parts, LossCall call, bool alone, BatchRun::Done done);
  /// As Engine::ResultBytes.
  static absl::StatusOr<int64_t> ResultBytes(EngineParts& parts, const LossCall& call);

 private:
  using Plans = std::vector<std::shared_ptr<const CallPlan>>;

  SumRun(EngineParts& parts, LossCall call, bool alone) : parts_(parts), call_(std::move(call)), alone_(alone) {}

  static absl::StatusOr<Plans> FindPlans(EngineParts& parts, const LossCall& call);
  static std::vector<bool> Differentiable(const LossCall& call, const Plans& plans);
  absl::Status Prepare();
  absl::Status CheckItems(const Plans& plans) const;
  void PlanTargets(const Plans& plans);
  LossCall CallOf(size_t term) const;
  int64_t ScratchBytes(const Plans& plans) const;
  void Begin();
  void RunNext();
  void Take(LossResult result);
  absl::Status AddLosses();
  void Finish(absl::Status status);

  EngineParts& parts_;
  LossCall call_;
  BatchRun::Done done_;
  bool alone_;
  int64_t scratch_bytes_ = 0, admitted_bytes_ = 0;
  std::vector<std::unique_ptr<BatchRun>> runs_;       // per term; NULL once it has begun
  std::vector<std::vector<GradientTarget>> targets_;  // per term and its tensor
  std::vector<PooledBuffer> wide_;                    // per tensor of the sum; empty where the reply takes the sum
  size_t next_ = 0;
  LossResult result_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_ENGINE_SUM_RUN_H_
