#include "server/core/metric/distance_transform.h"

#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kFar = DistanceTransform::kFar;

std::vector<int64_t> Brute(const std::vector<uint8_t>& points, int64_t rows, int64_t columns, int64_t most) {
  std::vector<int64_t> squared;
  for (int64_t cell = 0; cell < rows * columns; ++cell) {
    int64_t least = kFar;
    for (int64_t point = 0; point < rows * columns; ++point) {
      if (points[static_cast<size_t>(point)] == 0) continue;
      const int64_t down = point / columns - cell / columns, right = point % columns - cell % columns;
      least = std::min(least, down * down + right * right);
    }
    squared.push_back(least <= most ? least : kFar);
  }
  return squared;
}

std::vector<int64_t> Transformed(DistanceTransform& transform, const std::vector<uint8_t>& points, int64_t rows,
                                 int64_t columns, int64_t most = kFar - 1) {
  transform.Start(points, rows, columns, most);
  std::vector<int64_t> squared;
  for (int64_t row = 0; row < rows; ++row) {
    const absl::Span<const int64_t> some = transform.Row(row);
    squared.insert(squared.end(), some.begin(), some.end());
  }
  return squared;
}

TEST(DistanceTransformTest, IsThatOfAllPairs) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  DistanceTransform transform;  // the same for all: nothing of one grid is left in the next
  for (int round = 0; round < 500; ++round) {
    const auto rows = static_cast<int64_t>(1 + random() % 30), columns = static_cast<int64_t>(1 + random() % 30);
    const uint64_t rare = 1 + random() % 200;
    std::vector<uint8_t> points(static_cast<size_t>(rows * columns));
    for (uint8_t& point : points) point = random() % rare == 0 ? 1 : 0;
    const int64_t most = round % 2 == 0 ? kFar - 1 : static_cast<int64_t>(random() % 300);
    ASSERT_EQ(Transformed(transform, points, rows, columns, most), Brute(points, rows, columns, most))
        << rows << " x " << columns << " up to " << most;
  }
}

TEST(DistanceTransformTest, LongRowsAndColumns) {
  DistanceTransform transform;
  constexpr int64_t kLong = 100000;
  std::vector<uint8_t> points(kLong);
  points[0] = 1;
  EXPECT_EQ(Transformed(transform, points, 1, kLong).back(), (kLong - 1) * (kLong - 1));
  EXPECT_EQ(Transformed(transform, points, kLong, 1).back(), (kLong - 1) * (kLong - 1));
}

TEST(DistanceTransformTest, WithoutPointsAllIsFar) {
  DistanceTransform transform;
  EXPECT_THAT(Transformed(transform, {0, 0}, 1, 2), ElementsAre(kFar, kFar));
  EXPECT_THAT(Transformed(transform, {0, 0}, 2, 1), ElementsAre(kFar, kFar));
}

}  // namespace
}  // namespace gradeline
