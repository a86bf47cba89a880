// What the machine can do with the same memory on the same number of threads: the limits that losses are compared with.
#ifndef GRADELINE_TESTS_BENCH_PROBES_H_
#define GRADELINE_TESTS_BENCH_PROBES_H_

#include <tbb/task_arena.h>

#include <cstdint>

namespace gradeline::bench {

/// Arrays are aligned to 64 bytes, and rounded up to whole groups of 16 floats may be read and written. Stores go
/// round the caches where the arrays of a call are larger than 4 MiB. One call at a time.
class Probes {
 public:
  explicit Probes(int threads) : arena_(threads) {}

  void Copy(const float* from, float* to, int64_t count);
  void Triad(const float* a, const float* b, float* to, int64_t count);  ///< to = a + 2 b
  float Read(const float* from, int64_t count);                          ///< the sum, order not fixed
  /// The sum as the engine makes it: by tiles of 256 KiB, whose sums are added in their order.
  float ReadInOrder(const float* from, int64_t count);
  void Exp(const float* from, float* to, int64_t count);
  /// Copies each group of keys to `room` and sorts it there, ascending.
  void Sort(const uint64_t* keys, uint64_t* room, int64_t groups, int64_t keys_per_group);

 private:
  tbb::task_arena arena_;
};

}  // namespace gradeline::bench

#endif  // GRADELINE_TESTS_BENCH_PROBES_H_
