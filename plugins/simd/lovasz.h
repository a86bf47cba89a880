// The Lovász extension of the Jaccard loss: errors are sorted, and each weighs as much as the Jaccard loss grows when
// its item is misjudged too. Base class of the losses and the sort of one set of items (a class, an image); the vector
// loops between logits and errors are the losses' own.
#ifndef GRADELINE_PLUGINS_SIMD_LOVASZ_H_
#define GRADELINE_PLUGINS_SIMD_LOVASZ_H_

#include <hwy/base.h>
#include <hwy/contrib/sort/vqsort.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>

#include "plugins/sdk/loss.h"

namespace gradeline::simd {

/// Sort keys: ascending keys are descending errors, and of equal errors the lower item comes first. No two are equal,
/// so that any sort gives the same order.
template <typename Real>
struct LovaszKey;

template <>
struct LovaszKey<float> {
  using Bits = uint32_t;
  using Key = uint64_t;
  static Key Make(Bits magnitude, uint64_t item_and_sign) {
    return static_cast<uint64_t>(~magnitude & 0x7FFFFFFFu) << 32 | item_and_sign;
  }
  static float Error(Key key) { return std::bit_cast<float>(~static_cast<uint32_t>(key >> 32) & 0x7FFFFFFFu); }
  static uint64_t ItemAndSign(Key key) { return key & 0xFFFFFFFFu; }
};

template <>
struct LovaszKey<double> {
  using Bits = uint64_t;
  using Key = hwy::uint128_t;
  static constexpr uint64_t kMagnitude = ~uint64_t{0} >> 1;
  static Key Make(Bits magnitude, uint64_t item_and_sign) {
    Key key;
    key.lo = item_and_sign;
    key.hi = ~magnitude & kMagnitude;
    return key;
  }
  static double Error(const Key& key) { return std::bit_cast<double>(~key.hi & kMagnitude); }
  static uint64_t ItemAndSign(const Key& key) { return key.lo; }
};

/// One set of items.
struct LovaszSet {
  double loss = 0;
  bool has_positives = false;
};

/// Takes the errors of `n` items and leaves, in their place, the derivative of the loss by what an error falls (items
/// with a sign) or grows with. An error's magnitude is what is sorted; the sign bit says that the item belongs to the
/// set. +0 is also what an ignored item has: it changes nothing. `keys`: room for n. A set without positives has the
/// largest error as its loss, or, unless `counts_absent`, none.
template <typename Real>
LovaszSet SortErrors(Real* errors, int64_t n, bool counts_absent, typename LovaszKey<Real>::Key* keys) {
  using K = LovaszKey<Real>;
  using Bits = typename K::Bits;
  constexpr int kSign = 8 * sizeof(Bits) - 1;
  constexpr Bits kMagnitude = ~Bits{0} >> 1;
  Bits positives = 0, least = kMagnitude, most = 0;
  for (int64_t i = 0; i < n; ++i) {
    const Bits bits = std::bit_cast<Bits>(errors[i]), magnitude = bits & kMagnitude;
    positives += bits >> kSign;
    least = std::min(least, bits >> kSign != 0 ? magnitude : kMagnitude);
    most = std::max(most, magnitude);
  }
  // Negatives with smaller errors than every positive come last and find the Jaccard loss at 1: they weigh nothing.
  // Errors of 0 add nothing, and whatever depends on them falls as fast.
  const Bits from = std::max<Bits>(positives == 0 ? most : least, 1);
  size_t count = 0;
  for (int64_t i = 0; i < n; ++i) {
    const Bits bits = std::bit_cast<Bits>(errors[i]), magnitude = bits & kMagnitude;
    keys[count] = K::Make(magnitude, static_cast<uint64_t>(i) << 1 | bits >> kSign);
    count += magnitude >= from ? 1 : 0;
    errors[i] = 0;
  }
  if (positives == 0) count = std::min<size_t>(count, counts_absent ? 1 : 0);
  // Holds no memory on targets whose vectors have a fixed size.
  const hwy::Sorter sort;
  sort(keys, count, hwy::SortAscending());

  // Of P positives, p and q negatives come before: the Jaccard loss is 1 - (P - p) / (P + q). Its growth, in closed
  // form.
  LovaszSet set{0, positives != 0};
  const double all = positives == 0 ? 1 : static_cast<double>(positives);
  double left = all, together = positives == 0 ? 0 : all;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t item = K::ItemAndSign(keys[i]);
    const bool positive = (item & 1) != 0;
    const double next = together + 1, over = positive || together == 0 ? 1 : together;
    const double weight = positive ? 1 / together : left / (over * next);
    set.loss += static_cast<double>(K::Error(keys[i])) * weight;
    errors[item >> 1] = static_cast<Real>(positive ? -weight : weight);
    left -= positive ? 1 : 0;
    together = positive ? together : next;
  }
  return set;
}

/// What the gradient of a tile is made of.
template <typename Real>
struct LovaszSlopes {
  sdk::View<const Real> of_errors;  ///< derivative of its set's loss by the magnitude of each error, with the sign of
                                    ///< the error's own derivative
  const double* shares;             ///< what a set counts in the loss: one number, or one of each outer of the tile
  bool per_outer;
  double scale;

  Real Factor(int64_t outer) const { return static_cast<Real>(shares[per_outer ? outer : 0] * scale); }
};

/// Base of a Lovász loss of one aggregate component: tensors "prediction" (0) and labels "target" (1). `Loss` has,
/// const and for every Real:
///   kGradientInputs                     bits of the tensors that Gradient reads
///   int64_t Classes(const GdlShape&)    sets per group
///   int64_t ScratchBytes(const GdlShape&)   that Errors and Gradient need
///   bool CountsAbsent()                 whether a set without positives counts in the mean of its group
///   bool per_image()                    whether every outer is a group of its own, or the whole batch is one
///   void Errors(const Tile<Real>&, const View<Real>& errors)           stores the tile's errors, see SortErrors
///   void Gradient(const Tile<Real>&, const LovaszSlopes<Real>&)        stores the tile's gradient
template <typename Loss>
class Lovasz {
 public:
  void Plan(const GdlShape& shape, sdk::Plan& plan) const {
    const Layout layout(self(), shape);
    if (layout.items >= int64_t{1} << 31) {
      throw sdk::Refusal{"prediction", "has " + std::to_string(layout.items) +
                                           " items that are sorted together; allowed: up to 2147483647"};
    }
    plan.AddPass(0, 3, 0).scratch_bytes = self().ScratchBytes(shape);
    GdlPass& sort = plan.AddPass(0, 0, 0);
    sort.jobs = layout.groups * layout.classes;
    sort.scratch_bytes = layout.items * 2 * shape.dtype;
    plan.AddPass(0, 0, 1).jobs = layout.groups;
    plan.AddPass(GDL_WRITES_GRADIENT | GDL_GRADIENT_ONLY, Loss::kGradientInputs, 0).scratch_bytes =
        self().ScratchBytes(shape);
    plan.raw().batch_bytes = layout.bytes;
  }

  template <typename Real>
  void Compute(const sdk::Tile<Real>& tile) const {
    const Layout layout(self(), *tile.raw().shape);
    auto* const batch = static_cast<char*>(tile.raw().batch);
    auto* const errors = reinterpret_cast<Real*>(batch);
    auto* const sets = reinterpret_cast<LovaszSet*>(batch + layout.sets_at);
    auto* const shares = reinterpret_cast<double*>(batch + layout.shares_at);
    switch (tile.raw().pass) {
      case 0:
        return self().Errors(tile, Own(tile, layout, errors));
      case 1:
        for (int64_t job = tile.raw().job_begin; job < tile.raw().job_end; ++job) {
          auto* const keys = static_cast<typename LovaszKey<Real>::Key*>(tile.raw().scratch);
          sets[job] = SortErrors(errors + job * layout.items, layout.items, self().CountsAbsent(), keys);
        }
        return;
      case 2:
        for (int64_t group = tile.raw().job_begin; group < tile.raw().job_end; ++group) {
          tile.raw().sums[0] += MeanOfGroup(sets + group * layout.classes, layout, shares[group]);
        }
        return;
      default: {
        const sdk::View<Real> own = Own(tile, layout, errors);
        const bool per_outer = self().per_image();
        self().Gradient(tile, LovaszSlopes<Real>{{own.data, own.outer_stride, own.small_stride, own.small},
                                                 shares + (per_outer ? tile.first_outer() : 0),
                                                 per_outer,
                                                 tile.raw().scale[0]});
      }
    }
  }

  /// After the third pass the loss is known; later folds leave it.
  void Fold(const GdlFold& fold) const {
    if (fold.pass == 2) fold.numerator[0] = fold.sums[0];
    fold.denominator[0] = 1;
  }

 protected:
  Lovasz() = default;

 private:
  /// Batch scratch: errors [group][class][item], sets [group][class], shares [group].
  struct Layout {
    Layout(const Loss& loss, const GdlShape& shape)
        : classes(loss.Classes(shape)),
          groups(loss.per_image() ? shape.outer : 1),
          items(loss.per_image() ? shape.inner : shape.outer * shape.inner),
          sets_at((groups * classes * items * shape.dtype + 63) / 64 * 64),
          shares_at(sets_at + groups * classes * static_cast<int64_t>(sizeof(LovaszSet))),
          bytes(shares_at + groups * static_cast<int64_t>(sizeof(double))) {}
    int64_t classes, groups, items, sets_at, shares_at, bytes;
  };

  const Loss& self() const { return static_cast<const Loss&>(*this); }

  /// The tile's own errors.
  template <typename Real>
  sdk::View<Real> Own(const sdk::Tile<Real>& tile, const Layout& layout, Real* errors) const {
    const int64_t inner = tile.raw().shape->inner;
    const int64_t stride = self().per_image() ? layout.classes * layout.items : inner;
    const int64_t first = tile.first_outer() * stride + tile.raw().first_item % inner;
    return {errors + first, stride, layout.items, layout.classes};
  }

  /// The group's part of the loss; `share`: what one of its sets counts in the loss.
  double MeanOfGroup(const LovaszSet* sets, const Layout& layout, double& share) const {
    double loss = 0;
    int64_t counted = 0;
    for (int64_t k = 0; k < layout.classes; ++k) {
      if (!sets[k].has_positives && !self().CountsAbsent()) continue;
      loss += sets[k].loss;
      ++counted;
    }
    share = counted == 0 ? 0 : 1 / static_cast<double>(counted * layout.groups);
    return loss * share;
  }
};

}  // namespace gradeline::simd

#endif  // GRADELINE_PLUGINS_SIMD_LOVASZ_H_
