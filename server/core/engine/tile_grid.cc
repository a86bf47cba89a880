#include "server/core/engine/tile_grid.h"

#include <algorithm>

namespace gradeline {
namespace {

constexpr int64_t kTileBytes = 256 << 10, kPlanesBytes = 1 << 20;
constexpr int64_t kVectorItems = 16;  // runs begin at multiples of it, so that kernels meet one ragged end per outer

int64_t DivideUp(int64_t a, int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

}  // namespace

int64_t TileItems(int64_t item_bytes, int64_t planes_bytes) {
  const int64_t bytes = std::clamp(planes_bytes / 64, kTileBytes, kPlanesBytes);
  const int64_t items = std::max<int64_t>(1, bytes / std::max<int64_t>(1, item_bytes));
  return items >= kVectorItems ? items / kVectorItems * kVectorItems : items;
}

TileGrid TileGrid::OfItems(int64_t outer, int64_t inner, int64_t tile_items, bool whole_outer) {
  TileGrid grid;
  grid.outer_ = outer;
  grid.inner_ = inner;
  if (outer == 0 || inner == 0) return grid;
  if (whole_outer || inner <= tile_items) {
    grid.outers_per_tile_ = std::clamp<int64_t>(tile_items / inner, 1, outer);
    // Tiles begin at whole vectors of memory, whatever an outer is long.
    if (grid.outers_per_tile_ > kVectorItems) grid.outers_per_tile_ -= grid.outers_per_tile_ % kVectorItems;
    grid.most_items_ = grid.outers_per_tile_ * inner;
    grid.SetTiles(DivideUp(outer, grid.outers_per_tile_));
    return grid;
  }
  // Runs of nearly equal length: no tile of one item at the end of each outer.
  const int64_t even = DivideUp(inner, DivideUp(inner, tile_items));
  const int64_t rounded = DivideUp(even, kVectorItems) * kVectorItems;
  grid.run_items_ = rounded <= tile_items ? rounded : even;
  grid.runs_per_outer_ = DivideUp(inner, grid.run_items_);
  grid.most_items_ = grid.run_items_;
  grid.SetTiles(outer * grid.runs_per_outer_);
  return grid;
}

TileGrid TileGrid::OfJobs(int64_t jobs) {
  TileGrid grid;
  grid.SetTiles(jobs);
  return grid;
}

void TileGrid::SetTiles(int64_t tiles) {
  tiles_ = tiles;
  tiles_per_slot_ = std::max<int64_t>(1, DivideUp(tiles, kMostSlots));
  slots_ = DivideUp(tiles, tiles_per_slot_);
}

TileBox TileGrid::Box(int64_t tile) const {
  if (run_items_ == 0) {
    const int64_t first = tile * outers_per_tile_;
    return {first, std::min(outers_per_tile_, outer_ - first), 0, inner_};
  }
  const int64_t first = tile % runs_per_outer_ * run_items_;
  return {tile / runs_per_outer_, 1, first, std::min(run_items_, inner_ - first)};
}

}  // namespace gradeline
