#include "server/core/metric/rle.h"

#include <limits>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace gradeline {
namespace {

bool AddUp(std::vector<int64_t> counts, int64_t height, int64_t width) {
  return RunEnds(absl::MakeSpan(counts), height, width);
}

TEST(RleTest, RunsAddUpToTheMask) {
  EXPECT_TRUE(AddUp({0, 6}, 2, 3));
  EXPECT_TRUE(AddUp({6}, 2, 3));
  EXPECT_TRUE(AddUp({}, 0, 3));
  EXPECT_FALSE(AddUp({}, 2, 3));
  EXPECT_FALSE(AddUp({2, 3}, 2, 3));
  EXPECT_FALSE(AddUp({2, 5}, 2, 3));
  EXPECT_FALSE(AddUp({7, -1}, 2, 3));
  EXPECT_FALSE(AddUp({-1, 7}, 2, 3));
  EXPECT_FALSE(AddUp({6}, -2, -3));
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_FALSE(AddUp({kMost, kMost, 2}, 1, 6));
  EXPECT_FALSE(AddUp({0}, kMost, kMost));
  EXPECT_TRUE(AddUp({0, int64_t{1} << 53}, int64_t{1} << 30, int64_t{1} << 23));
  EXPECT_FALSE(AddUp({0, int64_t{1} << 54}, int64_t{1} << 30, int64_t{1} << 24));
}

struct Painted {
  std::vector<bool> pixels;
  std::vector<int64_t> ends;
};

Painted Paint(std::mt19937_64& random) {
  Painted painted;
  bool value = false;
  while (painted.pixels.size() < 60) {
    const size_t run = std::min<size_t>(random() % 7, 60 - painted.pixels.size());  // also empty ones
    painted.pixels.insert(painted.pixels.end(), run, value);
    painted.ends.push_back(static_cast<int64_t>(run));
    value = !value;
  }
  EXPECT_TRUE(RunEnds(absl::MakeSpan(painted.ends), 6, 10));
  return painted;
}

TEST(RleTest, RandomMasksAgreeWithTheirPixels) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 2000; ++i) {
    const Painted a = Paint(random), b = Paint(random);
    int64_t both = 0, either = 0, of_a = 0;
    for (size_t p = 0; p < 60; ++p) {
      both += a.pixels[p] && b.pixels[p] ? 1 : 0;
      either += a.pixels[p] || b.pixels[p] ? 1 : 0;
      of_a += a.pixels[p] ? 1 : 0;
    }
    const Mask mask_a{a.ends, MaskArea(a.ends)}, mask_b{b.ends, MaskArea(b.ends)};
    ASSERT_EQ(mask_a.area, of_a);
    ASSERT_EQ(MaskIntersection(mask_a, mask_b), both);
    ASSERT_EQ(MaskIou(mask_a, mask_b, false), both == 0 ? 0 : static_cast<double>(both) / static_cast<double>(either));
    ASSERT_EQ(MaskIou(mask_a, mask_b, true), both == 0 ? 0 : static_cast<double>(both) / static_cast<double>(of_a));
  }
}

}  // namespace
}  // namespace gradeline
