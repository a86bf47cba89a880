// Strategies over random datasets: what holds whatever the items are.
#include "server/core/experiment/split_strategy.h"

#include <map>
#include <random>
#include <set>

#include "gmock/gmock.h"
#include "server/core/base/status.h"
#include "server/core/experiment/shuffle.h"

namespace gradeline {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::Ge;
using testing::Le;

PartCounts Count(const std::vector<uint8_t>& parts) {
  PartCounts counts{};
  for (const uint8_t part : parts) ++counts[part - 1];
  return counts;
}

std::vector<uint8_t> Part(const SplitRules& rules, const SplitItems& items) {
  auto parts = PartItems(rules, items);
  EXPECT_TRUE(parts.ok()) << parts.status();
  return parts.ok() ? *parts : std::vector<uint8_t>();
}

struct Random {
  explicit Random(uint64_t seed) : generator(seed) {}
  int64_t Below(int64_t bound) { return static_cast<int64_t>(generator.Below(static_cast<uint64_t>(bound))); }

  PartPercent Percent() {
    const double train = static_cast<double>(Below(101)),
                 validation = static_cast<double>(Below(101 - static_cast<int64_t>(train)));
    return {train, validation, 100 - train - validation};
  }
  SplitItems Items(int64_t most) {
    SplitItems items;
    const int64_t n = 3 + Below(most), classes = 1 + Below(12), groups = 3 + Below(40), sources = 1 + Below(4);
    for (int64_t i = 0; i < n; ++i) {
      std::set<int32_t> labels;
      for (int64_t k = Below(5); k > 0; --k) labels.insert(static_cast<int32_t>(Below(classes)));
      items.Add(std::vector<int32_t>(labels.begin(), labels.end()));
      items.group.push_back(i < 3 ? -1 : static_cast<int32_t>(Below(groups)) - 1);
      items.source.push_back(static_cast<int32_t>(Below(sources)));
    }
    return items;
  }
  Generator generator;
};

TEST(SplitStrategies, EveryItemIsInExactlyOnePartOverRandomDatasets) {
  const uint64_t first = std::random_device{}();
  for (uint64_t seed = first; seed < first + 2000; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const SplitItems items = random.Items(300);
    for (const auto strategy :
         {SplitStrategy::kRandom, SplitStrategy::kStratified, SplitStrategy::kGroup, SplitStrategy::kDataset}) {
      const SplitRules rules = {strategy, random.Percent(), seed, {{}, {}, {}, {}}};
      const auto parts = Part(rules, items);
      ASSERT_EQ(static_cast<int64_t>(parts.size()), items.size());
      ASSERT_THAT(parts, Each(AllOf(Ge(1), Le(3))));
      const PartCounts counts = Count(parts), sizes = PartSizes(items.size(), rules.percent);
      for (int p = 0; p < 3; ++p) {
        ASSERT_EQ(counts[p] > 0, rules.percent[p] > 0) << p;
        if (strategy == SplitStrategy::kRandom || strategy == SplitStrategy::kStratified) {
          ASSERT_LE(std::abs(counts[p] - sizes[p]), strategy == SplitStrategy::kRandom ? 0 : 1) << p;
        }
      }
      ASSERT_EQ(parts, Part(rules, items)) << "the seed alone decides";
      if (strategy != SplitStrategy::kGroup) continue;
      std::map<int32_t, uint8_t> part_of_group;
      for (size_t i = 0; i < parts.size(); ++i) {
        if (items.group[i] < 0) continue;
        ASSERT_EQ(part_of_group.emplace(items.group[i], parts[i]).first->second, parts[i]) << "a group was parted";
      }
    }
  }
}

// By how many items the part that is farthest off has more or less of a class than its share.
double FarthestFromShare(const SplitRules& rules, const SplitItems& items, const std::vector<uint8_t>& parts) {
  std::map<int32_t, PartCounts> counts;
  for (int64_t i = 0; i < items.size(); ++i) {
    for (const int32_t label : items.LabelsOf(i)) ++counts[label][parts[i] - 1];
  }
  double farthest = 0;
  for (const auto& [label, count] : counts) {
    const auto n = static_cast<double>(count[0] + count[1] + count[2]);
    for (int p = 0; p < 3; ++p) {
      farthest = std::max(farthest, std::abs(static_cast<double>(count[p]) - n * rules.percent[p] / 100));
    }
  }
  return farthest;
}

// Each class's share of each part is within a few items of what it should be, also of classes that come together.
TEST(SplitStrategies, IterativeStratificationKeepsEachClassesShare) {
  Random random(5);
  SplitItems items;
  for (int i = 0; i < 5000; ++i) {
    std::vector<int32_t> labels;
    for (int32_t label = 0; label < 20; ++label) {
      if (random.Below(4 + 8 * label) == 0) labels.push_back(label);
    }
    items.Add(labels);
  }
  const SplitRules rules = {SplitStrategy::kStratified, {70, 10, 20}, 3, {}};
  const auto parts = Part(rules, items);
  EXPECT_EQ(Count(parts), PartSizes(5000, rules.percent));
  EXPECT_LE(FarthestFromShare(rules, items, parts), 2.5);
}

// Every item has a class, and many have a common one: no item is left over to even things out.
TEST(SplitStrategies, IterativeStratificationKeepsTheCommonestClassesSharesToo) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    SplitItems items;
    for (int i = 0; i < 5000; ++i) {
      std::set<int32_t> labels;
      for (int64_t k = random.Below(6); k >= 0; --k) {
        const auto label = static_cast<int32_t>(80 / (1 + random.Below(80)) - 1);
        labels.insert({label, random.Below(2) == 0 ? label : label ^ 1});
      }
      items.Add(std::vector<int32_t>(labels.begin(), labels.end()));
    }
    const SplitRules rules = {SplitStrategy::kStratified, {70, 10, 20}, seed, {}};
    EXPECT_LE(FarthestFromShare(rules, items, Part(rules, items)), 4) << seed;
  }
}

TEST(SplitStrategies, AGroupsItemsStayTogether) {
  SplitItems items;
  for (int i = 0; i < 100; ++i) {
    items.Add({0});
    items.group.push_back(i / 10);
  }
  EXPECT_THAT(Count(Part({SplitStrategy::kGroup, {70, 10, 20}, 1, {}}, items)), ElementsAre(70, 10, 20));
  for (int32_t& group : items.group) group = group == 0 ? 0 : 1;  // 10 and 90 items
  EXPECT_THAT(Count(Part({SplitStrategy::kGroup, {50, 0, 50}, 1, {}}, items)), ElementsAre(90, 0, 10));
  const absl::Status few = PartItems({SplitStrategy::kGroup, {70, 10, 20}, 1, {}}, items).status();
  EXPECT_EQ(FieldViolationsOf(few).at(0).description, "has 2 groups, too few for 3 parts above 0 %");
}

TEST(SplitStrategies, WholeDatasetsGoToTheirParts) {
  SplitItems items;
  for (int i = 0; i < 300; ++i) {
    items.Add({0});
    items.source.push_back(i / 100);
  }
  SplitRules rules = {
      SplitStrategy::kDataset, {50, 25, 25}, 1, {SourceShare{Phase::kTrain}, SourceShare{Phase::kTest, 80}, {}}};
  const auto parts = Part(rules, items);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(parts[i], 1);
  EXPECT_GE(std::count(parts.begin() + 100, parts.begin() + 200, 3), 80);
  // 120 items are left: 20 of the second, 100 of the third.
  EXPECT_THAT(Count(parts), ElementsAre(100 + 60, 30, 80 + 30));
  rules.sources = {SourceShare{Phase::kTrain}, SourceShare{Phase::kTest}, SourceShare{Phase::kTest}};
  const absl::Status status = PartItems(rules, items).status();
  EXPECT_EQ(FieldViolationsOf(status).at(0).description,
            "leaves no item for validation, which has 25 %; give it a dataset, or 0 %");
}

}  // namespace
}  // namespace gradeline
