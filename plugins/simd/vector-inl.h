// Vector arithmetic that kernels share: sums in double, streaming stores, finite checks.
// Highway code: included once per target, between nothing; see the losses for how. Every function is for float and
// double.
#if defined(GRADELINE_PLUGINS_SIMD_VECTOR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_VECTOR_INL_H_
#undef GRADELINE_PLUGINS_SIMD_VECTOR_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_VECTOR_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Adds vectors into doubles, lane by lane; Total adds the lanes in their order. No float sums: no digit is lost.
template <class D, class T = hn::TFromD<D>>
class SumOf;

template <class D>
class SumOf<D, double> {
 public:
  explicit SumOf(D d) : sum_(hn::Zero(d)) {}
  HWY_INLINE void Add(hn::Vec<D> v) { sum_ = hn::Add(sum_, v); }
  HWY_INLINE void Add(const SumOf& other) { sum_ = hn::Add(sum_, other.sum_); }
  HWY_INLINE double Total() const { return hn::GetLane(hn::SumOfLanes(D(), sum_)); }

 private:
  hn::Vec<D> sum_;
};

template <class D>
class SumOf<D, float> {
 public:
  explicit SumOf(D) : low_(hn::Zero(DD())), high_(hn::Zero(DD())) {}
  HWY_INLINE void Add(hn::Vec<D> v) {
    const hn::Half<D> half;
    low_ = hn::Add(low_, hn::PromoteTo(DD(), hn::LowerHalf(half, v)));
    high_ = hn::Add(high_, hn::PromoteTo(DD(), hn::UpperHalf(half, v)));
  }
  HWY_INLINE void Add(const SumOf& other) {
    low_ = hn::Add(low_, other.low_);
    high_ = hn::Add(high_, other.high_);
  }
  HWY_INLINE double Total() const { return hn::GetLane(hn::SumOfLanes(DD(), hn::Add(low_, high_))); }

 private:
  using DD = hn::Rebind<double, hn::Half<D>>;
  hn::Vec<DD> low_, high_;
};

/// What rounding took from difference = a - b, exactly (Knuth's two-sum).
template <class V>
HWY_INLINE V LostInDifference(V a, V b, V difference) {
  const V back = hn::Sub(difference, a);
  return hn::Sub(hn::Sub(a, hn::Sub(difference, back)), hn::Add(b, back));
}

/// A sum lane by lane in the numbers' own type, and what rounding took from it.
template <class D, class V = hn::Vec<D>>
struct CompensatedSum {
  V sum, lost;

  explicit CompensatedSum(D d) : sum(hn::Zero(d)), lost(hn::Zero(d)) {}
  HWY_INLINE void Add(V v) {
    const V before = sum;
    sum = hn::Add(before, v);
    lost = hn::Add(lost, LostInDifference(before, hn::Neg(v), sum));
  }
};

/// Sees whether any value was NaN or infinite, at the price of one multiply-add: 0 * x is 0 for all others. A benchmark
/// defines GRADELINE_NO_FINITE_CHECK to find out that price.
template <class D>
class FiniteCheck {
 public:
  explicit FiniteCheck(D d) : sum_(hn::Zero(d)) {}
#if defined(GRADELINE_NO_FINITE_CHECK)
  HWY_INLINE void See(hn::Vec<D>) {}
  HWY_INLINE void SeeProduct(hn::Vec<D>) {}
#else
  HWY_INLINE void See(hn::Vec<D> v) { sum_ = hn::MulAdd(v, hn::Zero(D()), sum_); }
  /// Of values that are multiplied by 0 already.
  HWY_INLINE void SeeProduct(hn::Vec<D> v) { sum_ = hn::Add(sum_, v); }
#endif
  HWY_INLINE void See(const FiniteCheck& other) { sum_ = hn::Add(sum_, other.sum_); }
  HWY_INLINE bool Failed() const { return !hn::AllTrue(D(), hn::Eq(sum_, hn::Zero(D()))); }

 private:
  hn::Vec<D> sum_;
};

/// Reads a vector of values or labels from anywhere.
template <class D>
struct LoadWhole {
  D d;
  HWY_INLINE hn::Vec<D> operator()(const hn::TFromD<D>* from) const { return hn::LoadU(d, from); }
  HWY_INLINE hn::Vec<D> Labels(const int32_t* from) const {
    const auto labels = hn::LoadU(hn::Rebind<int32_t, D>(), from);
    if constexpr (sizeof(hn::TFromD<D>) == 4) {
      return hn::ConvertTo(d, labels);
    } else {
      return hn::PromoteTo(d, labels);
    }
  }
  HWY_INLINE hn::Mask<D> Inside() const { return hn::Eq(hn::Zero(d), hn::Zero(d)); }
};

/// Reads the first `n` values or labels of a vector; the others are 0.
template <class D>
struct LoadEnd {
  D d;
  int64_t n;
  HWY_INLINE hn::Vec<D> operator()(const hn::TFromD<D>* from) const {
    HWY_ALIGN hn::TFromD<D> lanes[hn::MaxLanes(D())] = {};
    std::copy(from, from + n, lanes);
    return hn::Load(d, lanes);
  }
  HWY_INLINE hn::Vec<D> Labels(const int32_t* from) const {
    HWY_ALIGN int32_t lanes[hn::MaxLanes(D())] = {};
    std::copy(from, from + n, lanes);
    return LoadWhole<D>{d}.Labels(lanes);
  }
  HWY_INLINE hn::Mask<D> Inside() const { return hn::FirstN(d, static_cast<size_t>(n)); }
};

/// Stores a vector, as it is or as doubles.
template <class D>
struct StoreWhole {
  D d;
  bool aligned, stream;
  HWY_INLINE void operator()(hn::Vec<D> v, hn::TFromD<D>* to) const {
    if (stream) {
      hn::Stream(v, d, to);
    } else if (aligned) {
      hn::Store(v, d, to);
    } else {
      hn::StoreU(v, d, to);
    }
  }
  HWY_INLINE void Doubles(hn::Vec<D> v, double* to) const {
    if constexpr (sizeof(hn::TFromD<D>) == 8) {
      hn::StoreU(v, d, to);
    } else {
      const hn::Half<D> half;
      const hn::Rebind<double, hn::Half<D>> wide;
      hn::StoreU(hn::PromoteTo(wide, hn::LowerHalf(half, v)), wide, to);
      hn::StoreU(hn::PromoteTo(wide, hn::UpperHalf(half, v)), wide, to + hn::Lanes(half));
    }
  }
};

/// Stores the first `n` values of a vector.
template <class D>
struct StoreEnd {
  D d;
  int64_t n;
  template <typename To>
  HWY_INLINE void operator()(hn::Vec<D> v, To* to) const {
    HWY_ALIGN hn::TFromD<D> lanes[hn::MaxLanes(D())];
    hn::Store(v, d, lanes);
    std::copy(lanes, lanes + n, to);
  }
  HWY_INLINE void Doubles(hn::Vec<D> v, double* to) const { (*this)(v, to); }
};

/// Stores a vector as doubles, or of it what is still wanted: `left` values.
template <class D>
HWY_INLINE void StoreItems(D d, hn::Vec<D> v, int64_t left, double* to) {
  if (left >= static_cast<int64_t>(hn::Lanes(d))) {
    StoreWhole<D>{d, false, false}.Doubles(v, to);
  } else {
    StoreEnd<D>{d, left}.Doubles(v, to);
  }
}

/// Asks for the cache lines of four vectors.
template <class D>
HWY_INLINE void PrefetchFour(D d, const hn::TFromD<D>* at) {
  constexpr size_t kLine = 64;
  const size_t bytes = 4 * hn::Lanes(d) * sizeof(*at);
  for (size_t offset = 0; offset < bytes; offset += kLine) hwy::Prefetch(reinterpret_cast<const char*>(at) + offset);
}

/// Elements before the next multiple of the vector's size, at most `n`.
template <class D>
HWY_INLINE int64_t Ragged(D d, const hn::TFromD<D>* at, int64_t n) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto past = static_cast<int64_t>(reinterpret_cast<uintptr_t>(at) / sizeof(*at)) & (lanes - 1);
  return std::min(n, (lanes - past) & (lanes - 1));
}

/// Copies a run to memory that may begin anywhere.
template <class D>
HWY_INLINE void CopyRun(D d, const hn::TFromD<D>* from, int64_t n, hn::TFromD<D>* to, bool stream) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (const int64_t head = Ragged(d, to, n); i < head; ++i) to[i] = from[i];
  for (; i + lanes <= n; i += lanes) StoreWhole<D>{d, true, stream}(hn::LoadU(d, from + i), to + i);
  for (; i < n; ++i) to[i] = from[i];
}

/// A run of numbers on its way to memory, each times a `share` of its own unless that is null. It may leave by
/// streaming stores, some at a time between other work: they wait for memory while the processor computes.
template <class D, class T = hn::TFromD<D>>
class LateRun {
 public:
  LateRun() = default;
  HWY_INLINE LateRun(D d, const T* from, const T* share, int64_t n, T* to)
      : from_(from), share_(share), to_(to), n_(n) {
    for (const int64_t head = Ragged(d, to, n); at_ < head; ++at_) to_[at_] = Number(at_);
    end_ = at_ + (n - at_) / (4 * Lanes()) * 4 * Lanes();
  }
  /// Streams four vectors, if as many are left.
  HWY_INLINE void NextFour() {
    if (at_ != end_) Four(true);
  }
  HWY_INLINE void Rest(bool stream) {
    while (at_ != end_) Four(stream);
    for (; at_ + Lanes() <= n_; at_ += Lanes()) Store(at_, stream);
    for (; at_ < n_; ++at_) to_[at_] = Number(at_);
    end_ = at_;
  }

 private:
  static constexpr int64_t Lanes() { return static_cast<int64_t>(hn::Lanes(D())); }
  HWY_INLINE T Number(int64_t i) const { return share_ == nullptr ? from_[i] : from_[i] * share_[i]; }
  HWY_INLINE void Store(int64_t at, bool stream) {
    auto v = hn::LoadU(D(), from_ + at);
    if (share_ != nullptr) v = hn::Mul(v, hn::LoadU(D(), share_ + at));
    StoreWhole<D>{D(), true, stream}(v, to_ + at);
  }
  HWY_INLINE void Four(bool stream) {
    const int64_t at = at_;
    for (int64_t i = 0; i < 4; ++i) Store(at + i * Lanes(), stream);
    at_ = at + 4 * Lanes();
  }

  const T* from_ = nullptr;
  const T* share_ = nullptr;
  T* to_ = nullptr;
  int64_t n_ = 0, at_ = 0, end_ = 0;
};

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
