// The suite that every loss must pass. A loss's test names shapes and parameters; each check then runs for every choice
// of hard or soft targets, with and without optional inputs:
//   std::vector<Case> Cases() { return {{"rows", {{"N", 17}, {"c", 5}}, {{"label_smoothing", {0.1}}}}}; }
//   GDL_CONFORMANCE(Mine, *GDL_PLUGIN_SYMBOL.losses[0], Cases());
// Needs GoogleTest and threads. What the loss's numbers should be is not asked here: add golden values.
#ifndef GRADELINE_PLUGINS_SDK_CONFORMANCE_H_
#define GRADELINE_PLUGINS_SDK_CONFORMANCE_H_

#include <gtest/gtest.h>

#include <bit>
#include <string>
#include <vector>

#include "plugins/sdk/conformance_inputs.h"
#include "plugins/sdk/conformance_run.h"

namespace gradeline::conformance {

using Problems = std::vector<std::string>;

inline double Largest(const std::vector<double>& values) {
  double most = 0;
  for (double value : values) most = std::max(most, std::abs(value));
  return most;
}

/// Empty if equal to `tolerance` of the largest; 0: to the bit.
inline std::string Difference(const std::string& what, const std::vector<double>& want, const std::vector<double>& got,
                              double tolerance) {
  if (want.size() != got.size()) return what + ": sizes differ";
  const double allowed = tolerance * std::max(Largest(want), Largest(got));
  for (size_t i = 0; i < want.size(); ++i) {
    const bool same = std::bit_cast<uint64_t>(want[i]) == std::bit_cast<uint64_t>(got[i]);
    if (same || (tolerance > 0 && std::abs(want[i] - got[i]) <= allowed)) continue;
    std::ostringstream text;
    text.precision(17);
    text << what << "[" << i << "]: " << want[i] << " and " << got[i];
    return text.str();
  }
  return "";
}

inline void Compare(const RunResult& want, const RunResult& got, double tolerance, Problems& problems) {
  const auto add = [&](const std::string& text) {
    if (!text.empty()) problems.push_back(text);
  };
  add(Difference("numerator", want.numerator, got.numerator, tolerance));
  add(Difference("denominator", want.denominator, got.denominator, tolerance));
  add(Difference("item loss", want.item_loss, got.item_loss, tolerance));
  for (size_t t = 0; t < want.gradient.size(); ++t) {
    add(Difference("gradient " + std::to_string(t), want.gradient[t], got.gradient[t], tolerance));
  }
}

/// A loss under one case and one choice of tensors.
class Setup {
 public:
  Setup(const GdlLoss& of, const Case& c, const std::vector<bool>& present, uint32_t seed)
      : loss(of), state(of, c.params), batch(RandomBatch(of, c, present, seed)) {}

  /// Runs; any refusal, fault, or stray write is a problem.
  RunResult operator()(const RunOptions& options, Problems& problems) const { return On(batch, options, problems); }
  RunResult On(const Batch& other, const RunOptions& options, Problems& problems) const {
    RunResult result = RunBatch(loss, state, other, options);
    if (result.status != 0) problems.push_back("plan refuses: " + result.refusal);
    if (result.fault_kind != 0) problems.push_back("fault at item " + std::to_string(result.fault_item));
    problems.insert(problems.end(), result.broken.begin(), result.broken.end());
    for (double value : result.numerator) {
      if (!std::isfinite(value)) problems.push_back("numerator is not finite");
    }
    return result;
  }

  const GdlLoss& loss;
  State state;
  Batch batch;
};

/// One property of a loss; `run` adds what does not hold.
struct Check {
  const char* name;
  void (*run)(const Setup& setup, const Case& c, Problems& problems);
};

/// All checks, defined in conformance_checks.h.
const std::vector<Check>& Checks();

/// Runs one check for every case and choice of tensors; each problem says where.
inline Problems RunCheck(const GdlLoss& loss, const Check& check, const std::vector<Case>& cases) {
  Problems all;
  uint32_t seed = 1;
  for (const Case& c : cases) {
    for (const std::vector<bool>& present : Presences(loss)) {
      const Setup setup(loss, c, present, seed++);
      Problems problems;
      if (setup.state.status() != 0) {
        problems.push_back("create refuses: " + setup.state.refusal());
      } else {
        check.run(setup, c, problems);
      }
      std::string tensors;
      for (bool is : present) tensors += is ? '1' : '0';
      for (const std::string& problem : problems) {
        all.push_back(std::string(check.name).append(", case ").append(c.name).append(", tensors ").append(tensors));
        all.back().append(": ").append(problem);
      }
    }
  }
  return all;
}

inline void PrintTo(const Check& check, std::ostream* out) { *out << check.name; }

}  // namespace gradeline::conformance

#include "plugins/sdk/conformance_checks.h"

/// Defines one test per check.
#define GDL_CONFORMANCE(suite, loss, cases)                                                                  \
  class suite##Conformance : public ::testing::TestWithParam<::gradeline::conformance::Check> {};            \
  TEST_P(suite##Conformance, Holds) {                                                                        \
    for (const std::string& problem : ::gradeline::conformance::RunCheck(loss, GetParam(), cases)) {         \
      ADD_FAILURE() << problem;                                                                              \
    }                                                                                                        \
  }                                                                                                          \
  INSTANTIATE_TEST_SUITE_P(All, suite##Conformance, ::testing::ValuesIn(::gradeline::conformance::Checks()), \
                           [](const auto& check) { return std::string(check.param.name); })

#endif  // GRADELINE_PLUGINS_SDK_CONFORMANCE_H_
