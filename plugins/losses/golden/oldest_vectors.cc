// Lets the tests of a loss run with the oldest instruction set that the losses are compiled for, which has no fused
// multiplication: GRADELINE_OLDEST_VECTORS=1.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/golden/oldest_vectors.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace gradeline::HWY_NAMESPACE {
namespace {
int64_t Target() { return HWY_TARGET; }
}  // namespace
}  // namespace gradeline::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <cstdlib>

#include "gtest/gtest.h"

namespace gradeline {
namespace {

HWY_EXPORT(Target);

[[maybe_unused]] const bool oldest = [] {
#if HWY_ARCH_X86
  if (std::getenv("GRADELINE_OLDEST_VECTORS") == nullptr) return false;
  hwy::DisableTargets(HWY_SSSE3 - 1);  // better sets have lower bits
  // Whoever asks what is supported has all of it chosen.
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  return true;
#else
  return false;
#endif
}();

TEST(OldestVectors, AreTheOnlyOnesIfAskedFor) {
#if HWY_ARCH_X86
  EXPECT_EQ(HWY_DYNAMIC_DISPATCH(Target)() == HWY_SSSE3, oldest);
#endif
}

}  // namespace
}  // namespace gradeline
#endif  // HWY_ONCE
