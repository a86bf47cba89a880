// One tensor of one tile: copying it in as the kernel wants it, checking its values, narrowing its gradient on the way
// out. Knows nothing of passes or threads; allocates nothing.
#ifndef GRADELINE_SERVER_CORE_ENGINE_TILE_TENSOR_H_
#define GRADELINE_SERVER_CORE_ENGINE_TILE_TENSOR_H_

#include <cstdint>
#include <optional>

#include "plugins/sdk/loss_abi.h"
#include "server/core/engine/call_plan.h"
#include "server/core/engine/tile_grid.h"

namespace gradeline {

/// Where the elements of a tile lie in a tensor: `runs` runs of `length` elements, `stride` apart, from `first` on.
/// A converted copy has the same runs one after another.
struct TileRuns {
  int64_t first = 0, runs = 1, length = 0, stride = 0;
  int64_t elements() const { return runs * length; }
};
TileRuns RunsOf(const TensorPlan& tensor, int64_t inner, const TileBox& box);

/// The first wrong value of a tile, by item, then by number within the item.
struct BadElement {
  int64_t item = 0;     ///< number in the batch; 0 in a whole tensor
  int64_t element = 0;  ///< flat index in the tensor
};

/// Converts `runs` of `data` to `real_bytes` reals (or int32 labels, -1 = ignored) at `out`, dense. Labels out of range
/// become -1 too; returns whether there were any. `out` is aligned to 8.
bool CopyIn(const TensorPlan& tensor, const TileRuns& runs, const void* data, int real_bytes, void* out);

/// Whether kernels can read the labels where they are: int32, aligned, one run, all in range and none ignored. `fit`:
/// their values were looked at before.
bool LabelsFitInPlace(const TensorPlan& tensor, const TileRuns& runs, const void* data, bool fit = false);

/// Whether every real of the view is finite (if `finite`) and in the tensor's range. `at` is its first element, in
/// place or a dense copy, `stride` elements from run to run.
bool RealsFit(const TensorPlan& tensor, const TileRuns& runs, const void* at, int64_t stride, int real_bytes,
              bool finite);

/// Looks for the first wrong value in the tensor itself; nullopt if all are right. Slow; for the error's message.
std::optional<BadElement> FindBad(const TensorPlan& tensor, int64_t inner, const TileBox& box, const void* data,
                                  bool finite);

/// One element as a number, and whether it is right.
double ValueAt(DType dtype, const void* data, int64_t element);
int64_t LabelAt(const void* data, int64_t element);  ///< of i64, exact
bool IsRight(const TensorPlan& tensor, const void* data, int64_t element, bool finite);

/// Stores the dense reals of `from` into `runs` of `data`, rounded to `dtype`.
void CopyOut(DType dtype, const TileRuns& runs, const void* from, int real_bytes, void* data);

/// Adds the dense reals of `from` to `runs` of `sum`, of type `sum_dtype` (f32 or f64), and stores what comes out into
/// `runs` of `data`, rounded to `dtype`. `data` may be `sum`.
void AddOut(DType sum_dtype, const TileRuns& runs, const void* from, int real_bytes, const void* sum, DType dtype,
            void* data);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_ENGINE_TILE_TENSOR_H_
