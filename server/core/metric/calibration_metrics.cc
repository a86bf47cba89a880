// Expected calibration error (Guo et al. 2017): how far confidence is from the share that is right. Of multiclass the
// confidence is the highest softmax probability, of binary the probability of 1, right where the label is 1, as
// torchmetrics has it. A confidence of exactly 1 belongs to the last bin; torchmetrics gives it a bin of its own.
#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/metric/calibration.h"
#include "server/core/metric/counts_bytes.h"
#include "server/core/metric/families.h"
#include "server/core/metric/param_specs.h"
#include "server/core/metric/scored.h"

namespace gradeline {
namespace {

using Sum = unsigned __int128;
constexpr int64_t kMost = (int64_t{1} << 53) - 1;
constexpr int64_t kMostBins = 10000;  // 320 KB
constexpr double kOne = static_cast<double>(int64_t{1} << 52);

/// Items of one bin: how many, how many right, and their confidences, each rounded once to a multiple of 2^-52.
struct Bin {
  int64_t items = 0, right = 0;
  Sum confidence = 0;
};

class Calibration : public Counts {
 public:
  explicit Calibration(int64_t bins) : bins_(static_cast<size_t>(bins)) {}

  absl::Status Add(const MetricBatch& batch) override {
    const TensorView* prediction = batch.Find("prediction");
    if (prediction != nullptr && !IsReal(prediction->dtype)) {
      Violations violations;
      violations.Add("inputs.prediction", "is decisions; allowed: scores");
      return violations.ToStatus();
    }
    GRADELINE_ASSIGN_OR_RETURN(const Scored scored, ReadScored(batch));
    const bool binary = batch.signal() == "binary";
    const Decisions* decisions = nullptr;
    if (!binary) {
      GRADELINE_ASSIGN_OR_RETURN(decisions, batch.decisions());
    }
    for (size_t i = 0; i < static_cast<size_t>(scored.items); ++i) {
      if (scored.labels[i] == Scored::kSkipped) continue;
      if (binary) {
        Count(Sigmoid(scored.scores[i]), scored.labels[i] == Scored::kYes);
        continue;
      }
      double highest = 0;
      for (size_t at = i; at < scored.scores.size(); at += static_cast<size_t>(scored.items)) {
        highest = std::max(highest, scored.scores[at]);
      }
      Count(highest, decisions->predicted[i] == decisions->wanted[i]);
    }
    return absl::OkStatus();
  }

  // The bins that are not empty: how far from the one before, then what is in them.
  absl::Status Merge(std::string_view bytes) override {
    CountsReader reader(bytes);
    std::vector<Bin> merged = bins_;
    size_t next = 0;
    while (reader.ok() && !reader.done()) {
      const auto i = next + static_cast<size_t>(reader.Count(kMostBins));
      const int64_t items = reader.Count(kMost), right = reader.Count(items);
      const Sum low = reader.Unsigned(), high = reader.Unsigned();
      const Sum confidence = high << 64 | low;
      if (!reader.ok() || i >= bins_.size() || items < 1 || confidence > static_cast<Sum>(items) << 52 ||
          items > kMost - merged[i].items) {
        return absl::InvalidArgumentError("is no calibration count");
      }
      merged[i].items += items;
      merged[i].right += right;
      merged[i].confidence += confidence;
      next = i + 1;
    }
    GRADELINE_RETURN_IF_ERROR(reader.Finish("calibration"));
    bins_ = std::move(merged);
    return absl::OkStatus();
  }

  std::string Bytes() const override {
    std::string bytes;
    size_t next = 0;
    for (size_t i = 0; i < bins_.size(); ++i) {
      if (bins_[i].items == 0) continue;
      PutUnsigned(i - next, bytes);
      PutUnsigned(static_cast<uint64_t>(bins_[i].items), bytes);
      PutUnsigned(static_cast<uint64_t>(bins_[i].right), bytes);
      PutUnsigned(static_cast<uint64_t>(bins_[i].confidence), bytes);
      PutUnsigned(static_cast<uint64_t>(bins_[i].confidence >> 64), bytes);
      next = i + 1;
    }
    return bytes;
  }

  const std::vector<Bin>& bins() const { return bins_; }

 private:
  void Count(double confidence, bool right) {
    Bin& bin = bins_[BinOf(confidence, bins_.size())];
    ++bin.items;
    bin.right += right ? 1 : 0;
    bin.confidence += static_cast<uint64_t>(std::nearbyint(confidence * kOne));
  }
  std::vector<Bin> bins_;
};

const CountsKind& CalibrationKind(std::string_view) {
  static const CountsKind kKind{
      "calibration", {"bins"}, [](const CountsOptions& options) -> std::unique_ptr<Counts> {
        return std::make_unique<Calibration>(static_cast<int64_t>(NumberOf(options.params, "bins")));
      }};
  return kKind;
}

MetricResult CalibrationError(const Counts& counts, const ParamMap& params) {
  const std::string& norm = WordOf(params, "norm");
  MetricResult result;
  Curve curve{0, "confidence", "accuracy", {}, {}};
  std::vector<double> gaps, items;
  for (const Bin& bin : static_cast<const Calibration&>(counts).bins()) {
    if (bin.items == 0) continue;
    const auto n = static_cast<double>(bin.items);
    curve.x.push_back(static_cast<double>(bin.confidence) / kOne / n);
    curve.y.push_back(static_cast<double>(bin.right) / n);
    // Of whole numbers, so that nothing is lost where both are alike.
    const auto gap = static_cast<__int128>(bin.confidence) - (static_cast<__int128>(bin.right) << 52);
    gaps.push_back(static_cast<double>(gap < 0 ? -gap : gap) / kOne / n);
    items.push_back(n);
    result.count += bin.items;
  }
  for (size_t i = 0; i < gaps.size(); ++i) {
    const double share = items[i] / static_cast<double>(result.count);
    if (norm == "l1") result.value += gaps[i] * share;
    if (norm == "l2") result.value += gaps[i] * gaps[i] * share;
    if (norm == "max") result.value = std::max(result.value, gaps[i]);
  }
  if (norm == "l2") result.value = std::sqrt(result.value);
  if (result.count == 0) result.note = "nothing was counted";
  if (result.count > 0) result.curves.push_back(std::move(curve));
  return result;
}

}  // namespace

std::vector<Metric> CalibrationMetrics() {
  Metric metric;
  metric.id = "calibration_error";
  metric.title = "Calibration error";
  metric.doc =
      "How far confidence is from the share that is right, over bins of confidence. Multiclass: the highest softmax "
      "probability; binary: the probability of 1. A confidence of 1 is in the last bin (torchmetrics: in one of its "
      "own).";
  metric.reference = "torchmetrics CalibrationError";
  metric.signals = {"multiclass", "binary"};
  metric.params = {
      IntegerParam("bins", "how many bins of the same width", 15, 1, static_cast<double>(kMostBins)),
      ChoiceParam("norm", "l1: mean distance; l2: root of the mean square; max: the largest", {"l1", "l2", "max"})};
  metric.maximise = false;
  metric.counts = CalibrationKind;
  metric.compute = CalibrationError;
  return {metric};
}

}  // namespace gradeline
