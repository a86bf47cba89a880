// For tests of losses that rank items: random inputs whose ranks a float can tell apart.
#ifndef GRADELINE_PLUGINS_LOSSES_GOLDEN_RANKS_H_
#define GRADELINE_PLUGINS_LOSSES_GOLDEN_RANKS_H_

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "plugins/sdk/conformance_host.h"

namespace gradeline::conformance {

/// Draws the first tensor's values of items anew until none of their ranks lies so close to another item's that
/// rounding decides the order: the gradient jumps there, and no reference could say to which side. Equal items stay.
/// `ranks`: what an item is ranked by; the i-th number of one is compared with the i-th of others.
inline void PartRanks(Batch& batch, const std::function<std::vector<long double>(int64_t)>& ranks) {
  TensorData& values = batch.tensors[0];
  std::mt19937_64 random(static_cast<uint64_t>(batch.items()));
  const auto at = [&](int64_t item, int64_t k) -> double& {
    return values.real[static_cast<size_t>(DenseIndex(batch, values, item / batch.inner, k, item % batch.inner))];
  };
  std::vector<std::vector<long double>> seen;
  for (int64_t item = 0; item < batch.items(); ++item) {
    const auto close = [&](int64_t other) {
      const std::vector<long double>&mine = seen.back(), &theirs = seen[static_cast<size_t>(other)];
      bool same =
          batch.tensors[1].labels[static_cast<size_t>(item)] == batch.tensors[1].labels[static_cast<size_t>(other)];
      for (int64_t k = 0; k < values.small; ++k) same &= at(item, k) == at(other, k);
      for (size_t k = 0; k < mine.size() && !same; ++k) {
        const long double a = mine[k], b = theirs[k], larger = std::max(a, b);
        if (larger < static_cast<long double>(FLT_MIN) || (a == b && a == 1)) continue;
        if (std::abs(a - b) <= 4e-6L * larger) return true;
      }
      return false;
    };
    seen.push_back(ranks(item));
    for (int64_t other = 0; other < item; ++other) {
      if (!close(other)) continue;
      std::uniform_real_distribution<double> moderate(-3, 3);
      for (int64_t k = 0; k < values.small; ++k) at(item, k) = static_cast<float>(moderate(random));
      seen.back() = ranks(item);
      other = -1;
    }
  }
}

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_LOSSES_GOLDEN_RANKS_H_
