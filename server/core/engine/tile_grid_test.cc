#include "server/core/engine/tile_grid.h"

#include "gtest/gtest.h"

namespace gradeline {
namespace {

struct Case {
  int64_t outer, inner, tile_items;
  bool whole_outer;
};
class TileGridTest : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Shapes, TileGridTest,
                         ::testing::Values(Case{1, 1, 1, false}, Case{7, 1, 3, false}, Case{100000, 1, 16, false},
                                           Case{3, 1000, 64, false}, Case{3, 1000, 1000, false}, Case{3, 65, 64, false},
                                           Case{5, 17, 40, false}, Case{2, 50000, 7, false}, Case{4, 1000, 64, true},
                                           Case{9, 10, 64, true}, Case{1, 262145, 65536, false}, Case{0, 10, 64, false},
                                           Case{10, 0, 64, false}, Case{513, 300, 256, false}));

// Every item is in exactly one tile; tiles and slots are in the order of items; a tile is a run of one outer or whole
// outers.
TEST_P(TileGridTest, TilesAreAPartition) {
  const auto [outer, inner, tile_items, whole_outer] = GetParam();
  const TileGrid grid = TileGrid::OfItems(outer, inner, tile_items, whole_outer);
  int64_t next = 0, most = 0;
  for (int64_t tile = 0; tile < grid.tiles(); ++tile) {
    const TileBox box = grid.Box(tile);
    ASSERT_EQ(box.first_outer * inner + box.first_inner, next);
    ASSERT_GT(box.items(), 0);
    ASSERT_TRUE(box.inner == inner || box.outer == 1);
    ASSERT_TRUE(box.inner == inner || !whole_outer);
    ASSERT_TRUE(box.items() <= tile_items || (whole_outer && box.outer == 1));
    next += box.items();
    most = std::max(most, box.items());
  }
  EXPECT_EQ(next, outer * inner);
  EXPECT_EQ(grid.most_items(), most);
}

TEST_P(TileGridTest, AtMost256SlotsOfConsecutiveTiles) {
  const auto [outer, inner, tile_items, whole_outer] = GetParam();
  const TileGrid grid = TileGrid::OfItems(outer, inner, tile_items, whole_outer);
  EXPECT_LE(grid.slots(), 256);
  EXPECT_EQ(grid.slots() == 0, grid.tiles() == 0);
  for (int64_t slot = 0; slot < grid.slots(); ++slot)
    EXPECT_LT(grid.FirstTile(slot), std::min(grid.FirstTile(slot + 1), grid.tiles()));
  EXPECT_GE(grid.FirstTile(grid.slots()), grid.tiles());
  EXPECT_EQ(grid.FirstTile(0), 0);
}

TEST(TileGridTest, RunsAreEvenAndBeginAtVectors) {
  const TileGrid grid = TileGrid::OfItems(2, 1025, 1024, false);  // not 1024 + 1
  EXPECT_EQ(grid.tiles(), 4);
  EXPECT_EQ(grid.Box(0).inner, 528);
  EXPECT_EQ(grid.Box(1).first_inner, 528);
  EXPECT_EQ(grid.Box(1).inner, 497);
}

TEST(TileGridTest, Jobs) {
  EXPECT_EQ(TileGrid::OfJobs(0).slots(), 0);
  EXPECT_EQ(TileGrid::OfJobs(3).slots(), 3);
  const TileGrid grid = TileGrid::OfJobs(1000);
  EXPECT_EQ(grid.tiles(), 1000);
  EXPECT_EQ(grid.slots(), 250);
  EXPECT_EQ(grid.FirstTile(1), 4);
}

TEST(TileItemsTest, About256KiBOr1MiBOfPlanes) {
  EXPECT_EQ(TileItems(4), 65536);
  EXPECT_EQ(TileItems(40), 6544);
  EXPECT_EQ(TileItems(100 << 10), 2);
  EXPECT_EQ(TileItems(int64_t{1} << 40), 1);
  EXPECT_EQ(TileItems(0), 256 << 10);
  EXPECT_EQ(TileItems(80, int64_t{1} << 40), 13104);
  EXPECT_EQ(TileItems(80, 1 << 20), TileItems(80)) << "many tiles of a small batch";
  EXPECT_EQ(TileItems(80, 32 << 20), 6544);
}

}  // namespace
}  // namespace gradeline
