// Times every built-in loss through the engine, and the probes beside it. By itself a Google Benchmark program; with
// --serve it takes requests from losses.py, with --list it names the cases.
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "tests/bench/loss_requests.h"
#include "tests/bench/loss_work.h"
#include "tests/bench/measure.h"

namespace gradeline::bench {
namespace {

void RunCase(benchmark::State& state, LossWork& work, const LossCase& which, std::string_view size,
             std::string_view side) {
  if (!work.IsOpen(which, size)) {
    if (const absl::Status opened = work.Open(which, size); !opened.ok()) {
      return state.SkipWithError(opened.ToString().c_str());
    }
  }
  const auto body = work.Side(side);
  if (!body.ok()) return state.SkipWithError(body.status().ToString().c_str());
  (*body)();
  const int64_t faults = MinorFaults();
  for (auto _ : state) (*body)();
  state.SetItemsProcessed(state.iterations() * work.batch().prediction().elements());
  state.counters["minor_faults"] =
      benchmark::Counter(static_cast<double>(MinorFaults() - faults), benchmark::Counter::kAvgIterations);
}

void Register(LossWork& work, const LossCase& which, std::string_view size, std::string_view side) {
  benchmark::RegisterBenchmark(
      absl::StrCat(NameOf(which), "/", std::string(size), "/", std::string(side)).c_str(),
      [&work, &which, size, side](benchmark::State& state) { RunCase(state, work, which, size, side); })
      ->UseRealTime()
      ->MeasureProcessCPUTime();
}

int Main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "--list") return ListCases(std::cout);
  benchmark::Initialize(&argc, argv);
  LossWork work;
  if (mode == "--serve") return Serve(work, std::cin, std::cout);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  for (const LossCase& which : LossCases()) {
    if (!BuiltinLosses(true)->Find(which.loss).ok()) {
      std::fprintf(stderr, "skipped: there is no loss %s\n", std::string(which.loss).c_str());
      continue;
    }
    for (const std::string_view size : SizesOf(which)) {
      for (const std::string_view side : {"gradient", "evaluate"}) Register(work, which, size, side);
      if (which.limit == Limit::kCopy) Register(work, which, size, "copy");
      if (which.limit == Limit::kTriad) Register(work, which, size, "triad");
      if (which.limit == Limit::kSort) Register(work, which, size, "sort");
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace gradeline::bench

int main(int argc, char** argv) { return gradeline::bench::Main(argc, argv); }
