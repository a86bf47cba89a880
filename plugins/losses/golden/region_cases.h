// Cases that the tests of losses of regions share: for the conformance suite, random ones for the reference, and the
// pixels of the known values. For tests only.
#ifndef GRADELINE_PLUGINS_LOSSES_GOLDEN_REGION_CASES_H_
#define GRADELINE_PLUGINS_LOSSES_GOLDEN_REGION_CASES_H_

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "plugins/losses/golden/region_reference.h"

namespace gradeline::conformance {

/// For the conformance suite; what is given are parameters: `pixels` those of whole batches and of images, then those
/// of rows and of long runs.
inline std::vector<Case> RegionCases(const ParamValues& pixels, const ParamValues& rows, const ParamValues& long_runs) {
  ParamValues images = pixels;
  images["aggregate"] = images["absent_class"] = {1};
  return {{"pixels", {{"N", 3}, {"c", 3}, {"*", 13}}, pixels},
          {"images", {{"N", 3}, {"c", 3}, {"*", 13}}, images},
          {"rows", {{"N", 23}, {"c", 5}}, rows},
          {"long_runs", {{"N", 1}, {"c", 2}, {"*", 300}}, long_runs}};
}

/// The same of pixels that are yes or no.
inline std::vector<Case> BinaryRegionCases(const ParamValues& pixels, ParamValues images) {
  images["aggregate"] = {1};
  return {{"pixels", {{"N", 3}, {"*", 13}}, pixels}, {"images", {{"N", 3}, {"*", 13}}, images}};
}

/// Moves logits to within 30 of 0 or of +-1e4: what lies between them in certainty falls below the range of floats, or
/// doubles, as a probability, and ratios and powers of it would tell.
inline void KeepProbabilitiesInRange(Batch& batch) {
  for (double& logit : batch.tensors[0].real) {
    const double origin = std::abs(logit) < 5e3 ? 0 : std::copysign(1e4, logit);
    logit = origin + std::clamp(logit - origin, -30.0, 30.0);
  }
}

/// Random shapes, and values for the parameters that all losses of regions share.
inline Case RegionCase(std::mt19937_64& random, int64_t least_classes) {
  const auto size = [&](uint64_t most) { return 1 + static_cast<int64_t>(random() % most); };
  Case c{"regions", {{"N", size(4)}, {"c", least_classes - 1 + size(5)}, {"*", size(20)}}, {}};
  if (random() % 16 == 0) c.axes["*"] = 500 + size(400);  // several blocks of a kernel
  c.fix = KeepProbabilitiesInRange;
  for (const char* choice : {"aggregate", "absent_class"}) c.params[choice] = {static_cast<double>(random() % 2)};
  return c;
}

inline void AddClassWeights(std::mt19937_64& random, Case& c) {
  if (random() % 2 == 0) return;
  std::uniform_real_distribution<double> unit(0, 1);
  for (int64_t k = 0; k < c.axes["c"]; ++k)
    c.params["class_weights"].push_back(random() % 5 == 0 ? 0 : 3 * unit(random));
}

/// With what losses of an index share too.
inline Case IndexCase(std::mt19937_64& random, int64_t least_classes) {
  Case c = RegionCase(random, least_classes);
  AddClassWeights(random, c);
  const double smooths[] = {0, 0, 1, 1e-5};
  c.params["smooth"] = {smooths[random() % 4]};
  c.params["eps"] = {random() % 2 == 0 ? 1e-7 : 1e-3};
  return c;
}

inline Case LogIndexCase(std::mt19937_64& random, int64_t least_classes) {
  Case c = IndexCase(random, least_classes);
  c.params["log_loss"] = {static_cast<double>(random() % 2)};
  return c;
}

inline void AddTverskyWeights(std::mt19937_64& random, Case& c) {
  std::uniform_real_distribution<double> unit(0, 1);
  c.params["fp_weight"] = {random() % 3 == 0 ? 0.5 : 2 * unit(random)};
  c.params["fn_weight"] = {random() % 3 == 0 ? 0.5 : 2 * unit(random)};
}

using RandomRegions = Case (*)(std::mt19937_64& random, int64_t least_classes);

/// Compares 500 random cases of a loss, of the signal that the name says, with its formula in long double.
inline void CheckMulticlassRegions(const GdlLoss& loss, RandomRegions make, const RegionFormula& plain) {
  CheckReference(
      loss, 500, [=](std::mt19937_64& random) { return make(random, 2); }, OfRegions(true, plain));
}
inline void CheckMultilabelRegions(const GdlLoss& loss, RandomRegions make, const RegionFormula& plain) {
  CheckReference(
      loss, 500, [=](std::mt19937_64& random) { return make(random, 1); }, OfRegions(false, plain));
}
inline void CheckBinaryRegions(const GdlLoss& loss, RandomRegions make, const RegionFormula& plain) {
  const auto binary = [=](std::mt19937_64& random) {
    Case c = make(random, 1);
    c.axes.erase("c");
    c.params.erase("class_weights");
    return c;
  };
  CheckReference(loss, 500, binary, OfRegions(false, plain));
}
/// Beside the cross-entropy of the pixels.
inline void CheckEntropyAndRegions(const GdlLoss& loss, RandomRegions make, const RegionFormula& plain) {
  CheckReference(
      loss, 500, [=](std::mt19937_64& random) { return make(random, 2); }, OfEntropyAndRegions(plain));
}

/// The four probabilities of two classes that the known values of the losses are for, as logits, and their labels.
inline std::map<std::string, GoldenArray> FourPixels() {
  GoldenArray logits{false, {4, 2}, {}};
  for (double p : {0.9, 0.1, 0.6, 0.4, 0.2, 0.8, 0.3, 0.7}) logits.values.push_back(std::log(p));
  return {{"prediction", logits}, {"target", {true, {4}, {0, 0, 1, 0}}}};
}

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_LOSSES_GOLDEN_REGION_CASES_H_
