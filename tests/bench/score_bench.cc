// What counting scores and regression costs, beside what the machine can do with the same numbers: sort as many 64-bit
// keys, read as many bytes. Each round times every side once, in turn, so that all see the same machine; the ratios are
// those of the medians. `score_bench [ROUNDS]` prints them; with arguments of Google Benchmark it is such a program.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "server/core/metric/metric.h"

namespace gradeline::bench {
namespace {

/// One batch, f32 predictions; targets are u8 labels, or f32 of a regression.
class Work {
 public:
  Work(std::string name, std::string signal, std::vector<int64_t> shape, std::string metric)
      : name_(std::move(name)), signal_(std::move(signal)), shape_(std::move(shape)), metric_(std::move(metric)) {
    std::mt19937_64 random(1);
    std::normal_distribution<float> normal;
    target_shape_ = shape_;
    if (signal_ == "multiclass") target_shape_.pop_back();
    scores_.resize(static_cast<size_t>(*ElementCount(shape_)));
    for (float& score : scores_) score = normal(random);
    labels_.resize(static_cast<size_t>(*ElementCount(target_shape_)));
    for (uint8_t& label : labels_) label = static_cast<uint8_t>(random() % (signal_ == "multiclass" ? 10 : 2));
    if (signal_ == "value") targets_.assign(scores_.size(), 0);
    for (float& target : targets_) target = normal(random);
    keys_.resize(scores_.size());
    for (uint64_t& key : keys_) key = random();
  }

  const std::string& name() const { return name_; }

  void Count() const {
    const std::unique_ptr<Counts> counts = Counted();
    benchmark::DoNotOptimize(counts.get());
  }
  /// As a record does, which keeps the bytes.
  void CountToBytes() const { benchmark::DoNotOptimize(Counted()->Bytes().size()); }
  /// std::sort, in as many groups as there are classes.
  void Sort() {
    room_ = keys_;
    const size_t groups = signal_ == "multiclass" ? static_cast<size_t>(shape_.back()) : 1,
                 size = room_.size() / groups;
    for (size_t g = 0; g < groups; ++g) {
      const auto begin = room_.begin() + static_cast<int64_t>(g * size);
      std::sort(begin, begin + static_cast<int64_t>(size));
    }
    benchmark::DoNotOptimize(room_.data());
  }
  void Read() const {
    benchmark::DoNotOptimize(Sum(scores_) + Sum(targets_));
    benchmark::DoNotOptimize(std::accumulate(labels_.begin(), labels_.end(), uint64_t{0}));
  }
  size_t record_bytes() const { return Counted()->Bytes().size(); }

 private:
  static float Sum(const std::vector<float>& values) {
    float lanes[16] = {};
    for (size_t i = 0; i + 16 <= values.size(); i += 16) {
      for (size_t lane = 0; lane < 16; ++lane) lanes[lane] += values[i + lane];
    }
    return std::accumulate(std::begin(lanes), std::end(lanes), 0.0F);
  }
  std::unique_ptr<Counts> Counted() const {
    const Metric& metric = **FindMetric(metric_);
    std::unique_ptr<Counts> counts = metric.counts(signal_).make({*ResolveParams(metric.params, {})});
    const TensorView target = signal_ == "value" ? TensorView{DType::kF32, target_shape_, targets_.data()}
                                                 : TensorView{DType::kU8, target_shape_, labels_.data()};
    const MetricBatch batch(signal_, {{"prediction", {DType::kF32, shape_, scores_.data()}}, {"target", target}});
    if (const absl::Status status = counts->Add(batch); !status.ok()) {
      std::fprintf(stderr, "%s: %s\n", name_.c_str(), status.ToString().c_str());
      std::exit(1);
    }
    return counts;
  }

  std::string name_, signal_;
  std::vector<int64_t> shape_, target_shape_;
  std::string metric_;
  std::vector<float> scores_, targets_;
  std::vector<uint8_t> labels_;
  std::vector<uint64_t> keys_, room_;
};

struct Side {
  std::string name;
  std::function<void(Work&)> run;
};
const std::vector<Side>& Sides() {
  static const std::vector<Side> kSides = {{"count", [](Work& work) { work.Count(); }},
                                           {"count+bytes", [](Work& work) { work.CountToBytes(); }},
                                           {"sort", [](Work& work) { work.Sort(); }},
                                           {"read", [](Work& work) { work.Read(); }}};
  return kSides;
}

std::vector<std::unique_ptr<Work>> AllWork() {
  std::vector<std::unique_ptr<Work>> all;
  const auto add = [&](auto... arguments) { all.push_back(std::make_unique<Work>(arguments...)); };
  add("scores/4096x10", "multiclass", std::vector<int64_t>{4096, 10}, "roc_auc");
  add("scores/65536x1", "binary", std::vector<int64_t>{65536}, "roc_auc");
  add("calibration/4096x10", "multiclass", std::vector<int64_t>{4096, 10}, "calibration_error");
  add("regression/65536x1", "value", std::vector<int64_t>{65536}, "r2_score");
  add("regression/16384x4", "value", std::vector<int64_t>{16384, 4}, "r2_score");
  return all;
}

double SecondsOf(const Side& side, Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  side.run(work);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

void Report(const std::vector<std::unique_ptr<Work>>& all, int rounds) {
  std::printf("%-22s %12s %12s %12s %12s  %9s %9s %12s\n", "batch", "count us", "+bytes us", "sort us", "read us",
              "count/sort", "count/read", "record bytes");
  for (const auto& work : all) {
    std::vector<std::vector<double>> seconds(Sides().size());
    for (int round = -3; round < rounds; ++round) {
      for (size_t side = 0; side < Sides().size(); ++side) {
        const double taken = SecondsOf(Sides()[side], *work);
        if (round >= 0) seconds[side].push_back(taken);
      }
    }
    std::vector<double> medians;
    for (const auto& side : seconds) medians.push_back(Median(side) * 1e6);
    std::printf("%-22s %12.1f %12.1f %12.1f %12.1f  %9.2f %9.1f %12zu\n", work->name().c_str(), medians[0], medians[1],
                medians[2], medians[3], medians[0] / medians[2], medians[0] / medians[3], work->record_bytes());
  }
}

int Main(int argc, char** argv) {
  const std::vector<std::unique_ptr<Work>> all = AllWork();
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 200;
  if (rounds > 0) {
    Report(all, rounds);
    return 0;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  for (const auto& work : all) {
    for (const Side& side : Sides()) {
      benchmark::RegisterBenchmark((work->name() + "/" + side.name).c_str(), [&](benchmark::State& state) {
        for (auto _ : state) side.run(*work);
      });
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace gradeline::bench

int main(int argc, char** argv) { return gradeline::bench::Main(argc, argv); }
