// For tests: the focal loss of one decision, written plainly.
#ifndef GRADELINE_PLUGINS_LOSSES_GOLDEN_FOCAL_H_
#define GRADELINE_PLUGINS_LOSSES_GOLDEN_FOCAL_H_

#include <algorithm>
#include <cmath>
#include <random>

#include "plugins/sdk/conformance.h"

namespace gradeline::conformance {

struct PlainDecision {
  long double loss, derivative;
  long double terms;  ///< magnitudes that add up to the derivative
};

/// Of logit z and target y in [0, 1].
inline PlainDecision PlainFocal(long double z, long double y, const ParamValues& params) {
  const long double gamma = params.at("gamma")[0], alpha = params.at("alpha")[0];
  const auto softplus = [](long double x) { return std::max(x, 0.0L) + std::log1p(std::exp(-std::abs(x))); };
  const long double p = 1 / (1 + std::exp(-z)), q = 1 / (1 + std::exp(z)), missing = p * (1 - y) + q * y;
  const long double entropy = y * softplus(-z) + (1 - y) * softplus(z);
  const long double balance = alpha < 0 ? 1 : alpha * y + (1 - alpha) * (1 - y);
  const long double by_missing = gamma == 0 ? 0 : gamma * std::pow(missing, gamma - 1) * entropy * p * q;
  const long double power = std::pow(missing, gamma);
  return {balance * power * entropy, balance * (by_missing * (1 - 2 * y) + power * (p * (1 - y) - q * y)),
          balance * (by_missing * std::abs(1 - 2 * y) + power * (p * (1 - y) + q * y))};
}

/// Whole, half and odd powers; alpha on and off.
inline void DrawFocal(ParamValues& params, std::mt19937_64& random) {
  std::uniform_real_distribution<double> unit(0, 1);
  const double gammas[] = {2, 0, 0.5, 1, 1.5, 5, unit(random), 4 * unit(random)};
  params["gamma"] = {gammas[random() % 8]};
  params["alpha"] = {random() % 2 == 0 ? -1 : unit(random)};
}

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_LOSSES_GOLDEN_FOCAL_H_
