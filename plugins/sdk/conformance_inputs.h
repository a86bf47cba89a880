// What a loss is tried on: cases (shapes, parameters, rules for values) and random batches that the specs allow.
#ifndef GRADELINE_PLUGINS_SDK_CONFORMANCE_INPUTS_H_
#define GRADELINE_PLUGINS_SDK_CONFORMANCE_INPUTS_H_

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "plugins/sdk/conformance_boxes.h"
#include "plugins/sdk/conformance_host.h"

namespace gradeline::conformance {

struct Case {
  std::string name;
  Axes axes;
  ParamValues params;
  double spread = 3;  ///< predictions and unbounded targets are drawn from [-spread, spread]
  /// Encoding of predictions, and of targets that are boxes, where a parameter decides it ("type=giou"). Empty: that of
  /// the specs.
  std::string encoding = {};
  /// Makes random values allowed that specs cannot say: soft targets that sum to 1, counts of at least 1.
  std::function<void(Batch&)> fix = {};
  double farthest = 1e4;  ///< edge inputs stay within [-farthest, farthest]
  /// False: the gradient is deliberately not the derivative (a factor is held constant), so finite differences say
  /// nothing and a reference must.
  bool derivative = true;
};

/// Which tensors come: every choice of each one_of group (`pick`-th of it), optional ones all or none.
inline std::vector<std::vector<bool>> Presences(const GdlLoss& loss) {
  std::vector<std::vector<bool>> all;
  for (int optional = 0; optional < 2; ++optional) {
    for (uint32_t pick = 0; pick < 2; ++pick) {
      std::vector<bool> present;
      std::map<uint32_t, uint32_t> seen;
      for (size_t t = 0; loss.tensors[t] != nullptr; ++t) {
        const GdlTensorSpec& spec = *loss.tensors[t];
        present.push_back(spec.one_of != 0 ? seen[spec.one_of]++ == pick
                                           : (spec.flags & GDL_OPTIONAL) == 0 || optional == 1);
      }
      if (std::find(all.begin(), all.end(), present) == all.end() && (pick == 0 || !seen.empty())) {
        all.push_back(present);
      }
    }
  }
  return all;
}

/// Encoding of a real tensor in this case; empty: plain values.
inline std::string EncodingOf(const GdlTensorSpec& spec, const Case& c) {
  const bool boxes = IsBoxEncoding(c.encoding) && std::string("target") == spec.name && spec.kind == GDL_REAL;
  if (!c.encoding.empty() && (boxes || (spec.flags & GDL_GRADIENT) != 0)) return c.encoding;
  return spec.encoding == nullptr ? "" : spec.encoding;
}

/// Fills every tensor of boxes. Those of the first one are ordinary, unless `kind` is about single boxes; those of the
/// others lie to them as `kind` (of an item) says.
template <typename Random, typename Kind>
void FillBoxes(const GdlLoss& loss, const Case& c, Batch& batch, Random& random, Kind kind) {
  for (int64_t item = 0; item < batch.items(); ++item) {
    const BoxKind relation = kind();
    Corners first;
    bool any = false;
    for (size_t t = 0; t < batch.tensors.size(); ++t) {
      TensorData& tensor = batch.tensors[t];
      const std::string encoding = EncodingOf(*loss.tensors[t], c);
      if (!tensor.present || tensor.whole || tensor.small % 4 != 0 || !IsBoxEncoding(encoding)) continue;
      for (int64_t k = 0; k < tensor.small; k += 4) {
        const Corners box =
            !any && !IsAlone(relation) ? GridBox(c.spread, random) : RandomBox(relation, first, c.spread, random);
        if (!any) first = box;
        any = true;
        const std::array<double, 4> numbers = Encode(box, encoding);
        for (int64_t n = 0; n < 4; ++n) {
          const int64_t at = DenseIndex(batch, tensor, item / batch.inner, k + n, item % batch.inner);
          tensor.real[static_cast<size_t>(at)] = numbers[static_cast<size_t>(n)];
        }
      }
    }
  }
}

/// Random values that the specs allow; reals are exact in float. `ignored`: share of ignored labels.
inline Batch RandomBatch(const GdlLoss& loss, const Case& c, const std::vector<bool>& present, uint32_t seed,
                         double ignored = 0.2) {
  Batch batch = BindBatch(loss, c.axes, present);
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> unit(0, 1);
  for (size_t t = 0; t < batch.tensors.size(); ++t) {
    const GdlTensorSpec& spec = *loss.tensors[t];
    const bool bounded = (spec.flags & GDL_GRADIENT) == 0 && spec.min != spec.max;
    double low = bounded ? std::max(spec.min, -c.spread) : -c.spread;
    double high = bounded ? std::min(spec.max, std::max(c.spread, low + 1)) : c.spread;
    if (!bounded && EncodingOf(spec, c) == "probability") {
      low = 0.01;  // finite differences leave [0, 1] nowhere
      high = 0.99;
    }
    for (double& value : batch.tensors[t].real) value = static_cast<float>(low + (high - low) * unit(random));
    const int64_t labels = batch.tensors[t].label_size;
    for (int32_t& label : batch.tensors[t].labels) {
      label = spec.ignore_param != nullptr && unit(random) < ignored
                  ? -1
                  : static_cast<int32_t>(random() % static_cast<uint64_t>(labels));
    }
  }
  FillBoxes(loss, c, batch, random, [] { return BoxKind::kOrdinary; });
  if (c.fix) c.fix(batch);
  return batch;
}

inline Batch RandomBatch(const GdlLoss& loss, const Axes& axes, const std::vector<bool>& present, double spread,
                         uint32_t seed, double ignored = 0.2) {
  return RandomBatch(loss, Case{"", axes, {}, spread}, present, seed, ignored);
}

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_SDK_CONFORMANCE_INPUTS_H_
