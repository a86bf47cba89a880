// Lets the tests of a loss run with the oldest instruction set that the losses are compiled for, which has no fused
// multiplication: GRADELINE_OLDEST_VECTORS=1.
#include <hwy/targets.h>

#include <cstdlib>

#include "gtest/gtest.h"

namespace gradeline {
namespace {

[[maybe_unused]] const bool oldest = [] {
#if HWY_ARCH_X86
  if (std::getenv("GRADELINE_OLDEST_VECTORS") == nullptr) return false;
  hwy::DisableTargets(HWY_SSSE3 - 1);  // better sets have lower bits
  return true;
#else
  return false;
#endif
}();

TEST(OldestVectors, AreTheOnlyOnesIfAskedFor) {
#if HWY_ARCH_X86
  EXPECT_EQ((hwy::SupportedTargets() & (HWY_SSSE3 - 1)) == 0, oldest);
#endif
}

}  // namespace
}  // namespace gradeline
