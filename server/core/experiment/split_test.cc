#include "server/core/experiment/split.h"

#include <numeric>
#include <set>

#include "gmock/gmock.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

using testing::ElementsAre;

using Percent = std::array<double, 3>;

SplitItems Labels(const std::vector<int>& items_of_class) {
  SplitItems items;
  for (size_t c = 0; c < items_of_class.size(); ++c) {
    for (int i = 0; i < items_of_class[c]; ++i) items.Add({static_cast<int32_t>(c)});
  }
  return items;
}

std::array<int64_t, 3> Count(const std::vector<uint8_t>& parts) {
  std::array<int64_t, 3> counts{};
  for (const uint8_t part : parts) ++counts[part - 1];
  return counts;
}

std::vector<uint8_t> Part(SplitStrategy strategy, const Percent& percent, uint64_t seed, const SplitItems& items) {
  auto parts = PartItems({strategy, percent, seed, {}}, items);
  EXPECT_TRUE(parts.ok()) << parts.status();
  return *parts;
}

TEST(Split, EveryItemIsInExactlyOnePartOfTheRightSize) {
  const auto parts = Part(SplitStrategy::kRandom, {70, 10, 20}, 7, Labels({1000}));
  EXPECT_THAT(parts, testing::Each(testing::AllOf(testing::Ge(1), testing::Le(3))));
  EXPECT_THAT(Count(parts), ElementsAre(700, 100, 200));
}

TEST(Split, TheLargestRemainderGetsWhatIsLeft) {
  // 7 * (70, 10, 20) % = 4.9, 0.7, 1.4.
  EXPECT_THAT(Count(Part(SplitStrategy::kRandom, {70, 10, 20}, 1, Labels({7}))), ElementsAre(5, 1, 1));
  // 10 * 33.3 % each: one item is left, the first of the equal remainders gets it.
  EXPECT_THAT(Count(Part(SplitStrategy::kRandom, {100.0 / 3, 100.0 / 3, 100.0 / 3}, 1, Labels({10}))),
              ElementsAre(4, 3, 3));
}

TEST(Split, APartAboveZeroPercentIsNotEmpty) {
  EXPECT_THAT(Count(Part(SplitStrategy::kRandom, {98, 1, 1}, 1, Labels({5}))), ElementsAre(3, 1, 1));
  EXPECT_THAT(Count(Part(SplitStrategy::kStratified, {98, 1, 1}, 1, Labels({2, 2, 1}))), ElementsAre(3, 1, 1));
  EXPECT_THAT(Count(Part(SplitStrategy::kRandom, {100, 0, 0}, 1, Labels({5}))), ElementsAre(5, 0, 0));
}

TEST(Split, TheSeedAloneDecides) {
  const auto labels = Labels({50, 50});
  for (const auto strategy : {SplitStrategy::kRandom, SplitStrategy::kStratified}) {
    EXPECT_EQ(Part(strategy, {70, 10, 20}, 3, labels), Part(strategy, {70, 10, 20}, 3, labels));
    EXPECT_NE(Part(strategy, {70, 10, 20}, 3, labels), Part(strategy, {70, 10, 20}, 4, labels));
  }
}

// Fixed for ever: a split made by an older version can be made again.
TEST(Split, TheGeneratorNeverChanges) {
  EXPECT_THAT(Part(SplitStrategy::kRandom, {50, 20, 30}, 0, Labels({10})), ElementsAre(3, 1, 1, 3, 1, 1, 2, 2, 3, 1));
  EXPECT_THAT(Part(SplitStrategy::kStratified, {50, 20, 30}, 42, Labels({5, 5})),
              ElementsAre(2, 1, 1, 3, 1, 3, 1, 1, 3, 2));
}

TEST(Split, StratifiedKeepsEachClassesShare) {
  std::vector<int> sizes;
  for (int c = 0; c < 40; ++c) sizes.push_back(1 + (c * 7) % 23);
  const auto labels = Labels(sizes);
  const Percent percent = {70, 10, 20};
  const auto parts = Part(SplitStrategy::kStratified, percent, 9, labels);
  std::vector<std::array<int64_t, 3>> counts(sizes.size());
  for (size_t i = 0; i < parts.size(); ++i) ++counts[labels.labels[i]][parts[i] - 1];
  for (size_t c = 0; c < sizes.size(); ++c) {
    for (int p = 0; p < 3; ++p) {
      EXPECT_LT(std::abs(static_cast<double>(counts[c][p]) - sizes[c] * percent[p] / 100), 1) << c << " " << p;
    }
  }
  const auto total = Count(parts);
  for (int p = 0; p < 3; ++p) {
    EXPECT_LE(std::abs(static_cast<double>(total[p]) - static_cast<double>(labels.size()) * percent[p] / 100), 1.01);
  }
}

TEST(Split, ClassesOfOneItemAddUpToTheWholesShare) {
  EXPECT_THAT(Count(Part(SplitStrategy::kStratified, {70, 10, 20}, 5, Labels(std::vector<int>(1000, 1)))),
              ElementsAre(700, 100, 200));
}

TEST(Split, AllViolationsAtOnce) {
  const auto fields = [](const absl::Status& status) {
    std::vector<std::string> names;
    for (const auto& violation : FieldViolationsOf(status)) names.push_back(violation.field);
    return names;
  };
  EXPECT_THAT(fields(CheckPercent({-1, 101, 0})), ElementsAre("trainPercent", "validationPercent"));
  EXPECT_THAT(fields(CheckPercent({70, 10, 19})), ElementsAre("trainPercent"));
  EXPECT_THAT(fields(CheckPercent({0.0 / 0.0, 10, 20})), ElementsAre("trainPercent"));
  EXPECT_TRUE(CheckPercent({33.4, 33.3, 33.3}).ok());
  EXPECT_THAT(fields(PartItems({SplitStrategy::kRandom, {70, 10, 19}, 0, {}}, Labels({2})).status()),
              ElementsAre("trainPercent", "dataset"));
}

TEST(Split, ManySizesAndPercentages) {
  for (int n = 3; n < 60; ++n) {
    for (int train = 1; train < 99; train += 13) {
      for (int validation = 1; train + validation < 100; validation += 17) {
        const Percent percent = {1.0 * train, 1.0 * validation, 100.0 - train - validation};
        for (const auto strategy : {SplitStrategy::kRandom, SplitStrategy::kStratified}) {
          const auto counts = Count(Part(strategy, percent, 1, Labels({n / 3, n / 2, n - n / 3 - n / 2})));
          EXPECT_EQ(counts[0] + counts[1] + counts[2], n);
          EXPECT_THAT(counts, testing::Each(testing::Gt(0))) << n << " " << train << " " << validation;
        }
      }
    }
  }
}

}  // namespace
}  // namespace gradeline
