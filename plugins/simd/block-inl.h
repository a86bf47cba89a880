// Blocks of items, class by class: a tile's items [outer][c][inner] brought into scratch [c][items], and gradients
// back. Memory is read and written in long runs; everything between happens in cache.
#if defined(GRADELINE_PLUGINS_SIMD_BLOCK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_BLOCK_INL_H_
#undef GRADELINE_PLUGINS_SIMD_BLOCK_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_BLOCK_INL_H_
#endif

#include "plugins/simd/exponential-inl.h"
#include "plugins/simd/softmax.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

/// Which items: `items` of outer `outer` from `first` on; rows (inner 1): one item of each of `items` outers.
struct BlockItems {
  int64_t outer, first, items;
  bool rows;
  int64_t number;  ///< of the first item in the tile

  int64_t Outer(int64_t j) const { return rows ? outer + j : outer; }
  int64_t Inner(int64_t j) const { return rows ? 0 : first + j; }
};

/// Cuts a tile into blocks of at most `most` items, in order; runs of pixels into nearly equal ones.
template <class Body>
HWY_INLINE void ForEachBlock(int64_t outer, int64_t inner, int64_t most, const Body& body) {
  if (inner == 1) {
    for (int64_t o = 0; o < outer; o += most) body(BlockItems{o, 0, std::min(most, outer - o), true, o});
    return;
  }
  const int64_t blocks = (inner + most - 1) / most, even = (inner + blocks - 1) / blocks;
  const int64_t step = std::min(most, (even + simd::kBlockPad - 1) / simd::kBlockPad * simd::kBlockPad);
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < inner; i += step) {
      body(BlockItems{o, i, std::min(step, inner - i), false, o * inner + i});
    }
  }
}

/// Numbers of one tensor for the items of a block, class k's run at `data + k * stride`. Runs are padded with zeros to
/// whole vectors, so that loops need no ragged end.
template <class T>
struct Plane {
  T* data;
  int64_t stride, classes;
  HWY_INLINE T* Run(int64_t k) const { return data + k * stride; }
};

/// The `number`th plane of scratch for blocks; simd::BlockBytes has room for them.
template <class T>
HWY_INLINE Plane<T> ScratchPlane(T* scratch, int64_t classes, int64_t number = 0) {
  const int64_t stride = simd::BlockItems(classes, sizeof(T)) + simd::kBlockPad;
  return {scratch + number * classes * stride, stride, classes};
}

template <class D>
HWY_INLINE int64_t WholeVectors(D d, int64_t items) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  return (items + lanes - 1) / lanes * lanes;
}

/// Copies a run of `n` into scratch, padded with zeros to whole vectors. What lies `ahead` is wanted next: planes may
/// be so far apart that hardware does not foresee it.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void LoadRun(D d, const T* from, int64_t n, T* to, int64_t ahead) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    hwy::Prefetch(from + i + ahead);
    hn::Store(hn::LoadU(d, from + i), d, to + i);
  }
  if (i < n) hn::Store(LoadEnd<D>{d, n - i}(from + i), d, to + i);
}

/// Turns [rows][columns] into [columns][rows], both with runs of any distance.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void Transpose(D, const T* from, int64_t from_stride, int64_t rows, int64_t columns, T* to,
                          int64_t to_stride) {
  if constexpr (sizeof(T) == 4) {
    const hn::CappedTag<T, 4> four;
    if (hn::Lanes(four) == 4 && rows >= 4 && columns >= 4) {
      // Squares of 4 x 4; the last of a row or column overlap those before them.
      for (int64_t r = 0; r < rows; r += 4) {
        const int64_t row = std::min(r, rows - 4);
        const T* const at = from + row * from_stride;
        for (int64_t k = 0; k < columns; k += 4) {
          const int64_t column = std::min(k, columns - 4);
          const T* const in = at + column;
          const auto a = hn::LoadU(four, in), b = hn::LoadU(four, in + from_stride);
          const auto c = hn::LoadU(four, in + 2 * from_stride), e = hn::LoadU(four, in + 3 * from_stride);
          const auto ac = hn::InterleaveLower(four, a, c), be = hn::InterleaveLower(four, b, e);
          const auto ac2 = hn::InterleaveUpper(four, a, c), be2 = hn::InterleaveUpper(four, b, e);
          T* const out = to + column * to_stride + row;
          hn::StoreU(hn::InterleaveLower(four, ac, be), four, out);
          hn::StoreU(hn::InterleaveUpper(four, ac, be), four, out + to_stride);
          hn::StoreU(hn::InterleaveLower(four, ac2, be2), four, out + 2 * to_stride);
          hn::StoreU(hn::InterleaveUpper(four, ac2, be2), four, out + 3 * to_stride);
        }
      }
      return;
    }
  }
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t k = 0; k < columns; ++k) to[k * to_stride + row] = from[row * from_stride + k];
  }
}

/// Copies a block's items into `plane`.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void LoadBlock(D d, const sdk::View<const T>& view, const BlockItems& block, const Plane<T>& plane) {
  if (!block.rows) {
    for (int64_t k = 0; k < view.small; ++k) {
      LoadRun(d, view.Run(block.outer, k) + block.first, block.items, plane.Run(k), view.small_stride);
    }
    return;
  }
  if (view.small_stride == 1) {
    Transpose(d, view.Run(block.outer), view.outer_stride, block.items, view.small, plane.data, plane.stride);
  } else {
    for (int64_t k = 0; k < view.small; ++k) {
      for (int64_t j = 0; j < block.items; ++j) plane.Run(k)[j] = *view.Run(block.outer + j, k);
    }
  }
  for (int64_t k = 0; k < view.small; ++k) {
    std::fill(plane.Run(k) + block.items, plane.Run(k) + WholeVectors(d, block.items), T{0});
  }
}

/// Stores a block's items from `plane`.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void StoreBlock(D d, const Plane<T>& plane, const BlockItems& block, const sdk::View<T>& view, bool stream) {
  if (!block.rows) {
    for (int64_t k = 0; k < view.small; ++k) {
      CopyRun(d, plane.Run(k), block.items, view.Run(block.outer, k) + block.first, stream);
    }
  } else if (view.small_stride == 1) {
    Transpose(d, plane.data, plane.stride, view.small, block.items, view.Run(block.outer), view.outer_stride);
  } else {
    for (int64_t k = 0; k < view.small; ++k) {
      for (int64_t j = 0; j < block.items; ++j) *view.Run(block.outer + j, k) = plane.Run(k)[j];
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
