#include "server/core/experiment/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>
#include <utility>
#include <vector>

namespace gradeline {
namespace {

constexpr double kPi = std::numbers::pi;

double Number(const ParamMap& params, const char* name, double otherwise) {
  const auto found = params.find(name);
  const double* number = found == params.end() ? nullptr : std::get_if<double>(&found->second);
  return number == nullptr ? otherwise : *number;
}

std::string Word(const ParamMap& params, const char* name, const char* otherwise) {
  const auto found = params.find(name);
  return found == params.end() ? otherwise : ParamText(found->second);
}

// The numbers of CyclicLR.
struct Cycle {
  double least, most, up, down, gamma, low, high;
  std::string mode;
  bool per_cycle, momentum;

  Cycle(const ParamMap& params, double base)
      : least(Number(params, "base_lr", base)),
        most(Number(params, "max_lr", least)),
        up(Number(params, "step_size_up", 2000)),
        down(Number(params, "step_size_down", up)),
        gamma(Number(params, "gamma", 1)),
        low(Number(params, "base_momentum", 0.8)),
        high(Number(params, "max_momentum", 0.9)),
        mode(Word(params, "mode", "triangular")),
        per_cycle(Word(params, "scale_mode", mode == "exp_range" ? "iterations" : "cycle") == "cycle"),
        momentum(Word(params, "cycle_momentum", "false") == "true") {}

  // By the epoch alone.
  Rate At(int64_t epoch) const {
    const double total = up + down, ratio = up / total, at = static_cast<double>(epoch);
    const double cycle = std::floor(1 + at / total);
    const double x = 1.0 + at / total - cycle;
    const double factor = x <= ratio ? x / ratio : (x - 1) / (ratio - 1);
    const double counted = per_cycle ? cycle : at;
    double scale = 1;
    if (mode == "triangular2") scale = 1 / std::pow(2.0, counted - 1);
    if (mode == "exp_range") scale = std::pow(gamma, counted);
    Rate rate{least + (most - least) * factor * scale, std::nullopt};
    if (momentum) rate.momentum = high - (high - low) * factor * scale;
    return rate;
  }
};

// The numbers of ReduceLROnPlateau.
struct Plateau {
  double factor, threshold, least, eps;
  int32_t patience, cooldown;
  bool max, relative;

  explicit Plateau(const ParamMap& params)
      : factor(Number(params, "factor", 0.1)),
        threshold(Number(params, "threshold", 1e-4)),
        least(Number(params, "min_lr", 0)),
        eps(Number(params, "eps", 1e-8)),
        patience(static_cast<int32_t>(Number(params, "patience", 10))),
        cooldown(static_cast<int32_t>(Number(params, "cooldown", 0))),
        max(Word(params, "mode", "min") == "max"),
        relative(Word(params, "threshold_mode", "rel") == "rel") {}

  PlateauState Begin() const {
    const double worst = std::numeric_limits<double>::infinity();
    return {max ? -worst : worst, 0, 0};
  }

  bool IsBetter(double value, double best) const {
    if (!max) return value < (relative ? best * (1.0 - threshold) : best - threshold);
    return value > (relative ? best * (threshold + 1.0) : best + threshold);
  }

  void Step(double measured, PlateauState& state, double& rate) const {
    if (IsBetter(measured, state.best)) {
      state.best = measured;
      state.bad_epochs = 0;
    } else {
      ++state.bad_epochs;
    }
    if (state.cooldown > 0) {
      --state.cooldown;
      state.bad_epochs = 0;
    }
    if (state.bad_epochs <= patience) return;
    const double lower = std::max(rate * factor, least);
    if (rate - lower > eps) rate = lower;
    state.cooldown = cooldown;
    state.bad_epochs = 0;
  }
};

}  // namespace

// One for each schedule: what a step does.
struct ScheduleSteps {
  using Step = std::function<void(Schedule&, double)>;

  static Step Lr(const ParamMap& params) {
    return [gamma = Number(params, "gamma", 0.1), size = static_cast<int64_t>(Number(params, "step_size", 1))](
               Schedule& schedule, double) {
      if (schedule.epoch_ % size == 0) schedule.rate_.learning_rate *= gamma;
    };
  }

  // A milestone that is there twice counts twice: gamma to the power of its number, not a second product.
  static Step MultiLr(const ParamMap& params) {
    std::map<int64_t, int> times;
    if (const auto found = params.find("milestones"); found != params.end()) {
      for (const double epoch : std::get<std::vector<double>>(found->second)) ++times[static_cast<int64_t>(epoch)];
    }
    return [gamma = Number(params, "gamma", 0.1), times = std::move(times)](Schedule& schedule, double) {
      const auto found = times.find(schedule.epoch_);
      if (found != times.end()) schedule.rate_.learning_rate *= std::pow(gamma, found->second);
    };
  }

  static Step Exponential(const ParamMap& params) {
    return
        [gamma = Number(params, "gamma", 0.1)](Schedule& schedule, double) { schedule.rate_.learning_rate *= gamma; };
  }

  static Step Cosine(const ParamMap& params, double base) {
    return [base, least = Number(params, "eta_min", 0), period = static_cast<int64_t>(Number(params, "t_max", 1))](
               Schedule& schedule, double) {
      double& rate = schedule.rate_.learning_rate;
      const double half = static_cast<double>(period), at = static_cast<double>(schedule.epoch_);
      if ((schedule.epoch_ - 1 - period) % (2 * period) == 0) {  // the rate before was eta_min: there is no quotient
        rate += (base - least) * (1 - std::cos(kPi / half)) / 2;
      } else {
        rate = (1 + std::cos(kPi * at / half)) / (1 + std::cos(kPi * (at - 1) / half)) * (rate - least) + least;
      }
    };
  }
};

Schedule::Schedule(const std::string& id, const ParamMap& params, double base) : rate_{base, std::nullopt} {
  if (id == "step_lr") step_ = ScheduleSteps::Lr(params);
  if (id == "multi_step_lr") step_ = ScheduleSteps::MultiLr(params);
  if (id == "exponential_lr") step_ = ScheduleSteps::Exponential(params);
  if (id == "cosine_annealing_lr") step_ = ScheduleSteps::Cosine(params, base);
  if (id == "cyclic_lr") {
    const Cycle cycle(params, base);
    rate_ = cycle.At(0);
    step_ = [cycle](Schedule& schedule, double) { schedule.rate_ = cycle.At(schedule.epoch_); };
  }
  if (id == kReduceOnPlateau) {
    const Plateau plateau(params);
    plateau_ = plateau.Begin();
    step_ = [plateau](Schedule& schedule, double measured) {
      plateau.Step(measured, *schedule.plateau_, schedule.rate_.learning_rate);
    };
  }
}

void Schedule::Resume(double learning_rate, const PlateauState& state) {
  rate_.learning_rate = learning_rate;
  plateau_ = state;
}

void Schedule::Step(double measured) {
  ++epoch_;
  if (step_) step_(*this, measured);
}

}  // namespace gradeline
