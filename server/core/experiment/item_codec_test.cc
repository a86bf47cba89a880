#include "server/core/experiment/item_codec.h"

#include <cstdint>
#include <random>

#include "gtest/gtest.h"

namespace gradeline {
namespace {

Item Everything() {
  return {.labels = {0, 0, 1, 300, 2'000'000'000},
          .group = std::string("a\0b", 3),
          .tags = {"night", std::string(64, 't')},
          .subset = "train2017"};
}

void ExpectBack(const Item& item) {
  Item back = Everything();
  const absl::Status status = DecodeMore(EncodeMore(item), back);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(back.labels, item.labels);
  EXPECT_EQ(back.group, item.group);
  EXPECT_EQ(back.tags, item.tags);
  EXPECT_EQ(back.subset, item.subset);
}

TEST(ItemCodec, EveryCombinationComesBack) {
  for (int fields = 0; fields < 16; ++fields) {
    Item item = Everything();
    if (fields & 1) item.labels.clear();
    if (fields & 2) item.group.clear();
    if (fields & 4) item.tags.clear();
    if (fields & 8) item.subset.clear();
    ExpectBack(item);
  }
  ExpectBack({.labels = {5, 3, -1}});  // whoever stores must not need to know what is sorted
}

TEST(ItemCodec, IsShort) {
  EXPECT_EQ(EncodeMore({0, "u", 3}), "");
  EXPECT_EQ(EncodeMore({.labels = {1, 1, 3}}), std::string("\1\3\1\0\2", 5));
  EXPECT_EQ(EncodeMore({.labels = {1}, .subset = "val"}), std::string("\1\1\1\0\0\3val", 9));
}

TEST(ItemCodec, OtherBytesAreRefusedOrRead) {
  const std::string bytes = EncodeMore(Everything());
  Item item;
  EXPECT_FALSE(DecodeMore(bytes + "x", item).ok());
  EXPECT_FALSE(DecodeMore("\2", item).ok()) << "another version";
  EXPECT_FALSE(DecodeMore("\1\5\1", item).ok()) << "fewer labels than announced";
  EXPECT_FALSE(DecodeMore("\1\xff", item).ok()) << "a number that is cut";
  std::mt19937 random(1);
  for (int i = 0; i < 200'000; ++i) {
    std::string damaged = bytes.substr(0, random() % (bytes.size() + 1));
    for (int change = 0; change < 3 && !damaged.empty(); ++change)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    DecodeMore(damaged, item).IgnoreError();
  }
}

}  // namespace
}  // namespace gradeline
