// For the tests of box losses: areas and lengths of two boxes in long double, with derivatives by the four numbers of
// the prediction carried along, so that a reference is the formula and nothing else.
#ifndef GRADELINE_PLUGINS_LOSSES_GOLDEN_BOXES_REFERENCE_H_
#define GRADELINE_PLUGINS_LOSSES_GOLDEN_BOXES_REFERENCE_H_

#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "plugins/sdk/reference.h"

namespace gradeline::conformance {

/// A value and its derivatives by the numbers of the predicted box.
struct Carried {
  long double value = 0;
  std::array<long double, 4> slope{};

  Carried() = default;
  Carried(long double constant) : value(constant) {}  // NOLINT: constants mix with carried values
};

inline Carried Combine(const Carried& a, const Carried& b, long double value, long double by_a, long double by_b) {
  Carried result(value);
  for (size_t k = 0; k < 4; ++k) result.slope[k] = by_a * a.slope[k] + by_b * b.slope[k];
  return result;
}
inline Carried operator+(const Carried& a, const Carried& b) { return Combine(a, b, a.value + b.value, 1, 1); }
inline Carried operator-(const Carried& a, const Carried& b) { return Combine(a, b, a.value - b.value, 1, -1); }
inline Carried operator*(const Carried& a, const Carried& b) {
  return Combine(a, b, a.value * b.value, b.value, a.value);
}
/// 0 / 0 is 0: nothing of nothing.
inline Carried operator/(const Carried& a, const Carried& b) {
  if (b.value == 0) return 0;
  return Combine(a, b, a.value / b.value, 1 / b.value, -a.value / (b.value * b.value));
}
/// Equal arguments share the derivative, as in PyTorch.
inline Carried Least(const Carried& a, const Carried& b) {
  const long double share = a.value < b.value ? 1 : (a.value == b.value ? 0.5L : 0);
  return Combine(a, b, std::min(a.value, b.value), share, 1 - share);
}
inline Carried Greatest(const Carried& a, const Carried& b) {
  const long double share = a.value > b.value ? 1 : (a.value == b.value ? 0.5L : 0);
  return Combine(a, b, std::max(a.value, b.value), share, 1 - share);
}
/// atan(a / b) of a, b >= 0, not both 0.
inline Carried Angle(const Carried& a, const Carried& b) {
  const long double square = a.value * a.value + b.value * b.value;
  return Combine(a, b, std::atan2(a.value, b.value), b.value / square, -a.value / square);
}

struct BoxOfReference {
  Carried x1, y1, x2, y2;
};

/// `format`: 0 xyxy, 1 xywh, 2 cxcywh. `carried`: it is the prediction.
inline BoxOfReference ReferenceBox(const std::vector<double>& numbers, size_t item, int format, bool carried) {
  std::array<Carried, 4> n;
  for (size_t k = 0; k < 4; ++k) {
    n[k] = numbers[4 * item + k];
    if (carried) n[k].slope[k] = 1;
  }
  if (format == 0) return {n[0], n[1], n[2], n[3]};
  if (format == 1) return {n[0], n[1], n[0] + n[2], n[1] + n[3]};
  const Carried half(0.5L);
  return {n[0] - half * n[2], n[1] - half * n[3], n[0] + half * n[2], n[1] + half * n[3]};
}

struct OverlapOfReference {
  Carried width, height, target_width, target_height, intersection, whole, enclosing, diagonal, apart;
};

inline OverlapOfReference ReferenceOverlap(const BoxOfReference& p, const BoxOfReference& t) {
  OverlapOfReference is;
  is.width = p.x2 - p.x1, is.height = p.y2 - p.y1;
  is.target_width = t.x2 - t.x1, is.target_height = t.y2 - t.y1;
  const Carried across = Least(p.x2, t.x2) - Greatest(p.x1, t.x1), down = Least(p.y2, t.y2) - Greatest(p.y1, t.y1);
  if (across.value > 0 && down.value > 0) is.intersection = across * down;
  is.whole = is.width * is.height + is.target_width * is.target_height - is.intersection;
  const Carried wide = Greatest(p.x2, t.x2) - Least(p.x1, t.x1), high = Greatest(p.y2, t.y2) - Least(p.y1, t.y1);
  is.enclosing = wide * high;
  is.diagonal = wide * wide + high * high;
  const Carried dx = p.x1 + p.x2 - t.x1 - t.x2, dy = p.y1 + p.y2 - t.y1 - t.y2;
  is.apart = (dx * dx + dy * dy) * Carried(0.25L);
  return is;
}

/// The reference of a batch of boxes from the loss of one pair, by its number.
inline Reference ReferenceOfBoxes(const Batch& batch, const std::function<Carried(size_t item)>& loss) {
  const TensorData& weight = batch.tensors[2];
  Reference want;
  for (size_t item = 0; item < static_cast<size_t>(batch.items()); ++item) {
    const long double w = weight.present ? weight.real[item] : 1;
    const Carried of = loss(item);
    want.item_loss.push_back(w * of.value);
    for (long double slope : of.slope) want.derivative.push_back(w * slope);
    want.denominator += w;
  }
  return want;
}

inline const char* const kReferenceEncodings[] = {"box:xyxy", "box:xywh", "box:cxcywh"};

/// A parameter's number, or `fallback` if the case leaves it out.
inline double Given(const ParamValues& params, const std::string& name, double fallback) {
  const auto found = params.find(name);
  return found == params.end() || found->second.empty() ? fallback : found->second[0];
}

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_LOSSES_GOLDEN_BOXES_REFERENCE_H_
