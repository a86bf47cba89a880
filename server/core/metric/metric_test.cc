#include "server/core/metric/metric.h"

#include <cstring>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/core/base/status.h"
#include "server/core/tensor/convert.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Tensor {
  DType dtype;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;
  Tensor(DType type, std::vector<int64_t> sizes, const std::vector<double>& values)
      : dtype(type), shape(std::move(sizes)) {
    for (const double value : values) Append(value);
  }
  void Append(double value) {
    const auto store = [&](auto stored) {
      const auto* data = reinterpret_cast<const std::byte*>(&stored);
      bytes.insert(bytes.end(), data, data + sizeof(stored));
    };
    switch (dtype) {
      case DType::kF32:
        return store(static_cast<float>(value));
      case DType::kF64:
        return store(value);
      case DType::kF16:
        return store(NarrowToF16(value));
      case DType::kBF16:
        return store(NarrowToBF16(value));
      case DType::kU8:
        return store(static_cast<uint8_t>(value));
      case DType::kI32:
        return store(static_cast<int32_t>(value));
      case DType::kI64:
        return store(static_cast<int64_t>(value));
    }
  }
  TensorView view() const { return {dtype, shape, bytes.data()}; }
};

const Metric& Accuracy() { return **FindMetric("accuracy", "multiclass"); }

TEST(AccuracyTest, CountsRowsOfEveryType) {
  const std::vector<double> scores{1, 2, 3, /**/ 5, 4, 3, /**/ -1, 0, -2, /**/ 0, 0, 1};
  for (const DType prediction : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16}) {
    for (const DType target : {DType::kU8, DType::kI32, DType::kI64}) {
      const Tensor p(prediction, {4, 3}, scores), t(target, {4}, {2, 0, 0, 2});
      EXPECT_THAT(*Accuracy().Update({p.view(), t.view()}), ElementsAre(3, 4)) << NameOf(prediction) << NameOf(target);
    }
  }
}

TEST(AccuracyTest, TiesGoToTheLowestClass) {
  const Tensor p(DType::kF32, {2, 3}, {1, 1, 0, /**/ 0, 2, 2}), t(DType::kU8, {2}, {0, 1});
  EXPECT_THAT(*Accuracy().Update({p.view(), t.view()}), ElementsAre(2, 2));
  const Tensor later(DType::kU8, {2}, {1, 2});
  EXPECT_THAT(*Accuracy().Update({p.view(), later.view()}), ElementsAre(0, 2));
}

TEST(AccuracyTest, IgnoredItemsDoNotCount) {
  const Tensor p(DType::kF32, {3, 2}, {1, 0, /**/ 1, 0, /**/ 0, 1}), t(DType::kI64, {3}, {0, -100, 0});
  EXPECT_THAT(*Accuracy().Update({p.view(), t.view()}), ElementsAre(1, 2));
  EXPECT_THAT(*Accuracy().Update({p.view(), t.view(), 0}), ElementsAre(0, 1));
}

// More pixels than one block, class planes apart, compared with the plain double loop.
TEST(AccuracyTest, Pixels) {
  constexpr int64_t kN = 2, kC = 5, kH = 13, kW = 17, kPixels = kH * kW;
  std::vector<double> scores, labels;
  for (int64_t i = 0; i < kN * kC * kPixels; ++i) scores.push_back(static_cast<double>(i * 7919 % 101));
  for (int64_t i = 0; i < kN * kPixels; ++i) labels.push_back(i % 11 == 0 ? 255 : static_cast<double>(i * 31 % kC));
  double right = 0, counted = 0;
  for (int64_t n = 0; n < kN; ++n) {
    for (int64_t i = 0; i < kPixels; ++i) {
      int64_t best = 0;
      for (int64_t k = 1; k < kC; ++k) {
        if (scores[static_cast<size_t>((n * kC + k) * kPixels + i)] >
            scores[static_cast<size_t>((n * kC + best) * kPixels + i)])
          best = k;
      }
      const double label = labels[static_cast<size_t>(n * kPixels + i)];
      if (label == 255) continue;
      counted += 1;
      right += static_cast<double>(best) == label ? 1 : 0;
    }
  }
  const Tensor p(DType::kBF16, {kN, kC, kH, kW}, scores), t(DType::kU8, {kN, kH, kW}, labels);
  EXPECT_THAT(*Accuracy().Update({p.view(), t.view(), 255}), ElementsAre(right, counted));
  EXPECT_GT(right, 0);
}

TEST(AccuracyTest, SoftTargetsMeanTheirHighestClass) {
  const Tensor p(DType::kF32, {2, 3}, {1, 2, 0, /**/ 3, 2, 1});
  const Tensor t(DType::kF64, {2, 3}, {0.2, 0.5, 0.3, /**/ 0.3, 0.4, 0.3});
  EXPECT_THAT(*Accuracy().Update({p.view(), t.view()}), ElementsAre(1, 2));
}

TEST(AccuracyTest, UnalignedMemory) {
  const Tensor p(DType::kF64, {2, 2}, {1, 0, 0, 1}), t(DType::kI64, {2}, {0, 1});
  std::vector<std::byte> shifted(p.bytes.size() + 1), labels(t.bytes.size() + 1);
  std::memcpy(shifted.data() + 1, p.bytes.data(), p.bytes.size());
  std::memcpy(labels.data() + 1, t.bytes.data(), t.bytes.size());
  EXPECT_THAT(*Accuracy().Update({{p.dtype, p.shape, shifted.data() + 1}, {t.dtype, t.shape, labels.data() + 1}}),
              ElementsAre(2, 2));
}

TEST(AccuracyTest, EmptyBatchCountsNothing) {
  const Tensor p(DType::kF32, {0, 3}, {}), t(DType::kI64, {0}, {});
  EXPECT_THAT(*Accuracy().Update({p.view(), t.view()}), ElementsAre(0, 0));
  const Metric::Value value = Accuracy().Compute({{0, 0}});
  EXPECT_EQ(value.value, 0);
  EXPECT_EQ(value.count, 0);
}

TEST(AccuracyTest, ValueOfAddedDeltas) {
  const Metric::Value value = Accuracy().Compute({{3 + 4, 4 + 6}});
  EXPECT_DOUBLE_EQ(value.value, 0.7);
  EXPECT_EQ(value.count, 10);
}

TEST(AccuracyTest, RefusesShapesThatDoNotFit) {
  const Tensor p(DType::kF32, {2, 3}, {0, 0, 0, 0, 0, 0}), t(DType::kI64, {3}, {0, 0, 0});
  const auto violations = FieldViolationsOf(Accuracy().Update({p.view(), t.view()}).status());
  EXPECT_THAT(violations,
              ElementsAre(FieldViolation{"inputs.target", "has shape [3]; a prediction of [2, 3] needs [2]"}));
  const Tensor flat(DType::kF32, {2}, {0, 0}), labels(DType::kI32, {2}, {0, 0});
  EXPECT_THAT(
      FieldViolationsOf(Accuracy().Update({flat.view(), t.view()}).status()),
      ElementsAre(FieldViolation{"inputs.prediction", "has shape [2]; accuracy takes [N, C, ...] with C at least 1"}));
  EXPECT_THAT(FieldViolationsOf(Accuracy().Update({labels.view(), t.view()}).status()).front().description,
              HasSubstr("i32; accuracy takes f32"));
}

// Rows without elements number what they like: they must not be walked over.
TEST(AccuracyTest, NothingToCountTakesNoTime) {
  const Tensor p(DType::kF32, {int64_t{1} << 61, 3, 0}, {}), t(DType::kI64, {int64_t{1} << 61, 0}, {});
  const auto delta = Accuracy().Update({p.view(), t.view()});
  ASSERT_TRUE(delta.ok()) << delta.status();
  EXPECT_EQ(*delta, (std::vector<double>{0, 0}));
}

TEST(FindMetricTest, NamesWhatThereIs) {
  EXPECT_TRUE(FindMetric("accuracy", "pixel-multiclass").ok());
  const absl::Status unknown = FindMetric("acuracy", "multiclass").status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(unknown.message(), HasSubstr("did you mean accuracy?"));
  const absl::Status refused = FindMetric("accuracy", "box").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.message(), HasSubstr("signal box; it can from multiclass, pixel-multiclass"));
  EXPECT_EQ(Metrics().size(), 1U);
}

}  // namespace
}  // namespace gradeline
