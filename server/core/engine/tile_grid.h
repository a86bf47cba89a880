// How a batch is cut: tiles, and slots of consecutive tiles that share their sums. A function of shapes alone, never of
// threads, so that sums are added in the same order whatever runs them.
#ifndef GRADELINE_SERVER_CORE_ENGINE_TILE_GRID_H_
#define GRADELINE_SERVER_CORE_ENGINE_TILE_GRID_H_

#include <cstdint>

namespace gradeline {

/// Raise when tiles or slots change: results then have other bits. Part of Engine::numerics().
inline constexpr int kTilePlanVersion = 3;

/// A box of items: a run of one outer, or whole outers (first_inner 0, inner all of them).
struct TileBox {
  int64_t first_outer = 0, outer = 0, first_inner = 0, inner = 0;
  int64_t items() const { return outer * inner; }
};

class TileGrid {
 public:
  static constexpr int64_t kMostSlots = 256;

  TileGrid() = default;
  /// Tiles of at most `tile_items` items (>= 1), or of at least one whole outer if `whole_outer`.
  static TileGrid OfItems(int64_t outer, int64_t inner, int64_t tile_items, bool whole_outer);
  /// One tile per job; Box is meaningless.
  static TileGrid OfJobs(int64_t jobs);

  int64_t tiles() const { return tiles_; }
  int64_t slots() const { return slots_; }
  int64_t FirstTile(int64_t slot) const { return slot * tiles_per_slot_; }  ///< of `slot`; of slots(): at least tiles()
  TileBox Box(int64_t tile) const;
  int64_t most_items() const { return most_items_; }  ///< of the largest tile

 private:
  void SetTiles(int64_t tiles);

  int64_t outer_ = 0, inner_ = 0;
  int64_t outers_per_tile_ = 1;  // whole outers
  int64_t run_items_ = 0;        // not 0: runs of one outer
  int64_t runs_per_outer_ = 1;
  int64_t tiles_ = 0, tiles_per_slot_ = 1, slots_ = 0, most_items_ = 0;
};

/// Most items of one tile when an item takes `item_bytes`: about 256 KiB of input, half of a small L2 cache. Planes,
/// where the elements of an item lie apart, give up to 1 MiB of their `planes_bytes`, so that a tile's runs of each
/// plane are long; small batches still have 64 tiles.
int64_t TileItems(int64_t item_bytes, int64_t planes_bytes = 0);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_ENGINE_TILE_GRID_H_
