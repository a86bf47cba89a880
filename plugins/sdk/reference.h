// Compares a loss with a reference in long double on fresh random cases: float to 1e-6, double to 1e-12 of the largest.
// The seed is printed; GRADELINE_TEST_SEED=N repeats a run. The author writes the reference plainly, from the formula.
#ifndef GRADELINE_PLUGINS_SDK_REFERENCE_H_
#define GRADELINE_PLUGINS_SDK_REFERENCE_H_

#include <gtest/gtest.h>

#include <cfloat>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "plugins/sdk/conformance.h"

namespace gradeline::conformance {

/// What a loss of one component is, unrounded. Dense arrays; item losses and derivatives before any division.
struct Reference {
  std::vector<long double> item_loss;
  std::vector<long double> derivative;  ///< of the numerator, by the first tensor
  /// Largest sum of magnitudes that add up to a derivative, computed without cancellation; 0 if they are single terms.
  /// Where they cancel to nothing, a double can hold no more than what rounding left.
  long double terms = 0;
  long double denominator = 0;
};

/// A random case: its shape and parameters.
using MakeCase = std::function<Case(std::mt19937_64&)>;
using ComputeReference = std::function<Reference(const Batch&, const ParamValues&)>;

inline uint64_t TestSeed() {
  const char* given = std::getenv("GRADELINE_TEST_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  std::cout << "GRADELINE_TEST_SEED=" << seed << std::endl;
  return seed;
}

/// Largest |want - got| over the largest |want|; what no number of the type can hold apart from 0 counts as equal.
inline long double RelativeError(const std::vector<long double>& want, const std::vector<double>& got,
                                 double smallest) {
  if (want.size() != got.size()) return HUGE_VALL;
  long double most = 0, error = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    most = std::max(most, std::abs(want[i]));
    const long double off = std::abs(want[i] - static_cast<long double>(got[i]));
    if (!(off <= error)) error = off;
  }
  return error <= smallest ? 0 : error / most;
}

/// Inputs of a random case: mostly moderate, some far out (+-1e4), some with large common offsets and exact ties.
inline void Distort(Batch& batch, std::mt19937_64& random) {
  TensorData& prediction = batch.tensors[0];
  const auto kind = random() % 4;
  for (double& value : prediction.real) {
    if (kind == 1) value *= 1e4 / 3;
    if (kind == 2 && random() % 3 == 0) value = random() % 2 == 0 ? 1e4 : -1e4;
    if (kind == 3) value = 1e4 + std::round(value);
    value = static_cast<float>(std::clamp(value, -1e4, 1e4));
  }
  for (size_t t = 1; t < batch.tensors.size(); ++t) {
    if (random() % 3 != 0) continue;
    for (double& value : batch.tensors[t].real) {
      if (random() % 4 == 0) value = std::round(value);  // soft targets that are hard, weights of 0
    }
  }
}

inline void CheckAgainst(const GdlLoss& loss, const Batch& batch, const Case& c, const Reference& want,
                         uint32_t dtype) {
  RunOptions options;
  options.dtype = dtype;
  options.tile_items = 13;
  const State state(loss, c.params);
  ASSERT_EQ(state.status(), 0) << state.refusal();
  const RunResult got = RunBatch(loss, state, batch, options);
  ASSERT_EQ(got.status, 0) << got.refusal;
  for (const std::string& problem : got.broken) ADD_FAILURE() << problem;
  const long double allowed = dtype == 4 ? 1e-6L : 1e-12L;
  const long double smallest = dtype == 4 ? FLT_MIN : DBL_MIN;  // below it, numbers of the type lose digits
  const long double scale = want.denominator == 0 ? 0 : 1 / want.denominator;
  long double sum = 0;
  std::vector<long double> gradient = want.derivative;
  for (long double item : want.item_loss) sum += item;
  for (long double& value : gradient) value *= scale;
  const double mean = got.denominator[0] == 0 ? 0 : got.numerator[0] / got.denominator[0];
  EXPECT_LE(RelativeError({want.denominator}, got.denominator, smallest), allowed) << "denominator";
  EXPECT_LE(RelativeError({sum * scale}, {mean}, smallest), allowed) << "loss";
  EXPECT_LE(RelativeError(want.item_loss, got.item_loss, smallest), allowed) << "item losses";
  EXPECT_LE(RelativeError(gradient, got.gradient[0], smallest + 8 * DBL_EPSILON * want.terms * scale), allowed)
      << "gradient";
}

/// `count` random cases, each with a random choice of hard or soft targets and optional inputs, in float and in double.
inline void CheckReference(const GdlLoss& loss, int count, const MakeCase& make, const ComputeReference& reference) {
  std::mt19937_64 random(TestSeed());
  const std::vector<std::vector<bool>> presences = Presences(loss);
  for (int i = 0; i < count; ++i) {
    const Case c = make(random);
    const std::vector<bool>& present = presences[random() % presences.size()];
    Batch batch = RandomBatch(loss, c.axes, present, c.spread, static_cast<uint32_t>(random()));
    Distort(batch, random);
    const Reference want = reference(batch, c.params);
    for (uint32_t dtype : {4u, 8u}) {
      SCOPED_TRACE("case " + std::to_string(i) + " (" + c.name + "), " + std::to_string(8 * dtype) + " bits");
      CheckAgainst(loss, batch, c, want, dtype);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_SDK_REFERENCE_H_
