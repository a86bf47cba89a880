// Blocks of pixels of two classes: a decision for the second one.
#if defined(GRADELINE_PLUGINS_SIMD_DECISION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_DECISION_INL_H_
#undef GRADELINE_PLUGINS_SIMD_DECISION_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_DECISION_INL_H_
#endif

#include <limits>

#include "plugins/simd/block-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

/// Pixels of two classes, padded to whole vectors with zeros: the second logit less the first, and exp(-|difference|).
/// Exponentials come before everything else: a processor has room for many short chains of operations, for few long
/// ones.
template <class T>
struct DecisionBlock {
  HWY_ALIGN T difference[simd::kBlockItems];
  HWY_ALIGN T tail[simd::kBlockItems];

  /// Sees NaN and infinity.
  template <class D>
  HWY_INLINE void Fill(D d, const sdk::View<const T>& logits, const BlockItems& block, FiniteCheck<D>& all_finite) {
    using V = hn::Vec<D>;
    FiniteCheck<D> finite(d);  // in registers
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    const T* const first = logits.Run(block.outer) + block.first;
    const T* const second = logits.Run(block.outer, 1) + block.first;
    const V most = hn::Set(d, std::numeric_limits<T>::max());
    const auto step = [&](const auto& load, int64_t j) HWY_ATTR __attribute__((always_inline)) {
      const V a = load(first + j), b = load(second + j);
      finite.See(a);
      finite.See(b);
      const V distance = hn::Sub(b, a);
      hn::Store(TailOf(d, distance, LostInDifference(b, a, distance)), d, tail + j);
      // No infinity, of which a right answer would take 0 times.
      hn::Store(hn::Min(hn::Max(distance, hn::Neg(most)), most), d, difference + j);
    };
    int64_t j = 0;
    for (; j + lanes <= block.items; j += lanes) step(LoadWhole<D>{d}, j);
    if (j < block.items) step(LoadEnd<D>{d, block.items - j}, j);
    all_finite.See(finite);
  }
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE LogElement<V> At(D d, int64_t j, V is_second) const {
    return CostOfDecision(d, hn::Load(d, difference + j), hn::Load(d, tail + j), is_second);
  }
};

/// Stores the gradient of blocks of pixels of two classes, that by the second logit and its opposite. The first leaves
/// as it is computed, the other in a long run afterwards: streaming stores that alternate between two places are slow.
template <class D, class T = hn::TFromD<D>>
class PairGradient {
  using V = hn::Vec<D>;

 public:
  HWY_INLINE PairGradient(D, const sdk::View<T>& to, bool stream) : to_(to), stream_(stream) {}

  HWY_INLINE void Begin(const BlockItems& block) {
    items_ = block.items;
    first_ = to_.Run(block.outer) + block.first;
    second_ = to_.Run(block.outer, 1) + block.first;
    // Whole vectors at their places in memory.
    direct_ = Ragged(D(), second_, Lanes()) == 0 ? items_ / Lanes() * Lanes() : 0;
  }
  /// Of the items from j on, all of the block one after the other.
  HWY_INLINE void Put(int64_t j, V slope) {
    if (j < direct_) {
      StoreWhole<D>{D(), true, stream_}(slope, second_ + j);
    } else {
      hn::Store(slope, D(), second_run_ + j);
    }
    hn::Store(hn::Neg(slope), D(), first_run_ + j);
  }
  HWY_INLINE void End() {
    CopyRun(D(), first_run_, items_, first_, stream_);
    CopyRun(D(), second_run_ + direct_, items_ - direct_, second_ + direct_, stream_);
  }

 private:
  static constexpr int64_t Lanes() { return static_cast<int64_t>(hn::Lanes(D())); }

  sdk::View<T> to_;
  bool stream_;
  int64_t items_ = 0, direct_ = 0;
  T* first_ = nullptr;
  T* second_ = nullptr;
  HWY_ALIGN T first_run_[simd::kBlockItems];
  HWY_ALIGN T second_run_[simd::kBlockItems];
};

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
