#include "tests/bench/random_inputs.h"

#include <cmath>
#include <cstdint>

#include "absl/types/span.h"

namespace gradeline::bench {
namespace {

/// A number of [0, 2^64) from a place in a tensor: equal on every machine, no state.
uint64_t Mix(uint64_t seed, uint64_t i) {
  uint64_t z = (seed << 48) + i * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

float Uniform(uint64_t seed, uint64_t i) { return static_cast<float>(Mix(seed, i) >> 40) * 0x1p-24F; }

/// Mean 0, deviation 1, within 3.5: the sum of four uniform numbers.
float Bell(uint64_t seed, uint64_t i) {
  const uint64_t z = Mix(seed, i);
  const uint64_t sum = (z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48);
  return (static_cast<float>(sum) - 131070) * (1 / 37837.0F);
}

void FillBoxes(float* out, int64_t boxes, uint64_t seed) {
  for (int64_t i = 0; i < boxes; ++i) {
    const auto place = static_cast<uint64_t>(i) * 4;
    for (uint64_t side = 0; side < 2; ++side) {  // near the box of equal number in the other tensor
      const float from = 600 * Uniform(0, place + side) + 8 * Uniform(seed, place + side);
      out[i * 4 + static_cast<int64_t>(side)] = from;
      out[i * 4 + static_cast<int64_t>(side) + 2] =
          from + 16 + 100 * Uniform(0, place + 2 + side) + 8 * Uniform(seed, place + 2 + side);
    }
  }
}

/// Makes what lies along axis 1 of [outer, classes, inner] add up to 1.
void Normalise(float* out, const std::vector<int64_t>& shape) {
  const int64_t classes = shape[1], inner = *ElementCount(absl::MakeConstSpan(shape).subspan(2));
  for (int64_t o = 0; o < shape[0]; ++o) {
    for (int64_t i = 0; i < inner; ++i) {
      float* const first = out + o * classes * inner + i;
      float sum = 0;
      for (int64_t k = 0; k < classes; ++k) sum += first[k * inner];
      for (int64_t k = 0; k < classes; ++k) first[k * inner] /= sum;
    }
  }
}

void FillReals(const TensorSpec& spec, const std::vector<Dim>& dims, const LossCase& which, const BatchTensor& tensor) {
  float* const out = tensor.copies.front().as<float>();
  const int64_t elements = tensor.elements();
  const uint64_t seed = tensor.spec + 1;
  if (which.layout == "boxes" && dims.back().number == 4) return FillBoxes(out, elements / 4, seed);
  const bool whole = ItemDims(dims).empty();
  const bool probability = spec.encoding == "probability" || (spec.min == 0 && spec.max == 1);
  for (int64_t i = 0; i < elements; ++i) {
    const auto place = static_cast<uint64_t>(i);
    if (probability) {
      out[i] = 0.001F + 0.998F * Uniform(seed, place);
    } else if (whole) {  // counts of classes
      out[i] = std::floor(1 + 1000 * Uniform(seed, place));
    } else if (which.layout == "sides" && !spec.gradient()) {  // distances in bins
      out[i] = static_cast<float>(which.classes - 1) * 0.99F * Uniform(seed, place);
    } else if (spec.min < spec.max && std::isfinite(spec.min) && std::isfinite(spec.max)) {
      out[i] = static_cast<float>(spec.min + (spec.max - spec.min) * Uniform(seed, place));
    } else {
      out[i] = 2 * Bell(seed, place);
    }
  }
  if (probability && dims.size() > 1 && dims[1].kind == Dim::Kind::kSmall) Normalise(out, tensor.shape);
}

void FillLabels(const TensorSpec& spec, const LossCase& which, const BatchTensor& tensor) {
  const uint64_t labels = spec.label_axis.empty() ? 2 : static_cast<uint64_t>(which.classes);
  int32_t* const out = tensor.copies.front().as<int32_t>();
  const int64_t elements = tensor.elements();
  for (int64_t i = 0; i < elements; ++i) {
    out[i] = static_cast<int32_t>(Mix(tensor.spec + 1, static_cast<uint64_t>(i)) % labels);
  }
}

}  // namespace

void FillRandom(const TensorSpec& spec, const std::vector<Dim>& dims, const LossCase& which,
                const BatchTensor& tensor) {
  spec.label() ? FillLabels(spec, which, tensor) : FillReals(spec, dims, which, tensor);
}

}  // namespace gradeline::bench
