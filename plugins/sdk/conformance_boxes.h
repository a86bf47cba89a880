// Random boxes for tests, valid by construction in every encoding that a spec may name: box:xyxy, box:xywh, box:cxcywh.
#ifndef GRADELINE_PLUGINS_SDK_CONFORMANCE_BOXES_H_
#define GRADELINE_PLUGINS_SDK_CONFORMANCE_BOXES_H_

#include <array>
#include <cmath>
#include <random>
#include <string>

namespace gradeline::conformance {

/// How a box lies to another one.
enum class BoxKind {
  kOrdinary,  ///< anywhere, sides of the same order as those of the other
  kTiny,      ///< sides of 1e-4
  kFlat,      ///< one or both sides 0
  kSame,
  kDisjoint,
  kTouching,  ///< a common edge or corner
  kNested,
  kFar,  ///< large numbers, small sides
};
inline constexpr int kBoxKinds = 8;

/// Corners x1 <= x2, y1 <= y2.
struct Corners {
  std::array<double, 2> low{}, high{};
};

inline bool IsBoxEncoding(const std::string& encoding) {
  return encoding == "box:xyxy" || encoding == "box:xywh" || encoding == "box:cxcywh";
}

/// The four numbers of a box; exact in float where the corners are multiples of 1/256 below 2^14.
inline std::array<double, 4> Encode(const Corners& box, const std::string& encoding) {
  const auto one = [](double value) { return static_cast<double>(static_cast<float>(value)); };
  const auto& [low, high] = box;
  if (encoding == "box:xyxy") return {one(low[0]), one(low[1]), one(high[0]), one(high[1])};
  const double width = one(high[0] - low[0]), height = one(high[1] - low[1]);
  if (encoding == "box:xywh") return {one(low[0]), one(low[1]), width, height};
  return {one((low[0] + high[0]) / 2), one((low[1] + high[1]) / 2), width, height};
}

/// A box of that kind within about [-spread, spread], in its relation to `other`.
template <typename Random>
Corners RandomBox(BoxKind kind, const Corners& other, double spread, Random& random) {
  std::uniform_real_distribution<double> unit(0, 1);
  const auto grid = [](double value) { return std::round(value * 256) / 256; };
  Corners box;
  for (size_t a = 0; a < 2; ++a) {
    double low = spread * (2 * unit(random) - 1), side = spread * (0.3 + 0.7 * unit(random));
    const double other_side = other.high[a] - other.low[a];
    switch (kind) {
      case BoxKind::kOrdinary:
        box.low[a] = low;
        box.high[a] = low + side;
        continue;
      case BoxKind::kTiny:
        box.low[a] = low;
        box.high[a] = low + 1e-4;
        continue;
      case BoxKind::kFlat:
        if (a == 0 || random() % 2 == 0) side = 0;
        break;
      case BoxKind::kSame:
        low = other.low[a];
        side = other_side;
        break;
      case BoxKind::kDisjoint:
        low = other.high[a] + 1;
        break;
      case BoxKind::kTouching:
        if (a == 0 || random() % 2 == 0) low = other.high[a];
        break;
      case BoxKind::kNested:
        low = other.low[a] + other_side / 4;
        side = other_side / 2;
        break;
      case BoxKind::kFar:
        low = (random() % 2 == 0 ? 8000 : -8000) + low;
        side = 1 + side;
        break;
    }
    box.low[a] = grid(low);
    box.high[a] = box.low[a] + grid(side);
  }
  return box;
}

/// Whether a kind says something of a single box, not of two.
inline bool IsAlone(BoxKind kind) {
  return kind == BoxKind::kOrdinary || kind == BoxKind::kTiny || kind == BoxKind::kFlat || kind == BoxKind::kFar;
}

/// A box for others to lie to: corners are multiples of 1/256, so that boxes touch exactly in every encoding.
template <typename Random>
Corners GridBox(double spread, Random& random) {
  Corners box;
  for (size_t a = 0; a < 2; ++a) {
    const double steps = std::floor(spread * 256);
    box.low[a] = std::floor(steps * (static_cast<double>(random() % 2001) / 1000 - 1)) / 256;
    box.high[a] = box.low[a] + 1 + static_cast<double>(random() % 512) / 256;
  }
  return box;
}

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_SDK_CONFORMANCE_BOXES_H_
