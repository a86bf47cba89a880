#include "server/core/experiment/dataset.h"

#include <functional>
#include <set>

#include "gmock/gmock.h"

namespace gradeline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Dataset TwoClasses(bool multi_label) {
  Dataset dataset;
  dataset.id = "d";
  dataset.classes = {"a", "b"};
  dataset.multi_label = multi_label;
  return dataset;
}

std::vector<std::string> FieldsOf(const Item& item, bool multi_label) {
  Violations violations;
  CheckItem(item, TwoClasses(multi_label), violations);
  std::vector<std::string> fields;
  for (const FieldViolation& violation : violations.list()) fields.push_back(violation.field);
  return fields;
}

TEST(CheckItem, AnItemHasOneClassOrAnyNumber) {
  EXPECT_THAT(FieldsOf({3, "u", 1}, false), IsEmpty());
  EXPECT_THAT(FieldsOf({3, "u", 2}, false), ElementsAre("items[3].label"));
  EXPECT_THAT(FieldsOf({3, "u", -1, {0}}, false), ElementsAre("items[3].label", "items[3].labels"));
  EXPECT_THAT(FieldsOf({3, "u", 0}, true), IsEmpty());
  EXPECT_THAT(FieldsOf({3, "u", 0, {1, 0, 1}}, true), IsEmpty());
  EXPECT_THAT(FieldsOf({3, "u", 1, {1, 2, 3}}, true), ElementsAre("items[3].label", "items[3].labels[1]"));
}

TEST(CheckItem, TextsHaveTheirLimits) {
  const Item most{0,
                  std::string(4096, 'u'),
                  0,
                  {},
                  std::string(256, 'g'),
                  std::vector<std::string>(32, std::string(64, 't')),
                  std::string(64, 's')};
  EXPECT_THAT(FieldsOf(most, false), IsEmpty());
  Item more = most;
  more.uri += 'u';
  more.group += 'g';
  more.tags[31] += 't';
  more.subset += 's';
  EXPECT_THAT(FieldsOf(more, false),
              ElementsAre("items[0].uri", "items[0].group", "items[0].tags[31]", "items[0].subset"));
  more.tags.resize(33);
  EXPECT_THAT(FieldsOf(more, false), ElementsAre("items[0].uri", "items[0].group", "items[0].tags", "items[0].subset"));
}

TEST(DescribeItems, CountsClassesAndSubsets) {
  Dataset dataset = TwoClasses(true);
  std::vector<Item> items = {{7, "u", 0, {1, 0, 1}}, {7, "v", 0}, {7, "w", 0, {1}}};
  items[1].tags = {"x", "a", "x"};
  ASSERT_TRUE(DescribeItems(items, dataset).ok());
  EXPECT_EQ(dataset.item_count, 3);
  EXPECT_THAT(dataset.class_counts, ElementsAre(ClassCount{1, 1}, ClassCount{2, 3}));
  EXPECT_THAT(dataset.subset_counts, IsEmpty());
  EXPECT_EQ(items[2].index, 2);
  EXPECT_THAT(items[0].labels, ElementsAre(0, 1, 1));
  EXPECT_THAT(items[1].tags, ElementsAre("a", "x"));
  items[2].subset = "train";
  ASSERT_TRUE(DescribeItems(items, dataset).ok());
  EXPECT_THAT(dataset.subset_counts, ElementsAre(SubsetCount{"", 2}, SubsetCount{"train", 1}));

  dataset = TwoClasses(false);
  items = {{0, "u", 1}, {0, "v", 0}, {0, "w", 1}};
  ASSERT_TRUE(DescribeItems(items, dataset).ok());
  EXPECT_THAT(dataset.class_counts, ElementsAre(ClassCount{1, 1}, ClassCount{2, 2}));
}

TEST(DescribeItems, EveryChangeOfTheContentChangesTheFingerprint) {
  const std::vector<Item> base = {{0, "ab", 1, {}, "g", {"t", "x"}, "s"}, {0, "cd", 0}};
  std::set<std::string> seen;
  const auto print = [&](Dataset dataset, std::vector<Item> items) {
    EXPECT_TRUE(DescribeItems(items, dataset).ok());
    return dataset.fingerprint;
  };
  const std::string first = print(TwoClasses(false), base);
  EXPECT_EQ(first.size(), 64u);
  EXPECT_EQ(first, print(TwoClasses(false), base));
  Dataset elsewhere = TwoClasses(false);
  elsewhere.id = "other";
  elsewhere.source = "other";
  elsewhere.create_ms = 5;
  EXPECT_EQ(first, print(elsewhere, base)) << "only the content counts";

  seen.insert(first);
  const auto differs = [&](const std::function<void(Dataset&, std::vector<Item>&)>& change) {
    Dataset dataset = TwoClasses(false);
    std::vector<Item> items = base;
    change(dataset, items);
    EXPECT_TRUE(seen.insert(print(dataset, items)).second);
  };
  differs([](Dataset& dataset, auto&) { dataset.classes = {"a", "c"}; });
  differs([](Dataset& dataset, auto&) { dataset.classes = {"ab", ""}; });
  differs([](Dataset& dataset, auto& items) { dataset.multi_label = true, items[0].label = 0; });
  differs([](Dataset&, auto& items) { std::swap(items[0], items[1]); });
  differs([](Dataset&, auto& items) { items.pop_back(); });
  differs([](Dataset&, auto& items) { items[0].uri = "ac"; });
  differs([](Dataset&, auto& items) { items[0].label = 0; });
  differs([](Dataset&, auto& items) { items[0].group = "h"; });
  differs([](Dataset&, auto& items) { items[0].group = "", items[0].subset = "gs"; });
  differs([](Dataset&, auto& items) { items[0].tags = {"tx"}; });
  differs([](Dataset&, auto& items) { items[0].subset = ""; });
  differs([](Dataset& dataset, auto& items) { dataset.multi_label = true, items[0].label = 0, items[1].labels = {1}; });
}

}  // namespace
}  // namespace gradeline
