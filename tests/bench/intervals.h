// Medians with bootstrap intervals, and what a process has used.
#ifndef GRADELINE_TESTS_BENCH_INTERVALS_H_
#define GRADELINE_TESTS_BENCH_INTERVALS_H_

#include <sys/types.h>

#include <vector>

namespace gradeline::bench {

double Median(std::vector<double> values);

/// The median and the 2.5 % and 97.5 % quantiles of the medians of 2,000 resamples (percentile bootstrap, fixed seed).
struct Interval {
  double median, low, high;
};
Interval MedianInterval(const std::vector<double>& values);

/// User and system seconds of a process so far, in steps of 10 ms.
double CpuSeconds(pid_t pid);
/// Resident memory of a process, in MiB.
double ResidentMib(pid_t pid);

}  // namespace gradeline::bench

#endif  // GRADELINE_TESTS_BENCH_INTERVALS_H_
