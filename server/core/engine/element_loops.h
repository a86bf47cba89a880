// Loops over all elements of a tile's tensors, compiled once for each instruction set and chosen at run time.
#ifndef GRADELINE_SERVER_CORE_ENGINE_ELEMENT_LOOPS_H_
#define GRADELINE_SERVER_CORE_ENGINE_ELEMENT_LOOPS_H_

#include <cstddef>
#include <cstdint>
#include <optional>

namespace gradeline {

bool AllFinite(const float* values, int64_t count);
bool AllFinite(const double* values, int64_t count);

/// Whether all are in [min, max]; NaN is not.
bool AllWithin(const float* values, int64_t count, double min, double max);
bool AllWithin(const double* values, int64_t count, double min, double max);

/// Which labels are right: those below `size`, and `ignore`.
struct LabelRange {
  uint32_t size = 0;
  std::optional<int64_t> ignore;
};

/// Whether all are in [0, size).
bool AllBelow(const int32_t* labels, int64_t count, uint32_t size);

/// Copies labels, unaligned, as int32; ignored ones and those out of range become -1. Returns whether there were any of
/// the latter.
bool CopyLabelsU8(const std::byte* from, int64_t count, const LabelRange& range, int32_t* to);
bool CopyLabelsI32(const std::byte* from, int64_t count, const LabelRange& range, int32_t* to);
bool CopyLabelsI64(const std::byte* from, int64_t count, const LabelRange& range, int32_t* to);

/// Labels that are not negative.
int64_t CountValid(const int32_t* labels, int64_t count);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_ENGINE_ELEMENT_LOOPS_H_
