#include "client/cli/coco_mask.h"

#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gradeline::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Runs = std::vector<int64_t>;

TEST(CocoMask, TextIsTakenApart) {
  // What pycocotools writes for these runs.
  EXPECT_EQ(*RunsOfText("o12"), (Runs{63, 2}));
  EXPECT_EQ(*RunsOfText("34j2M]M"), (Runs{3, 4, 90, 1, 7}));
  EXPECT_EQ(*RunsOfText(""), Runs{});
  EXPECT_EQ(*RunsOfText("0"), Runs{0});
}

TEST(CocoMask, TextThatIsNoneIsRefused) {
  for (const char* wrong : {"P", "ooooooooooooo1", "/", "\x7f", "N"}) EXPECT_FALSE(RunsOfText(wrong).ok()) << wrong;
}

TEST(CocoMask, ARectangleCoversItsPixels) {
  // Columns 2 to 4 of 6, rows 1 to 3 of 5, in an image of 5 x 6.
  EXPECT_THAT(*RunsOfPolygons({{2, 1, 5, 1, 5, 4, 2, 4}}, 5, 6), ElementsAre(11, 3, 2, 3, 2, 3, 6));
  EXPECT_THAT(*RunsOfPolygons({}, 2, 3), ElementsAre(6));
  EXPECT_THAT(*RunsOfPolygons({{0, 0, 3, 0, 3, 2, 0, 2}}, 2, 3), ElementsAre(0, 6));
}

TEST(CocoMask, PolygonsAreJoined) {
  const Runs both = *RunsOfPolygons({{0, 0, 2, 0, 2, 2, 0, 2}, {1, 0, 3, 0, 3, 2, 1, 2}}, 2, 4);
  EXPECT_THAT(both, ElementsAre(0, 6, 2)) << "where they overlap once";
}

TEST(CocoMask, AnImageIsNotHeldInMemory) {
  constexpr int64_t kSide = 1 << 16;
  EXPECT_THAT(*RunsOfPolygons({{0, 0, kSide, 0, kSide, kSide, 0, kSide}}, kSide, kSide), ElementsAre(0, kSide * kSide));
  std::vector<double> zigzag;
  for (int i = 0; i < 1000; ++i) zigzag.insert(zigzag.end(), {i % 2 == 0 ? 0.0 : 1e5, i * 10.0});
  EXPECT_THAT(std::string(RunsOfPolygons({zigzag}, kSide, kSide).status().message()), HasSubstr("cross columns"));
}

TEST(CocoMask, PolygonsApartAndInEachOther) {
  // Columns 0, 2 and 3 of a height of 2; then one around all of it.
  EXPECT_THAT(*RunsOfPolygons({{2, 0, 4, 0, 4, 2, 2, 2}, {0, 0, 1, 0, 1, 2, 0, 2}}, 2, 5), ElementsAre(0, 2, 2, 4, 2));
  EXPECT_THAT(*RunsOfPolygons({{2, 0, 3, 0, 3, 2, 2, 2}, {1, 0, 4, 0, 4, 2, 1, 2}, {2, 0, 3, 0, 3, 1, 2, 1}}, 2, 5),
              ElementsAre(2, 6, 2));
}

TEST(CocoMask, OutsideTheImageNothingIsCovered) {
  EXPECT_THAT(*RunsOfPolygons({{-50, -50, -10, -50, -10, -10}}, 3, 3), ElementsAre(9));
  EXPECT_THAT(*RunsOfPolygons({{-10, -10, 30, -10, 30, 30, -10, 30}}, 3, 3), ElementsAre(0, 9));
}

TEST(CocoMask, WhatIsNoPolygonIsRefused) {
  EXPECT_THAT(std::string(RunsOfPolygons({{1, 2, 3, 4}}, 3, 3).status().message()), HasSubstr("4 numbers"));
  EXPECT_THAT(std::string(RunsOfPolygons({{1, 2, 3, 4, 5, 6, 7}}, 3, 3).status().message()), HasSubstr("7 numbers"));
  const double infinite = std::numeric_limits<double>::infinity();
  EXPECT_THAT(std::string(RunsOfPolygons({{1, 2, infinite, 4, 5, 6}}, 3, 3).status().message()), HasSubstr("corner"));
  EXPECT_FALSE(RunsOfPolygons({{1, 2, 1e9, 4, 5, 6}}, 3, 3).ok());
}

}  // namespace
}  // namespace gradeline::cli
