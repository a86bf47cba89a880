#include "server/core/metric/decision_loops.h"

// Highway compiles what follows once per instruction set; in loops without vectors the compiler finds them by itself.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "server/core/metric/decision_loops.cc"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>
// After it:
#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "server/core/metric/typed.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kShortRow = 16;  // classes: more than a vector has lanes

template <DType dtype>
using ScoreOf = decltype(ReadAs<dtype>(nullptr, 0));

// Goes through the planes four at a time, so that the highest so far are read and written once for four.
template <DType dtype>
bool Planes(const std::byte* HWY_RESTRICT scores, int64_t classes, int64_t stride, int64_t count,
            int32_t* HWY_RESTRICT highest) {
  std::array<ScoreOf<dtype>, kPlaneBlock> top;
  for (int64_t j = 0; j < count; ++j) {
    top[static_cast<size_t>(j)] = ReadAs<dtype>(scores, j);
    highest[j] = 0;
  }
  int32_t unordered = 0;
  int64_t k = 0;
  for (; k + 4 <= classes; k += 4) {
    const auto first = static_cast<int32_t>(k);
    const std::byte* HWY_RESTRICT at = scores + k * stride * static_cast<int64_t>(SizeOf(dtype));
    for (int64_t j = 0; j < count; ++j) {
      const auto a = ReadAs<dtype>(at, j), b = ReadAs<dtype>(at, stride + j), c = ReadAs<dtype>(at, 2 * stride + j),
                 d = ReadAs<dtype>(at, 3 * stride + j);
      auto most = top[static_cast<size_t>(j)];
      int32_t which = highest[j];
      which = a > most ? first : which;
      most = a > most ? a : most;
      which = b > most ? first + 1 : which;
      most = b > most ? b : most;
      which = c > most ? first + 2 : which;
      most = c > most ? c : most;
      which = d > most ? first + 3 : which;
      most = d > most ? d : most;
      top[static_cast<size_t>(j)] = most;
      highest[j] = which;
      unordered |= static_cast<int32_t>((a != a) | (b != b) | (c != c) | (d != d));
    }
  }
  for (; k < classes; ++k) {
    const auto which = static_cast<int32_t>(k);
    const std::byte* HWY_RESTRICT at = scores + k * stride * static_cast<int64_t>(SizeOf(dtype));
    for (int64_t j = 0; j < count; ++j) {
      const auto score = ReadAs<dtype>(at, j);
      auto& most = top[static_cast<size_t>(j)];
      highest[j] = score > most ? which : highest[j];
      most = score > most ? score : most;
      unordered |= static_cast<int32_t>(score != score);
    }
  }
  return unordered == 0;
}

template <typename Score>
struct Top {
  Score score;
  int64_t at;
  bool ordered;
};

// The first highest of `count` >= 1 scores.
template <typename Score>
HWY_INLINE Top<Score> TopOf(const Score* HWY_RESTRICT scores, int64_t count) {
  const hn::ScalableTag<Score> d;
  const hn::RebindToSigned<decltype(d)> indices;
  using Index = hn::TFromD<decltype(indices)>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  constexpr DType kType = sizeof(Score) == 8 ? DType::kF64 : DType::kF32;
  Top<Score> top{ReadAs<kType>(scores, 0), 0, true};
  if (count < lanes) {
    for (int64_t k = 0; k < count; ++k) {
      const Score score = ReadAs<kType>(scores, k);
      top.at = score > top.score ? k : top.at;
      top.score = score > top.score ? score : top.score;
      top.ordered &= score == score;
    }
    return top;
  }
  // Two tops that do not wait for each other. Where the last vectors overlap others, a score is looked at twice.
  const int64_t second = std::min(lanes, count - lanes);
  auto top0 = hn::LoadU(d, scores), top1 = hn::LoadU(d, scores + second);
  auto unordered = hn::Or(hn::VecFromMask(d, hn::IsNaN(top0)), hn::VecFromMask(d, hn::IsNaN(top1)));
  auto at0 = hn::Zero(indices), at1 = hn::Set(indices, static_cast<Index>(second));
  for (int64_t k = 2 * lanes; k < count; k += 2 * lanes) {
    const int64_t here = std::min(k, count - 2 * lanes);
    const auto v0 = hn::LoadU(d, scores + here), v1 = hn::LoadU(d, scores + here + lanes);
    const auto higher0 = hn::Gt(v0, top0), higher1 = hn::Gt(v1, top1);
    top0 = hn::IfThenElse(higher0, v0, top0);
    top1 = hn::IfThenElse(higher1, v1, top1);
    at0 = hn::IfThenElse(hn::RebindMask(indices, higher0), hn::Set(indices, static_cast<Index>(here)), at0);
    at1 = hn::IfThenElse(hn::RebindMask(indices, higher1), hn::Set(indices, static_cast<Index>(here + lanes)), at1);
    unordered = hn::Or(unordered, hn::Or(hn::VecFromMask(d, hn::IsNaN(v0)), hn::VecFromMask(d, hn::IsNaN(v1))));
  }
  top.ordered = hn::AllFalse(d, hn::MaskFromVec(unordered));
  const auto most = hn::MaxOfLanes(d, hn::Max(top0, top1));
  const auto lane = hn::Iota(indices, 0), none = hn::Set(indices, std::numeric_limits<Index>::max());
  const auto first0 = hn::IfThenElse(hn::RebindMask(indices, hn::Eq(top0, most)), hn::Add(at0, lane), none);
  const auto first1 = hn::IfThenElse(hn::RebindMask(indices, hn::Eq(top1, most)), hn::Add(at1, lane), none);
  top.at = hn::GetLane(hn::MinOfLanes(indices, hn::Min(first0, first1)));
  top.score = hn::GetLane(most);
  return top;
}

// Copies a few rows of few classes so that they are planes; vectors would not be full along the rows.
template <DType dtype>
bool ShortRows(const std::byte* HWY_RESTRICT scores, int64_t classes, int64_t rows, int32_t* HWY_RESTRICT highest) {
  using Score = ScoreOf<dtype>;
  constexpr int64_t kRows = 128;
  alignas(64) std::array<Score, kShortRow * kRows> planes;
  bool ordered = true;
  for (int64_t row = 0; row < rows; row += kRows) {
    const int64_t count = std::min(kRows, rows - row);
    for (int64_t r = 0; r < count; ++r) {
      for (int64_t k = 0; k < classes; ++k) {
        planes[static_cast<size_t>(k * kRows + r)] = ReadAs<dtype>(scores, (row + r) * classes + k);
      }
    }
    ordered &= Planes < sizeof(Score) == 8 ? DType::kF64
                                           : DType::kF32 > (reinterpret_cast<const std::byte*>(planes.data()), classes,
                                                            kRows, count, highest + row);
  }
  return ordered;
}

template <DType dtype>
bool LongRows(const std::byte* HWY_RESTRICT scores, int64_t classes, int64_t rows, int32_t* HWY_RESTRICT highest) {
  using Score = ScoreOf<dtype>;
  constexpr int64_t kChunk = 1024;  // of scores that are widened together
  bool ordered = true;
  for (int64_t row = 0; row < rows; ++row) {
    const std::byte* from = scores + row * classes * static_cast<int64_t>(SizeOf(dtype));
    Top<Score> top{};
    if constexpr (dtype == DType::kF32 || dtype == DType::kF64) {
      top = TopOf(reinterpret_cast<const Score*>(from), classes);
      ordered &= top.ordered;
    } else {
      std::array<Score, kChunk> wide;
      for (int64_t begin = 0; begin < classes; begin += kChunk) {
        const int64_t count = std::min(kChunk, classes - begin);
        for (int64_t j = 0; j < count; ++j) wide[static_cast<size_t>(j)] = ReadAs<dtype>(from, begin + j);
        const Top<Score> some = TopOf(wide.data(), count);
        if (begin == 0 || some.score > top.score) top = {some.score, begin + some.at, some.ordered};
        ordered &= some.ordered;
      }
    }
    highest[row] = static_cast<int32_t>(top.at);
  }
  return ordered;
}

template <DType dtype>
bool Rows(const std::byte* HWY_RESTRICT scores, int64_t classes, int64_t rows, int32_t* HWY_RESTRICT highest) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<ScoreOf<dtype>>()));
  return classes < std::min(lanes, kShortRow) ? ShortRows<dtype>(scores, classes, rows, highest)
                                              : LongRows<dtype>(scores, classes, rows, highest);
}

// Bits of a label in 32-bit words, of which vectors hold more: `low`, and what is above it.
struct LabelWords {
  uint32_t low, high;
};

template <DType dtype>
HWY_INLINE LabelWords ReadLabel(const std::byte* from, int64_t i) {
  if constexpr (dtype == DType::kI64) {
    static_assert(std::endian::native == std::endian::little);
    return {static_cast<uint32_t>(ReadAs<DType::kI32>(from, 2 * i)),
            static_cast<uint32_t>(ReadAs<DType::kI32>(from, 2 * i + 1))};
  } else {
    const auto label = static_cast<int32_t>(ReadAs<dtype>(from, i));
    return {static_cast<uint32_t>(label), static_cast<uint32_t>(label >> 31)};
  }
}

template <DType dtype>
bool Labels(const std::byte* HWY_RESTRICT labels, int64_t count, const LabelRange& range,
            int32_t* HWY_RESTRICT classes) {
  const uint32_t end = range.end;
  const int64_t ignored = range.ignored.value_or(0);
  const auto ignored_low = static_cast<uint32_t>(ignored), ignored_high = static_cast<uint32_t>(ignored >> 32);
  const bool may_ignore = range.ignored.has_value();
  uint32_t wrong = 0;
  for (int64_t i = 0; i < count; ++i) {
    const LabelWords label = ReadLabel<dtype>(labels, i);
    const bool skipped = may_ignore & (label.low == ignored_low) & (label.high == ignored_high);
    const bool in_range = (label.high == 0) & (label.low < end);
    wrong |= static_cast<uint32_t>(!skipped & !in_range);
    classes[i] = skipped | !in_range ? -1 : static_cast<int32_t>(label.low);
  }
  return wrong == 0;
}

bool PlanesF32(const std::byte* s, int64_t c, int64_t stride, int64_t n, int32_t* to) {
  return Planes<DType::kF32>(s, c, stride, n, to);
}
bool PlanesF64(const std::byte* s, int64_t c, int64_t stride, int64_t n, int32_t* to) {
  return Planes<DType::kF64>(s, c, stride, n, to);
}
bool PlanesF16(const std::byte* s, int64_t c, int64_t stride, int64_t n, int32_t* to) {
  return Planes<DType::kF16>(s, c, stride, n, to);
}
bool PlanesBF16(const std::byte* s, int64_t c, int64_t stride, int64_t n, int32_t* to) {
  return Planes<DType::kBF16>(s, c, stride, n, to);
}
bool RowsF32(const std::byte* s, int64_t c, int64_t n, int32_t* to) { return Rows<DType::kF32>(s, c, n, to); }
bool RowsF64(const std::byte* s, int64_t c, int64_t n, int32_t* to) { return Rows<DType::kF64>(s, c, n, to); }
bool RowsF16(const std::byte* s, int64_t c, int64_t n, int32_t* to) { return Rows<DType::kF16>(s, c, n, to); }
bool RowsBF16(const std::byte* s, int64_t c, int64_t n, int32_t* to) { return Rows<DType::kBF16>(s, c, n, to); }
bool LabelsU8(const std::byte* from, int64_t n, const LabelRange& range, int32_t* to) {
  return Labels<DType::kU8>(from, n, range, to);
}
bool LabelsI32(const std::byte* from, int64_t n, const LabelRange& range, int32_t* to) {
  return Labels<DType::kI32>(from, n, range, to);
}
bool LabelsI64(const std::byte* from, int64_t n, const LabelRange& range, int32_t* to) {
  return Labels<DType::kI64>(from, n, range, to);
}

}  // namespace
}  // namespace gradeline::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradeline {
namespace {

HWY_EXPORT(PlanesF32);
HWY_EXPORT(PlanesF64);
HWY_EXPORT(PlanesF16);
HWY_EXPORT(PlanesBF16);
HWY_EXPORT(RowsF32);
HWY_EXPORT(RowsF64);
HWY_EXPORT(RowsF16);
HWY_EXPORT(RowsBF16);
HWY_EXPORT(LabelsU8);
HWY_EXPORT(LabelsI32);
HWY_EXPORT(LabelsI64);

}  // namespace

bool HighestOfPlanes(DType dtype, const std::byte* scores, int64_t classes, int64_t stride, int64_t count,
                     int32_t* highest) {
  switch (dtype) {
    case DType::kF64:
      return HWY_DYNAMIC_DISPATCH(PlanesF64)(scores, classes, stride, count, highest);
    case DType::kF16:
      return HWY_DYNAMIC_DISPATCH(PlanesF16)(scores, classes, stride, count, highest);
    case DType::kBF16:
      return HWY_DYNAMIC_DISPATCH(PlanesBF16)(scores, classes, stride, count, highest);
    default:
      return HWY_DYNAMIC_DISPATCH(PlanesF32)(scores, classes, stride, count, highest);
  }
}

bool HighestOfRows(DType dtype, const std::byte* scores, int64_t classes, int64_t rows, int32_t* highest) {
  switch (dtype) {
    case DType::kF64:
      return HWY_DYNAMIC_DISPATCH(RowsF64)(scores, classes, rows, highest);
    case DType::kF16:
      return HWY_DYNAMIC_DISPATCH(RowsF16)(scores, classes, rows, highest);
    case DType::kBF16:
      return HWY_DYNAMIC_DISPATCH(RowsBF16)(scores, classes, rows, highest);
    default:
      return HWY_DYNAMIC_DISPATCH(RowsF32)(scores, classes, rows, highest);
  }
}

bool ClassesOf(DType dtype, const std::byte* labels, int64_t count, const LabelRange& range, int32_t* classes) {
  switch (dtype) {
    case DType::kU8:
      return HWY_DYNAMIC_DISPATCH(LabelsU8)(labels, count, range, classes);
    case DType::kI32:
      return HWY_DYNAMIC_DISPATCH(LabelsI32)(labels, count, range, classes);
    default:
      return HWY_DYNAMIC_DISPATCH(LabelsI64)(labels, count, range, classes);
  }
}

}  // namespace gradeline
#endif  // HWY_ONCE
