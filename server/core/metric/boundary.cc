#include "server/core/metric/boundary.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/metric/counts_bytes.h"
#include "server/core/metric/families.h"
#include "server/core/metric/memory_limit.h"
#include "server/core/metric/param_specs.h"
#include "server/core/metric/slots.h"

namespace gradeline {
namespace {

constexpr int64_t kMostPixels = int64_t{1} << 30;  // of an image: products of two numbers of pixels times 2^53 fit

absl::Status CheckRoom(int64_t classes, int64_t max_bytes) {
  return CheckMemory(absl::StrCat("boundary sums of ", classes, " classes"),
                     static_cast<double>(sizeof(Boundary::Sum)) * static_cast<double>(classes), max_bytes);
}

/// Images of classes, one after another; pixels that are ignored are not known in both.
struct Maps {
  std::vector<int32_t> predicted, wanted;
  int64_t classes = 0, rows = 0, columns = 0;
};

/// Rows and columns are the last two axes of the prediction, of `axes` axes or, if that is 0, of two and more.
absl::Status ReadShape(const TensorView& prediction, size_t axes, const char* allowed, Maps& maps) {
  const absl::Span<const int64_t> shape = prediction.shape;
  const bool fits = axes > 0 ? shape.size() == axes : shape.size() >= 2;
  if (fits) {
    maps.rows = shape[shape.size() - 2];
    maps.columns = shape[shape.size() - 1];
    if (maps.rows == 0 || maps.columns <= kMostPixels / maps.rows) return absl::OkStatus();
  }
  Violations violations;
  violations.Add("inputs.prediction",
                 absl::StrCat("has shape ", ShapeText(shape), "; allowed: ", allowed, " with 2^30 pixels at most"));
  return violations.ToStatus();
}

absl::StatusOr<Maps> MapsOfClasses(const MetricBatch& batch, int64_t max_bytes) {
  GRADELINE_ASSIGN_OR_RETURN(const Decisions* decisions, batch.decisions());
  const TensorView& prediction = *batch.Find("prediction");
  Maps maps;
  const bool scores = IsReal(prediction.dtype);
  GRADELINE_RETURN_IF_ERROR(
      ReadShape(prediction, scores ? 4 : 3, scores ? "scores [N, C, H, W]" : "classes [N, H, W]", maps));
  GRADELINE_RETURN_IF_ERROR(CheckRoom(decisions->classes, max_bytes));
  maps.classes = decisions->classes;
  maps.predicted = decisions->predicted;
  maps.wanted = decisions->wanted;
  for (size_t i = 0; i < maps.wanted.size(); ++i) {
    if (maps.wanted[i] == kIgnored) maps.predicted[i] = kIgnored;
  }
  return maps;
}

absl::StatusOr<Maps> MapsOfSlots(const MetricBatch& batch) {
  GRADELINE_ASSIGN_OR_RETURN(const Slots slots, Slots::Of(batch));
  Maps maps;
  GRADELINE_RETURN_IF_ERROR(ReadShape(*batch.Find("prediction"), 0, "[..., H, W]", maps));
  std::vector<uint8_t> states(static_cast<size_t>(slots.inner()));
  if ((slots.Read(0, absl::MakeSpan(states)) & (kWrongPrediction | kWrongTarget)) != 0) return slots.Wrong();
  maps.classes = 1;
  maps.predicted.resize(states.size());
  maps.wanted.resize(states.size());
  for (size_t i = 0; i < states.size(); ++i) {
    const bool skipped = (states[i] & kSkippedSlot) != 0;
    maps.predicted[i] = skipped ? -1 : (states[i] & kPredictedSlot) != 0 ? 0 : 1;
    maps.wanted[i] = skipped ? -1 : (states[i] & kWantedSlot) != 0 ? 0 : 1;
  }
  return maps;
}

}  // namespace

Boundary::Boundary(const CountsOptions& options)
    : tolerance_(NumberOf(options.params, "tolerance")), max_bytes_(options.max_bytes) {}

absl::Status Boundary::Add(const MetricBatch& batch) {
  absl::StatusOr<Maps> maps = batch.signal() == "pixel-binary" ? MapsOfSlots(batch) : MapsOfClasses(batch, max_bytes_);
  GRADELINE_RETURN_IF_ERROR(maps.status());
  std::vector<Sum> sums;
  const auto image = static_cast<size_t>(maps->rows * maps->columns);
  for (size_t first = 0; first < maps->wanted.size(); first += image) {
    const auto map = [&](const std::vector<int32_t>& pixels) {
      return ClassMap{absl::MakeConstSpan(pixels).subspan(first, image), maps->rows, maps->columns, maps->classes};
    };
    for (const BoundaryScore& score : BoundaryScores(map(maps->predicted), map(maps->wanted), tolerance_)) {
      const auto c = static_cast<size_t>(score.index);
      if (sums.size() <= c) sums.resize(c + 1);
      sums[c].scaled += score.scaled;
      ++sums[c].images;
    }
  }
  return AddSums(sums);
}

absl::Status Boundary::AddSums(const std::vector<Sum>& sums) {
  int64_t images = 0;
  for (const Sum& sum : sums) images += sum.images;
  if (images > kMostCounted - images_) return absl::InvalidArgumentError("counts 2^53 images or more");
  images_ += images;
  sums_.resize(std::max(sums_.size(), sums.size()));
  for (size_t c = 0; c < sums.size(); ++c) {
    sums_[c].scaled += sums[c].scaled;
    sums_[c].images += sums[c].images;
  }
  return absl::OkStatus();
}

std::string Boundary::Bytes() const {
  std::string bytes;
  size_t last = sums_.size();
  while (last > 0 && sums_[last - 1].images == 0) --last;
  for (size_t c = 0; c < last; ++c) {
    PutUnsigned(static_cast<uint64_t>(sums_[c].images), bytes);
    if (sums_[c].images == 0) continue;
    PutUnsigned(static_cast<uint64_t>(sums_[c].scaled), bytes);
    PutUnsigned(static_cast<uint64_t>(sums_[c].scaled >> 64), bytes);
  }
  return bytes;
}

absl::Status Boundary::Merge(std::string_view bytes) {
  CountsReader reader(bytes);
  std::vector<Sum> sums;
  int64_t images = 0;
  while (reader.ok() && !reader.done()) {
    Sum& sum = sums.emplace_back();
    sum.images = reader.Count(kMostCounted - images);
    images += sum.images;
    if (sum.images == 0) continue;
    sum.scaled = reader.Unsigned();
    sum.scaled |= Wide{reader.Unsigned()} << 64;
    if (sum.scaled > Wide{static_cast<uint64_t>(sum.images)} << 52) {
      return absl::InvalidArgumentError("has a boundary score above 1");
    }
  }
  GRADELINE_RETURN_IF_ERROR(reader.Finish("boundary"));
  GRADELINE_RETURN_IF_ERROR(CheckRoom(static_cast<int64_t>(sums.size()), max_bytes_));
  return AddSums(sums);
}

namespace {

const CountsKind& BoundaryKind(std::string_view) {
  static const CountsKind kKind{
      "boundary",
      {"tolerance"},
      [](const CountsOptions& options) -> std::unique_ptr<Counts> { return std::make_unique<Boundary>(options); },
      [](int64_t classes) {
        constexpr int64_t kSum = sizeof(Boundary::Sum), kMost = std::numeric_limits<int64_t>::max();
        return classes < kMost / kSum ? kSum * classes : kMost;
      }};
  return kKind;
}

MetricResult MeanScore(const Counts& counts, const ParamMap&) {
  const auto mean = [](Boundary::Wide scaled, int64_t images) {
    return static_cast<double>(static_cast<long double>(scaled) / 0x1p52L / static_cast<long double>(images));
  };
  const std::vector<Boundary::Sum>& sums = static_cast<const Boundary&>(counts).sums();
  MetricResult result;
  Boundary::Wide scaled = 0;
  for (size_t c = 0; c < sums.size(); ++c) {
    if (sums[c].images == 0) continue;
    result.classes.push_back({static_cast<int32_t>(c), mean(sums[c].scaled, sums[c].images), sums[c].images});
    scaled += sums[c].scaled;
    result.count += sums[c].images;
  }
  if (result.count == 0) return {.note = "no class occurs in target or prediction"};
  result.value = mean(scaled, result.count);
  return result;
}

}  // namespace

std::vector<Metric> BoundaryMetrics() {
  Metric row;
  row.id = "boundary_f_score";
  row.title = "Boundary F-score";
  row.doc =
      "Precision is the share of a class's predicted boundary pixels that have one of the target within the tolerance, "
      "recall that of the target's near a predicted one; the mean of 2 P R / (P + R) over images and the classes that "
      "occur in them, in target or prediction. A boundary pixel has one of another class among its four neighbours; "
      "the "
      "image's border is no boundary, nor are ignored pixels. 1 if neither has a boundary. Counts are images.";
  row.reference = "Csurka et al. 2013, MATLAB bfscore";
  row.signals = {"pixel-multiclass", "pixel-binary"};
  row.params = {
      NumberParam("tolerance", "how far a boundary may lie off, as a share of the image's diagonal", 0.0075, 0, 1)};
  row.counts = BoundaryKind;
  row.compute = MeanScore;
  return {row};
}

}  // namespace gradeline
