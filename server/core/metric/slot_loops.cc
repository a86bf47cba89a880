#include "server/core/metric/slot_loops.h"

// Highway compiles what follows once per instruction set; the compiler finds the vectors by itself.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "server/core/metric/slot_loops.cc"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>
// After it:
#include <type_traits>

#include "server/core/metric/typed.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline::HWY_NAMESPACE {
namespace {

// Whole numbers in their own type: vectors hold more of the small ones.
template <DType dtype>
HWY_INLINE auto ReadOwn(const std::byte* data, int64_t i) {
  if constexpr (dtype == DType::kU8) {
    return static_cast<uint8_t>(data[i]);
  } else if constexpr (dtype == DType::kI32) {
    return static_cast<int32_t>(ReadAs<dtype>(data, i));
  } else {
    return ReadAs<dtype>(data, i);
  }
}

template <DType dtype>
HWY_INLINE void Predicted(const std::byte* HWY_RESTRICT data, int64_t count, uint8_t* HWY_RESTRICT states) {
  for (int64_t i = 0; i < count; ++i) {
    const auto value = ReadOwn<dtype>(data, i);
    if constexpr (std::is_integral_v<decltype(ReadOwn<dtype>(data, 0))>) {
      states[i] =
          static_cast<uint8_t>((value == 1 ? kPredictedSlot : 0) | (value != 0 && value != 1 ? kWrongPrediction : 0));
    } else {
      states[i] = static_cast<uint8_t>((value > 0 ? kPredictedSlot : 0) | (value != value ? kWrongPrediction : 0));
    }
  }
}

template <DType dtype>
HWY_INLINE uint8_t Wanted(const std::byte* HWY_RESTRICT data, int64_t ignored, int64_t count,
                          uint8_t* HWY_RESTRICT states) {
  using Value = decltype(ReadOwn<dtype>(data, 0));
  uint8_t all = 0;
  if constexpr (std::is_integral_v<Value>) {
    const auto skip = static_cast<Value>(ignored);
    const bool may_skip = static_cast<int64_t>(skip) == ignored;
    for (int64_t i = 0; i < count; ++i) {
      const Value value = ReadOwn<dtype>(data, i);
      const auto wanted = static_cast<uint8_t>(states[i] | (value == 1 ? kWantedSlot : 0) |
                                               (value != 0 && value != 1 ? kWrongTarget : 0));
      const auto skipped = static_cast<uint8_t>((states[i] & kWrongPrediction) | kSkippedSlot);
      states[i] = may_skip & (value == skip) ? skipped : wanted;
      all = static_cast<uint8_t>(all | states[i]);
    }
  } else {
    for (int64_t i = 0; i < count; ++i) {
      const Value value = ReadOwn<dtype>(data, i);
      states[i] =
          static_cast<uint8_t>(states[i] | (value > 0.5f ? kWantedSlot : 0) | (value != value ? kWrongTarget : 0));
      all = static_cast<uint8_t>(all | states[i]);
    }
  }
  return all;
}

void AnyPredicted(DType dtype, const std::byte* data, int64_t count, uint8_t* states) {
  WithDType(dtype, [&](auto type) { Predicted<decltype(type)::dtype>(data, count, states); });
}
uint8_t AnyWanted(DType dtype, const std::byte* data, int64_t ignored, int64_t count, uint8_t* states) {
  return WithDType(dtype, [&](auto type) { return Wanted<decltype(type)::dtype>(data, ignored, count, states); });
}

}  // namespace
}  // namespace gradeline::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradeline {
namespace {

HWY_EXPORT(AnyPredicted);
HWY_EXPORT(AnyWanted);

}  // namespace

void ReadPredicted(DType dtype, const std::byte* data, absl::Span<uint8_t> states) {
  HWY_DYNAMIC_DISPATCH(AnyPredicted)(dtype, data, static_cast<int64_t>(states.size()), states.data());
}

uint8_t ReadWanted(DType dtype, const std::byte* data, int64_t ignored, absl::Span<uint8_t> states) {
  return HWY_DYNAMIC_DISPATCH(AnyWanted)(dtype, data, ignored, static_cast<int64_t>(states.size()), states.data());
}

}  // namespace gradeline
#endif  // HWY_ONCE
