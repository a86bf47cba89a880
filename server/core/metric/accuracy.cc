// Top-k accuracy: the share of items whose class is among the k highest scores. Exact counts; no thresholds.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/metric/counts_bytes.h"
#include "server/core/metric/families.h"
#include "server/core/metric/param_specs.h"
#include "server/core/metric/typed.h"

namespace gradeline {
namespace {

constexpr int64_t kMostItems = int64_t{1} << 53;

class Hits : public Counts {
 public:
  explicit Hits(int64_t k) : k_(k) {}

  absl::Status Add(const MetricBatch& batch) override {
    GRADELINE_ASSIGN_OR_RETURN(const Decisions* decisions, batch.decisions());
    const TensorView& prediction = *batch.Find("prediction");
    if (k_ > 1 && !IsReal(prediction.dtype)) {
      Violations violations;
      violations.Add("inputs.prediction", absl::StrCat("is classes; k of ", k_, " needs scores"));
      return violations.ToStatus();
    }
    for (int64_t i = 0; i < static_cast<int64_t>(decisions->wanted.size()); ++i) {
      const int32_t wanted = decisions->wanted[static_cast<size_t>(i)];
      if (wanted == kIgnored) continue;
      ++counted_;
      const bool hit = k_ == 1 ? decisions->predicted[static_cast<size_t>(i)] == wanted
                               : RankOf(prediction, *decisions, i, wanted) < k_;
      right_ += hit ? 1 : 0;
    }
    return absl::OkStatus();
  }

  absl::Status Merge(std::string_view bytes) override {
    CountsReader reader(bytes);
    const int64_t right = reader.Count(), counted = reader.Count();
    GRADELINE_RETURN_IF_ERROR(reader.Finish("accuracy"));
    if (right > counted) return absl::InvalidArgumentError("counts more items right than there are");
    if (counted > kMostItems - counted_) return absl::InvalidArgumentError("counts more items than 2^53");
    right_ += right;
    counted_ += counted;
    return absl::OkStatus();
  }

  std::string Bytes() const override {
    std::string bytes;
    PutUnsigned(static_cast<uint64_t>(right_), bytes);
    PutUnsigned(static_cast<uint64_t>(counted_), bytes);
    return bytes;
  }

  int64_t right() const { return right_; }
  int64_t counted() const { return counted_; }

 private:
  // How many classes come before `wanted`: those with a higher score, and lower classes with the same.
  static int64_t RankOf(const TensorView& prediction, const Decisions& decisions, int64_t item, int32_t wanted) {
    return WithDType(prediction.dtype, [&](auto type) {
      constexpr DType dtype = decltype(type)::dtype;
      const int64_t first = item / decisions.inner * decisions.classes * decisions.inner + item % decisions.inner;
      const auto score = ReadAs<dtype>(prediction.data, first + wanted * decisions.inner);
      int64_t rank = 0;
      for (int64_t k = 0; k < decisions.classes; ++k) {
        const auto other = ReadAs<dtype>(prediction.data, first + k * decisions.inner);
        rank += other > score || (other == score && k < wanted) ? 1 : 0;
      }
      return rank;
    });
  }

  const int64_t k_;
  int64_t right_ = 0, counted_ = 0;
};

const CountsKind& HitsKind(std::string_view) {
  static const CountsKind kKind{"accuracy", {"k"}, [](const CountsOptions& options) -> std::unique_ptr<Counts> {
                                  return std::make_unique<Hits>(static_cast<int64_t>(NumberOf(options.params, "k")));
                                }};
  return kKind;
}

MetricResult Share(const Counts& counts, const ParamMap&) {
  const auto& hits = static_cast<const Hits&>(counts);
  if (hits.counted() == 0) return {};
  return {.value = static_cast<double>(hits.right()) / static_cast<double>(hits.counted()), .count = hits.counted()};
}

}  // namespace

std::vector<Metric> AccuracyMetrics() {
  Metric accuracy;
  accuracy.id = "accuracy";
  accuracy.title = "Accuracy";
  accuracy.doc = "Share of items whose class is among the k highest scores; of pixels the pixel accuracy.";
  accuracy.reference = "scikit-learn top_k_accuracy_score; ties go to the lower class";
  accuracy.signals = {"multiclass", "pixel-multiclass"};
  accuracy.params = {IntegerParam("k", "how many of the highest scores count", 1, 1, 100000)};
  accuracy.counts = HitsKind;
  accuracy.compute = Share;
  return {accuracy};
}

}  // namespace gradeline
