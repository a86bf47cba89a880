// Compares a loss with a reference in long double on fresh random and edge inputs: float to 1e-6, double to 1e-12 of
// the largest. The seed is printed; GRADELINE_TEST_SEED=N repeats a run. The author writes the reference plainly, from
// the formula. GRADELINE_ERRORS=FILE collects the worst errors (see reference_record.h).
#ifndef GRADELINE_PLUGINS_SDK_REFERENCE_H_
#define GRADELINE_PLUGINS_SDK_REFERENCE_H_

#include <gtest/gtest.h>

#include <cfloat>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "plugins/sdk/conformance.h"
#include "plugins/sdk/conformance_edges.h"
#include "plugins/sdk/reference_record.h"

namespace gradeline::conformance {

/// Derivatives of a numerator by one tensor, dense.
struct DerivativeReference {
  std::vector<long double> derivative;
  /// Largest sum of magnitudes that add up to one derivative, computed without cancellation; 0 if they are single
  /// terms. Where they cancel, a float (double) can hold no more than what rounding of the terms left.
  long double terms = 0;
};

/// One component, before any division: its numerator and the derivatives of that by the first tensor.
struct ComponentReference : DerivativeReference {
  long double numerator = std::numeric_limits<long double>::quiet_NaN();  ///< NaN: the sum of item_loss
  long double denominator = 0;                                            ///< aggregates: 1
  /// Sum of magnitudes of what cancels in the numerator (1 - overlap near 0: 1); 0 if nothing does.
  long double magnitude = 0;
  std::map<size_t, DerivativeReference> others = {};  ///< by further differentiable tensors, by their number
};

/// What a loss is, unrounded. A loss of one additive component fills item_loss, derivative, denominator (and terms); an
/// aggregate numerator, derivative and denominator = 1. Further components go to `more`, in the order of the loss.
struct Reference : ComponentReference {
  std::vector<long double> item_loss;    ///< empty if the loss has none
  long double item_magnitude = 0;        ///< as magnitude, the largest of one item
  std::vector<ComponentReference> more;  ///< components 1, 2 ...
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

/// Precision of the call's type.
struct Precision {
  explicit Precision(uint32_t dtype)
      : allowed(dtype == 4 ? 1e-6L : 1e-12L),
        rounding(8 * (dtype == 4 ? static_cast<long double>(FLT_EPSILON) : DBL_EPSILON)),
        smallest(dtype == 4 ? FLT_MIN : DBL_MIN) {}
  long double allowed, rounding;
  long double smallest;  ///< below it, numbers of the type lose digits
};

/// Largest |want - got| over the largest |want|, or over `terms` where rounding of these explains it; what no number of
/// the type can hold apart from 0 counts as equal.
inline long double RelativeError(const std::vector<long double>& want, const std::vector<double>& got,
                                 const Precision& precision, long double terms = 0) {
  if (want.size() != got.size()) return HUGE_VALL;
  long double most = 0, error = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    most = std::max(most, std::abs(want[i]));
    const long double off = std::abs(want[i] - static_cast<long double>(got[i]));
    if (!(off <= error)) error = off;
  }
  if (error <= precision.smallest) return 0;
  return error <= precision.rounding * terms ? error / std::max(most, terms) : error / most;
}

/// One run of a loss against its reference; `error` takes the worst that was seen.
class Comparison {
 public:
  Comparison(const GdlLoss& loss, const Reference& want, uint32_t dtype, WorstError& error)
      : loss_(loss), want_(want), precision_(dtype), error_(error) {
    all_.push_back(want);
    all_.insert(all_.end(), want.more.begin(), want.more.end());
    ComponentReference& first = all_[0];
    const auto items = static_cast<long double>(want.item_loss.size());
    if (first.magnitude == 0) first.magnitude = want.item_magnitude * items;
    if (!std::isnan(first.numerator)) return;
    first.numerator = 0;
    for (long double item : want.item_loss) first.numerator += item;
  }

  void Check(const RunResult& got, const RunOptions& options) {
    ASSERT_EQ(got.numerator.size(), all_.size()) << "components";
    for (size_t k = 0; k < all_.size(); ++k) {
      const ComponentReference& component = all_[k];
      const std::string name = loss_.components[k]->name;
      Expect({component.denominator}, {got.denominator[k]}, 0, error_.value, "denominator of " + name);
      Expect({component.numerator}, {got.numerator[k]}, component.magnitude, error_.value, "numerator of " + name);
    }
    if (!want_.item_loss.empty() || !got.item_loss.empty()) {
      Expect(want_.item_loss, got.item_loss, want_.item_magnitude, error_.value, "item losses");
    }
    for (size_t t = 0; options.gradient && t < got.gradient.size(); ++t) {
      if ((loss_.tensors[t]->flags & GDL_GRADIENT) != 0) CheckGradientOf(t, got.gradient[t], options);
    }
  }

 private:
  void CheckGradientOf(size_t tensor, const std::vector<double>& got, const RunOptions& options) {
    std::vector<long double> gradient(got.size(), 0);
    long double terms = 0;
    for (size_t k = 0; k < all_.size(); ++k) {
      const auto other = all_[k].others.find(tensor);
      if (tensor != 0 && other == all_[k].others.end()) continue;  // does not depend on it
      const DerivativeReference& part = tensor == 0 ? all_[k] : other->second;
      if (tensor == 0 && part.derivative.empty() && all_.size() > 1) continue;
      ASSERT_EQ(part.derivative.size(), got.size()) << "derivatives by tensor " << tensor;
      const long double scale = ScaleOf(k, options);
      for (size_t i = 0; i < got.size(); ++i) gradient[i] += scale * part.derivative[i];
      terms += scale * part.terms;
    }
    Expect(gradient, got, terms, error_.gradient, "gradient by " + std::string(loss_.tensors[tensor]->name));
  }

  long double ScaleOf(size_t k, const RunOptions& options) const {
    if (!options.scale.empty()) return options.scale[k];
    if (loss_.components[k]->kind != GDL_ADDITIVE) return 1;
    return all_[k].denominator == 0 ? 0 : 1 / all_[k].denominator;
  }

  void Expect(const std::vector<long double>& want, const std::vector<double>& got, long double terms,
              long double& worst, const std::string& what) {
    const long double error = RelativeError(want, got, precision_, terms);
    EXPECT_LE(error, precision_.allowed) << what;
    if (!(error <= worst)) worst = error;
  }

  const GdlLoss& loss_;
  const Reference& want_;
  Precision precision_;
  WorstError& error_;
  std::vector<ComponentReference> all_;
};

/// Runs a batch with tiles at random, with and without a gradient, under the scale of a mean or a random one.
inline void CheckAgainst(const GdlLoss& loss, const Batch& batch, const Case& c, const Reference& want, uint32_t dtype,
                         std::mt19937_64& random, WorstError& error) {
  const State state(loss, c.params);
  ASSERT_EQ(state.status(), 0) << state.refusal();
  RunOptions options;
  options.dtype = dtype;
  options.tile_items = 1 + static_cast<int64_t>(random() % (random() % 4 == 0 ? 1000 : 40));
  options.cut_seed = static_cast<uint32_t>(random() % 3);
  if (random() % 2 == 0) {
    for (size_t k = 0; k <= want.more.size(); ++k) {
      options.scale.push_back(random() % 8 == 0 ? 0 : std::uniform_real_distribution<double>(0.1, 10)(random));
    }
  }
  Comparison comparison(loss, want, dtype, error);
  for (const bool gradient : {true, false}) {
    options.gradient = gradient;
    const RunResult got = RunBatch(loss, state, batch, options);
    ASSERT_EQ(got.status, 0) << got.refusal;
    ASSERT_EQ(got.fault_kind, 0u) << "fault at item " << got.fault_item << " of "
                                  << loss.tensors[got.fault_tensor]->name;
    for (const std::string& problem : got.broken) ADD_FAILURE() << problem;
    comparison.Check(got, options);
  }
}

/// Name, axes, parameters and present tensors, for messages.
inline std::string Describe(const Case& c, const std::vector<bool>& present) {
  std::ostringstream text;
  text << c.name;
  for (const auto& [axis, size] : c.axes) text << " " << axis << "=" << size;
  for (const auto& [param, values] : c.params) {
    text << " " << param;
    for (size_t i = 0; i < values.size(); ++i) text << (i == 0 ? "=" : ",") << values[i];
  }
  text << " tensors ";
  for (bool is : present) text << is;
  return text.str();
}

/// `count` random cases, each with a random choice of hard or soft targets and optional inputs, in float and in double;
/// now and then of no item or one.
inline void CheckReference(const GdlLoss& loss, int count, const MakeCase& make, const ComputeReference& reference) {
  std::mt19937_64 random(TestSeed());
  const std::vector<std::vector<bool>> presences = Presences(loss);
  std::map<uint32_t, WorstError> errors;
  for (int i = 0; i < count; ++i) {
    Case c = make(random);
    const auto size = random() % 32;
    if (size < 2 && c.axes.count("N")) c.axes["N"] = static_cast<int64_t>(size);
    const std::vector<bool>& present = presences[random() % presences.size()];
    Batch batch = RandomBatch(loss, c, present, static_cast<uint32_t>(random()));
    Distort(loss, c, batch, random);
    const Reference want = reference(batch, c.params);
    for (uint32_t dtype : {4u, 8u}) {
      SCOPED_TRACE("case " + std::to_string(i) + " (" + Describe(c, present) + "), " + std::to_string(8 * dtype) +
                   " bits");
      CheckAgainst(loss, batch, c, want, dtype, random, errors[dtype]);
      if (::testing::Test::HasFailure()) return;
    }
  }
  for (const auto& [dtype, error] : errors) RecordErrors(loss, "long double", dtype, static_cast<size_t>(count), error);
}

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_SDK_REFERENCE_H_
