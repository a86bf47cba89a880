// Learning rates over the epochs, as torch.optim.lr_scheduler gives them, bit for bit in double: where PyTorch
// multiplies the rate of the epoch before, so does this, since its closed forms round differently. Pure; an epoch is
// what PyTorch calls a step. Deliberately does not check parameters: the catalog's specs do.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_SCHEDULE_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_SCHEDULE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "server/core/experiment/types.h"

namespace gradeline {

inline constexpr char kReduceOnPlateau[] = "reduce_lr_on_plateau";

/// What an epoch trains with.
struct Rate {
  double learning_rate = 0;
  std::optional<double> momentum;  ///< where the schedule cycles it
  bool operator==(const Rate&) const = default;
};

/// The learning rate from epoch 0 on. An empty or unknown id keeps the base rate; parameters that are absent have
/// PyTorch's defaults.
class Schedule {
 public:
  /// `params` are resolved ones of the scheduler `id`. `base`: the learning rate of epoch 0, unless the schedule sets
  /// it.
  Schedule(const std::string& id, const ParamMap& params, double base);

  const Rate& rate() const { return rate_; }
  int64_t epoch() const { return epoch_; }
  /// Of ReduceLROnPlateau; nullopt of the others, which depend on the epoch alone.
  const std::optional<PlateauState>& plateau() const { return plateau_; }

  /// Goes on where another stopped: after an epoch's end, with this rate and state.
  void Resume(double learning_rate, const PlateauState& state);
  /// Ends the epoch. `measured`: its monitored value, NaN if it had none; ReduceLROnPlateau alone looks at it.
  void Step(double measured);

 private:
  /// Sets the rate of epoch_ from that of the one before.
  std::function<void(Schedule&, double measured)> step_;
  Rate rate_;
  int64_t epoch_ = 0;
  std::optional<PlateauState> plateau_;

  friend struct ScheduleSteps;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_SCHEDULE_H_
