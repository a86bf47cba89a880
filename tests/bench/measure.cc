#include "tests/bench/measure.h"

#include <sys/resource.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "benchmark/benchmark.h"

namespace gradeline::bench {
namespace {

class Collector : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration) continue;
      const auto calls = static_cast<double>(run.iterations);
      total_.seconds = std::min(total_.seconds, run.real_accumulated_time / calls);
      total_.cpu_seconds += run.cpu_accumulated_time / calls;
      total_.minor_faults += run.counters.at("minor_faults");
      ++runs_;
    }
  }
  Measurement Mean() const { return {total_.seconds, total_.cpu_seconds / runs_, total_.minor_faults / runs_}; }

 private:
  Measurement total_{std::numeric_limits<double>::infinity(), 0, 0};
  int runs_ = 0;
};

}  // namespace

int64_t MinorFaults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

Measurement Measure(const std::function<void()>& work, int64_t calls, int repetitions) {
  benchmark::ClearRegisteredBenchmarks();
  benchmark::RegisterBenchmark("request",
                               [&](benchmark::State& state) {
                                 const int64_t faults = MinorFaults();
                                 for (auto _ : state) work();
                                 state.counters["minor_faults"] = benchmark::Counter(
                                     static_cast<double>(MinorFaults() - faults), benchmark::Counter::kAvgIterations);
                               })
      ->Iterations(calls)
      ->Repetitions(repetitions)
      ->UseRealTime()
      ->MeasureProcessCPUTime();
  Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector, "request");
  return collector.Mean();
}

}  // namespace gradeline::bench
