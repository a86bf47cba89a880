// Times what metrics count of a batch, in turns with a probe that only reads the same bytes. Every iteration is one of
// both; the medians and their ratio are counters.
#include <algorithm>
#include <ctime>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "benchmark/benchmark.h"
#include "server/core/metric/metric.h"

namespace gradeline::bench {
namespace {

struct Tensor {
  DType dtype;
  std::vector<int64_t> shape;
  std::vector<uint64_t> words;

  Tensor(DType type, std::vector<int64_t> sizes)
      : dtype(type), shape(std::move(sizes)), words((*ElementCount(shape) * SizeOf(type) + 7) / 8) {}
  template <typename T>
  T* As() {
    return reinterpret_cast<T*>(words.data());
  }
  int64_t elements() const { return *ElementCount(shape); }
  TensorView view() const { return {dtype, shape, words.data()}; }
};

uint64_t Read(const std::vector<uint64_t>& words) {
  uint64_t sum = 0;
  for (const uint64_t word : words) sum += word;
  return sum;
}

/// Of this thread on a core: others that share the machine count less.
double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void Run(benchmark::State& state, const std::string& id, const std::string& signal, const Tensor& prediction,
         const Tensor& target) {
  const Metric& metric = **FindMetric(id);
  const CountsOptions options{*ResolveParams(metric.params, {})};
  std::vector<double> counting, reading;
  for (auto _ : state) {
    double begin = CpuSeconds();
    const std::unique_ptr<Counts> counts = metric.counts(signal).make(options);
    const absl::Status added =
        counts->Add(MetricBatch(signal, {{"prediction", prediction.view()}, {"target", target.view()}}, 255));
    counting.push_back(CpuSeconds() - begin);
    if (!added.ok()) return state.SkipWithError(added.ToString().c_str());
    begin = CpuSeconds();
    benchmark::DoNotOptimize(Read(prediction.words) + Read(target.words));
    reading.push_back(CpuSeconds() - begin);
    state.SetIterationTime(counting.back());
  }
  const auto bytes = static_cast<double>(8 * (prediction.words.size() + target.words.size()));
  state.counters["bytes"] = bytes;
  state.counters["GB/s"] = bytes / Median(counting) / 1e9;
  state.counters["probe_GB/s"] = bytes / Median(reading) / 1e9;
  state.counters["ratio"] = Median(reading) / Median(counting);
}

Tensor Scores(std::vector<int64_t> shape) {
  Tensor scores(DType::kF32, std::move(shape));
  std::minstd_rand random(1);
  std::normal_distribution<float> normal;
  std::generate_n(scores.As<float>(), scores.elements(), [&] { return normal(random); });
  return scores;
}

/// Classes below `classes` in squares of `side` pixels, and some ignored.
template <typename T>
Tensor Labels(DType dtype, std::vector<int64_t> shape, int64_t classes, int64_t side, unsigned seed) {
  Tensor labels(dtype, std::move(shape));
  const int64_t width = labels.shape.back(), count = labels.elements();
  for (int64_t i = 0; i < count; ++i) {
    const int64_t square = i / width / side * 4096 + i % width / side;
    const auto mixed = static_cast<uint64_t>(square + 1) * 0x9E3779B97F4A7C15u * (2 * seed + 1) >> 40;
    labels.As<T>()[i] = static_cast<T>(mixed % 50 == 0 ? 255 : static_cast<int64_t>(mixed) % classes);
  }
  return labels;
}

/// A prediction has no ignored pixels.
Tensor Decided(int64_t side) {
  Tensor labels = Labels<uint8_t>(DType::kU8, {8, 512, 512}, 21, side, 2);
  std::replace(labels.As<uint8_t>(), labels.As<uint8_t>() + labels.elements(), uint8_t{255}, uint8_t{0});
  return labels;
}

/// The inputs are made when their turn comes.
void Register(const char* name, const char* id, const char* signal, std::function<Tensor()> prediction,
              std::function<Tensor()> target) {
  benchmark::RegisterBenchmark(name, [id, signal, p = std::move(prediction), t = std::move(target)](
                                         benchmark::State& state) { Run(state, id, signal, p(), t()); })
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

int Main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  const auto scores = [](std::vector<int64_t> shape) { return [shape] { return Scores(shape); }; };
  const auto bytes = [](std::vector<int64_t> shape, int64_t classes, int64_t side) {
    return [=] { return Labels<uint8_t>(DType::kU8, shape, classes, side, 1); };
  };
  const auto labels = [](std::vector<int64_t> shape, int64_t classes, int64_t side) {
    return [=] { return Labels<int64_t>(DType::kI64, shape, classes, side, 1); };
  };
  const auto decided = [](int64_t side) { return [side] { return Decided(side); }; };
  const std::vector<int64_t> pixels = {8, 512, 512}, planes = {8, 21, 512, 512}, rows = {65536, 80};
  Register("confusion/pixels-21", "confusion_matrix", "pixel-multiclass", scores(planes), labels(pixels, 21, 32));
  Register("confusion/decided-squares", "confusion_matrix", "pixel-multiclass", decided(33), bytes(pixels, 21, 32));
  Register("confusion/decided-noise", "confusion_matrix", "pixel-multiclass", decided(1), bytes(pixels, 21, 1));
  Register("confusion/rows-10", "confusion_matrix", "multiclass", scores({1 << 20, 10}), labels({1 << 20}, 10, 1));
  Register("confusion/rows-1000", "confusion_matrix", "multiclass", scores({16384, 1000}), labels({16384}, 1000, 1));
  Register("labels/pixels-21", "mean_iou", "pixel-multilabel", scores(planes), bytes(planes, 2, 32));
  Register("labels/rows-80", "f_score", "multilabel", scores(rows), bytes(rows, 2, 1));
  Register("examples/rows-80", "subset_accuracy", "multilabel", scores(rows), bytes(rows, 2, 1));
  Register("boundary/decided-squares", "boundary_f_score", "pixel-multiclass", decided(33), bytes(pixels, 21, 32));
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace gradeline::bench

int main(int argc, char** argv) { return gradeline::bench::Main(argc, argv); }
