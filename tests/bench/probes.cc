#include "tests/bench/probes.h"

// Highway compiles what follows once per instruction set and picks one at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/bench/probes.cc"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>
// After it:
#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace gradeline::bench::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

void Copy(const float* from, float* to, int64_t count, bool stream) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < count; i += lanes) {
    const auto value = hn::Load(d, from + i);
    stream ? hn::Stream(value, d, to + i) : hn::Store(value, d, to + i);
  }
}

void Triad(const float* a, const float* b, float* to, int64_t count, bool stream) {
  const hn::ScalableTag<float> d;
  const auto two = hn::Set(d, 2.0F);
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < count; i += lanes) {
    const auto value = hn::MulAdd(two, hn::Load(d, b + i), hn::Load(d, a + i));
    stream ? hn::Stream(value, d, to + i) : hn::Store(value, d, to + i);
  }
}

float Read(const float* from, int64_t count) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto a = hn::Zero(d), b = hn::Zero(d);
  for (int64_t i = 0; i < count; i += 2 * lanes) {  // 16 floats or fewer: within what may be read
    a = hn::Add(a, hn::Load(d, from + i));
    if (i + lanes < count) b = hn::Add(b, hn::Load(d, from + i + lanes));
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(a, b)));
}

void Exp(const float* from, float* to, int64_t count) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < count; i += lanes) hn::Store(hn::Exp(d, hn::Load(d, from + i)), d, to + i);
}

}  // namespace gradeline::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <hwy/cache_control.h>
#include <hwy/contrib/sort/vqsort.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_reduce.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <vector>

namespace gradeline::bench {

HWY_EXPORT(Copy);
HWY_EXPORT(Triad);
HWY_EXPORT(Read);
HWY_EXPORT(Exp);

namespace {

using Range = tbb::blocked_range<int64_t>;

constexpr int64_t kGroup = 16;             // floats; pieces begin at whole groups
constexpr int64_t kStreamBytes = 4 << 20;  // twice the L2 caches of two cores

/// Groups in pieces of 64 KiB or more.
Range Groups(int64_t count) { return {0, (count + kGroup - 1) / kGroup, 1024}; }

}  // namespace

void Probes::Copy(const float* from, float* to, int64_t count) {
  const bool stream = count * 8 > kStreamBytes;
  arena_.execute([&] {
    tbb::parallel_for(Groups(count), [&](const Range& range) {
      HWY_DYNAMIC_DISPATCH(Copy)
      (from + range.begin() * kGroup, to + range.begin() * kGroup, static_cast<int64_t>(range.size()) * kGroup, stream);
    });
  });
  hwy::FlushStream();
}

void Probes::Triad(const float* a, const float* b, float* to, int64_t count) {
  const bool stream = count * 12 > kStreamBytes;
  arena_.execute([&] {
    tbb::parallel_for(Groups(count), [&](const Range& range) {
      const int64_t at = range.begin() * kGroup;
      HWY_DYNAMIC_DISPATCH(Triad)(a + at, b + at, to + at, static_cast<int64_t>(range.size()) * kGroup, stream);
    });
  });
  hwy::FlushStream();
}

float Probes::ReadInOrder(const float* from, int64_t count) {
  constexpr int64_t kTile = 64 << 10;
  std::vector<float> sums(static_cast<size_t>((count + kTile - 1) / kTile));
  arena_.execute([&] {
    tbb::parallel_for(Range(0, static_cast<int64_t>(sums.size()), 1), [&](const Range& range) {
      for (int64_t tile = range.begin(); tile < range.end(); ++tile) {
        sums[static_cast<size_t>(tile)] =
            HWY_DYNAMIC_DISPATCH(Read)(from + tile * kTile, std::min(kTile, count - tile * kTile));
      }
    });
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0F);
}

float Probes::Read(const float* from, int64_t count) {
  return arena_.execute([&] {
    return tbb::parallel_reduce(
        Groups(count), 0.0F,
        [&](const Range& range, float sum) {
          return sum +
                 HWY_DYNAMIC_DISPATCH(Read)(from + range.begin() * kGroup, static_cast<int64_t>(range.size()) * kGroup);
        },
        std::plus<>());
  });
}

void Probes::Exp(const float* from, float* to, int64_t count) {
  arena_.execute([&] {
    tbb::parallel_for(Groups(count), [&](const Range& range) {
      const int64_t at = range.begin() * kGroup;
      HWY_DYNAMIC_DISPATCH(Exp)(from + at, to + at, static_cast<int64_t>(range.size()) * kGroup);
    });
  });
}

void Probes::Sort(const uint64_t* keys, uint64_t* room, int64_t groups, int64_t keys_per_group) {
  arena_.execute([&] {
    tbb::parallel_for(Range(0, groups), [&](const Range& range) {
      for (int64_t group = range.begin(); group < range.end(); ++group) {
        const uint64_t* const from = keys + group * keys_per_group;
        uint64_t* const to = room + group * keys_per_group;
        std::copy(from, from + keys_per_group, to);
        hwy::Sorter()(to, static_cast<size_t>(keys_per_group), hwy::SortAscending());
      }
    });
  });
}

}  // namespace gradeline::bench
#endif  // HWY_ONCE
