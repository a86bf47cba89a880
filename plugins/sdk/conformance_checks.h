// The checks of the conformance suite, one function each. Included by conformance.h.
#ifndef GRADELINE_PLUGINS_SDK_CONFORMANCE_CHECKS_H_
#define GRADELINE_PLUGINS_SDK_CONFORMANCE_CHECKS_H_

#include <functional>
#include <string>
#include <vector>

#include "plugins/sdk/conformance.h"
#include "plugins/sdk/conformance_merge.h"

namespace gradeline::conformance {

inline double TotalOf(const RunResult& result, const std::vector<double>& scale) {
  double total = 0;
  for (size_t k = 0; k < scale.size(); ++k) total += scale[k] * result.numerator[k];
  return total;
}

/// Whether `analytic` is the derivative that three values around a point show: the central difference to 1e-6 of the
/// largest, or, at a kink or a jump (the one-sided differences disagree), anything between those two.
struct Slopes {
  double below, above;
  bool Allow(double analytic, double largest) const {
    const double slack = 1e-6 * largest;
    if (std::abs((below + above) / 2 - analytic) <= slack) return true;
    if (std::abs(above - below) <= 1e-2 * largest) return false;
    return analytic >= std::min(below, above) - slack && analytic <= std::max(below, above) + slack;
  }
};

/// gradient = sum over k of scale[k] * d numerator[k], against finite differences in double.
inline void CheckGradient(const Setup& setup, const Case& c, Problems& problems) {
  RunOptions options;
  Problems ignored;
  const RunResult first = setup(options, problems);
  for (size_t k = 0; k < first.numerator.size(); ++k) {
    options.scale.push_back(0.75 + 0.5 * static_cast<double>(k));
  }
  const RunResult analytic = setup(options, problems);
  if (!c.derivative) return;
  RunOptions forward = options;
  forward.gradient = false;
  const double here = TotalOf(analytic, options.scale);
  Batch moved = setup.batch;
  for (size_t t = 0; t < analytic.gradient.size(); ++t) {
    std::vector<Slopes> slopes;
    double largest = Largest(analytic.gradient[t]);
    for (size_t i = 0; i < analytic.gradient[t].size(); ++i) {
      double& value = moved.tensors[t].real[i];
      const double at = value, step = 1e-5 * std::max(1.0, std::abs(at));
      value = at + step;
      const double above = TotalOf(setup.On(moved, forward, ignored), options.scale);
      value = at - step;
      const double below = TotalOf(setup.On(moved, forward, ignored), options.scale);
      value = at;
      slopes.push_back({(here - below) / step, (above - here) / step});
      // Not counted near kinks: across a jump a difference is as large as it likes.
      const double central = std::abs(above - below) / (2 * step);
      if (std::abs(above - 2 * here + below) / step <= 1e-2 * central) largest = std::max(largest, central);
    }
    for (size_t i = 0; i < slopes.size(); ++i) {
      if (slopes[i].Allow(analytic.gradient[t][i], largest)) continue;
      std::ostringstream text;
      text.precision(17);
      text << "finite difference[" << i << "]: " << (slopes[i].below + slopes[i].above) / 2 << " and "
           << analytic.gradient[t][i];
      problems.push_back(text.str());
      break;
    }
  }
}

/// Tiles of one item against one tile. Aggregates may sum in another order, hence 1e-12.
inline void CheckOneItemTiles(const Setup& setup, const Case&, Problems& problems) {
  RunOptions whole, single;
  whole.tile_items = std::max<int64_t>(1, setup.batch.items());
  single.tile_items = 1;
  Compare(setup(whole, problems), setup(single, problems), 1e-12, problems);
}

/// Tiles that begin anywhere, in memory with gaps, sharing few slots.
inline void CheckAnyOffset(const Setup& setup, const Case&, Problems& problems) {
  RunOptions whole;
  whole.tile_items = std::max<int64_t>(1, setup.batch.items());
  const RunResult want = setup(whole, problems);
  for (uint32_t seed = 1; seed <= 8; ++seed) {
    RunOptions cut;
    cut.cut_seed = seed;
    // From a part of one outer to several of them.
    cut.tile_items = 1 + static_cast<int64_t>(seed) * std::max<int64_t>(setup.batch.inner, 8) / 2;
    cut.slots = 1 + static_cast<int>(seed % 3);
    Compare(want, setup(cut, problems), 1e-12, problems);
  }
}

/// No items: numerators 0 (denominators too, of additive components), nothing written. One item: like any other.
inline void CheckEmptyAndOneItem(const Setup& setup, const Case& c, Problems& problems) {
  const std::vector<bool> present = setup.batch.Present();
  Case small = c;
  Axes& axes = small.axes;
  for (auto& [name, size] : axes) {
    if (name == "*" || (name[0] >= 'A' && name[0] <= 'Z')) size = 1;
  }
  if (axes.count("C")) axes["C"] = c.axes.at("C");  // as long as parameters may depend on it
  setup.On(RandomBatch(setup.loss, small, present, 99, 0), {}, problems);
  axes["N"] = 0;
  const Batch empty = RandomBatch(setup.loss, small, present, 99);
  for (bool gradient : {true, false}) {
    RunOptions options;
    options.gradient = gradient;
    const RunResult result = setup.On(empty, options, problems);
    for (size_t k = 0; k < result.numerator.size(); ++k) {
      const bool additive = setup.loss.components[k]->kind == GDL_ADDITIVE;
      if (additive && result.numerator[k] != 0) problems.push_back("empty batch: numerator is not 0");
      if (additive && result.denominator[k] != 0) problems.push_back("empty batch: denominator is not 0");
      if (!additive && result.denominator[k] != 1)
        problems.push_back("empty batch: an aggregate's denominator is not 1");
    }
  }
}

/// One bad value anywhere is reported with tensor and item, whoever looks for it (plugin or host).
inline void CheckBadInput(const Setup& setup, const Case&, Problems& problems) {
  std::mt19937 random(5);
  for (size_t t = 0; t < setup.batch.tensors.size(); ++t) {
    const TensorData& tensor = setup.batch.tensors[t];
    const size_t count = tensor.label ? tensor.labels.size() : tensor.real.size();
    if (!tensor.present || tensor.whole || count == 0) continue;
    const double infinity = std::numeric_limits<double>::infinity();
    for (double bad : {std::numeric_limits<double>::quiet_NaN(), infinity, -infinity}) {
      const int64_t item = static_cast<int64_t>(random() % static_cast<uint64_t>(setup.batch.items()));
      const int64_t k = static_cast<int64_t>(random() % static_cast<uint64_t>(tensor.small));
      Batch batch = setup.batch;
      const int64_t at = DenseIndex(batch, tensor, item / batch.inner, k, item % batch.inner);
      if (tensor.label) {
        batch.tensors[t].labels[static_cast<size_t>(at)] = static_cast<int32_t>(tensor.label_size);
      } else {
        batch.tensors[t].real[static_cast<size_t>(at)] = bad;
      }
      RunOptions options;
      options.tile_items = 5;
      const RunResult result = RunBatch(setup.loss, setup.state, batch, options);
      if (result.fault_kind == 0 || result.fault_tensor != t || result.fault_item != item) {
        problems.push_back("a bad value in " + std::string(setup.loss.tensors[t]->name) + ", item " +
                           std::to_string(item) + ", is reported as tensor " + std::to_string(result.fault_tensor) +
                           ", item " + std::to_string(result.fault_item));
      }
    }
  }
}

/// Every parameter at both bounds, one at a time: refused with a field, or computed with finite results.
inline void CheckParamBounds(const Setup& setup, const Case& c, Problems& problems) {
  for (size_t p = 0; setup.loss.params != nullptr && setup.loss.params[p] != nullptr; ++p) {
    const GdlParamSpec& spec = *setup.loss.params[p];
    if (spec.kind == GDL_CHOICE && !c.encoding.empty()) continue;  // it decides the encoding
    double low = std::max(spec.min, -1e6), high = std::min(spec.max, 1e6);
    if (spec.kind == GDL_CHOICE) {
      low = high = 0;
      while (spec.choices[static_cast<size_t>(high) + 1] != nullptr) ++high;
    }
    if (spec.flags & GDL_MIN_OPEN) low = std::nextafter(low, high);
    if (spec.flags & GDL_MAX_OPEN) high = std::nextafter(high, low);
    for (double bound : {low, high}) {
      const auto axis = c.axes.find(spec.axis == nullptr ? "" : spec.axis);
      const size_t length =
          spec.kind == GDL_VECTOR && axis != c.axes.end() ? static_cast<size_t>(axis->second) : size_t{1};
      Case at = c;
      at.params[spec.name] = std::vector<double>(length, bound);
      const Setup bounded(setup.loss, at, setup.batch.Present(), 3);
      if (bounded.state.status() != 0) {
        if (bounded.state.refusal().front() == ':') problems.push_back("create refuses a bound and names no field");
        continue;
      }
      Problems found;
      const RunResult result = bounded({}, found);
      for (const auto& gradient : result.gradient) {
        for (double value : gradient) {
          if (!std::isfinite(value)) found.push_back("gradient is not finite");
        }
      }
      for (const std::string& problem : found) {
        problems.push_back(std::string(spec.name) + " = " + std::to_string(bound) + ": " + problem);
      }
    }
  }
}

inline void CheckRepeatable(const Setup& setup, const Case&, Problems& problems) {
  for (uint32_t dtype : {4u, 8u}) {
    RunOptions options;
    options.dtype = dtype;
    options.tile_items = 7;
    Compare(setup(options, problems), setup(options, problems), 0, problems);
  }
}

/// The same bits on 1, 2, 4 and 8 threads.
inline void CheckThreads(const Setup& setup, const Case&, Problems& problems) {
  for (uint32_t dtype : {4u, 8u}) {
    RunOptions options;
    options.dtype = dtype;
    options.tile_items = 3;
    options.slots = 16;
    const RunResult one = setup(options, problems);
    for (int threads : {2, 4, 8}) {
      options.threads = threads;
      Compare(one, setup(options, problems), 0, problems);
    }
  }
}

inline size_t IndexOf(const GdlLoss& loss, const std::string& name) {
  size_t t = 0;
  while (loss.tensors[t] != nullptr && name != loss.tensors[t]->name) ++t;
  return t;
}

/// The input `weight` multiplies numerators, denominators and item losses of additive components; all ones change
/// nothing.
inline void CheckWeight(const Setup& setup, const Case&, Problems& problems) {
  const size_t weight = IndexOf(setup.loss, "weight");
  if (setup.loss.tensors[weight] == nullptr || !setup.batch.tensors[weight].present) return;
  Batch ones = setup.batch, none = setup.batch, twice = setup.batch;
  for (double& value : ones.tensors[weight].real) value = 1;
  for (double& value : twice.tensors[weight].real) value *= 2;
  none.tensors[weight].present = false;
  none.tensors[weight].real.clear();
  Compare(setup.On(none, {}, problems), setup.On(ones, {}, problems), 1e-15, problems);

  RunOptions additive;  // the part of the gradient that comes from additive components
  additive.fixed_denominators = true;
  for (size_t k = 0; setup.loss.components[k] != nullptr; ++k) {
    additive.scale.push_back(setup.loss.components[k]->kind == GDL_ADDITIVE ? 1 : 0);
  }
  RunResult want = setup(additive, problems), got = setup.On(twice, additive, problems);
  for (size_t k = 0; k < want.numerator.size(); ++k) {
    const double factor = additive.scale[k] == 0 ? 0 : 2;
    if (factor == 0) got.numerator[k] = got.denominator[k] = 0;
    want.numerator[k] *= factor;
    want.denominator[k] *= factor;
  }
  for (double& value : want.item_loss) value *= 2;
  for (auto& gradient : want.gradient) {
    for (double& value : gradient) value *= 2;
  }
  Compare(want, got, 0, problems);
}

/// An item whose label is ignored adds nothing: no loss, no gradient, no denominator, whatever its other inputs say.
inline void CheckIgnored(const Setup& setup, const Case&, Problems& problems) {
  for (size_t t = 0; t < setup.batch.tensors.size(); ++t) {
    const TensorData& label = setup.batch.tensors[t];
    if (!label.present || !label.label || label.small != 1 || setup.loss.tensors[t]->ignore_param == nullptr) continue;
    Batch other = setup.batch, all = setup.batch;
    for (int32_t& value : all.tensors[t].labels) value = -1;
    const RunResult result = setup(RunOptions{}, problems);
    for (int64_t item = 0; item < setup.batch.items(); ++item) {
      if (label.labels[static_cast<size_t>(item)] != -1) continue;
      if (!result.item_loss.empty() && result.item_loss[static_cast<size_t>(item)] != 0) {
        problems.push_back("an ignored item has a loss");
      }
      for (size_t g = 0; g < result.gradient.size(); ++g) {
        TensorData& tensor = other.tensors[g];
        for (int64_t k = 0; !result.gradient[g].empty() && !tensor.whole && k < tensor.small; ++k) {
          const int64_t at = DenseIndex(setup.batch, tensor, item / setup.batch.inner, k, item % setup.batch.inner);
          if (result.gradient[g][static_cast<size_t>(at)] != 0) problems.push_back("an ignored item has a gradient");
          tensor.real[static_cast<size_t>(at)] += 1.5;
        }
      }
    }
    Compare(result, setup.On(other, {}, problems), 0, problems);
    const RunResult empty = setup.On(all, {}, problems);
    for (size_t k = 0; k < empty.numerator.size(); ++k) {
      if (setup.loss.components[k]->kind != GDL_ADDITIVE) continue;
      if (empty.numerator[k] != 0 || empty.denominator[k] != 0) problems.push_back("all ignored, yet something counts");
    }
  }
}

/// What is skipped changes nothing: no gradient wanted, denominators given. Item losses add up to the numerators.
inline void CheckSkippedPasses(const Setup& setup, const Case&, Problems& problems) {
  RunOptions options;
  options.tile_items = 9;
  const RunResult full = setup(options, problems);
  RunOptions forward = options, fixed = options;
  forward.gradient = false;
  fixed.fixed_denominators = true;
  for (const RunOptions& some : {forward, fixed}) {
    RunResult result = setup(some, problems);
    result.gradient = full.gradient;  // scaled otherwise or absent
    Compare(full, result, 0, problems);
  }
  for (size_t k = 0; full.items_are_denominator && k < full.denominator.size(); ++k) {
    if (full.denominator[k] != static_cast<double>(setup.batch.items())) problems.push_back("denominator is not items");
  }
  if (full.item_loss.empty()) return;
  double items = 0, numerators = 0;
  for (double value : full.item_loss) items += value;
  for (double value : full.numerator) numerators += value;
  const std::string text = Difference("sum of item losses", {numerators}, {items}, 1e-12);
  if (!text.empty()) problems.push_back(text);
}

/// Float in, float out: close to what double gives for the same inputs.
inline void CheckFloat(const Setup& setup, const Case&, Problems& problems) {
  RunOptions options;
  const RunResult wide = setup(options, problems);
  options.dtype = 4;
  Compare(wide, setup(options, problems), 1e-5, problems);
}

inline const std::vector<Check>& Checks() {
  static const std::vector<Check> kChecks = {{"GradientIsTheDerivative", CheckGradient},
                                             {"OneItemTilesEqualOneTile", CheckOneItemTiles},
                                             {"AnyOffsetAndStride", CheckAnyOffset},
                                             {"EmptyAndOneItem", CheckEmptyAndOneItem},
                                             {"BadInputIsNamed", CheckBadInput},
                                             {"ParamsAtBounds", CheckParamBounds},
                                             {"Repeatable", CheckRepeatable},
                                             {"SameBitsOnAnyThreads", CheckThreads},
                                             {"WeightScales", CheckWeight},
                                             {"IgnoredItemsAddNothing", CheckIgnored},
                                             {"SkippedPassesChangeNothing", CheckSkippedPasses},
                                             {"FloatFollowsDouble", CheckFloat},
                                             {"PartsMerge", CheckMerge}};
  return kChecks;
}

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_SDK_CONFORMANCE_CHECKS_H_
