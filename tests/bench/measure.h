// One measurement through Google Benchmark, asked for while a program runs.
#ifndef GRADELINE_TESTS_BENCH_MEASURE_H_
#define GRADELINE_TESTS_BENCH_MEASURE_H_

#include <cstdint>
#include <functional>

namespace gradeline::bench {

struct Measurement {
  double seconds;       ///< per call: the least of the repetitions' means
  double cpu_seconds;   ///< per call, of all threads: the mean
  double minor_faults;  ///< per call: the mean
};

/// Times `repetitions` times `calls` calls. Google Benchmark must be initialised; forgets benchmarks registered with
/// it.
Measurement Measure(const std::function<void()>& work, int64_t calls, int repetitions);

/// Minor page faults of this process so far.
int64_t MinorFaults();

}  // namespace gradeline::bench

#endif  // GRADELINE_TESTS_BENCH_MEASURE_H_
