// Boxes that tests draw: valid in every encoding, and lying to each other exactly as their kind says.
#include <gmock/gmock.h>

#include "plugins/sdk/conformance_edges.h"
#include "plugins/sdk/loss.h"

namespace gradeline::conformance {
namespace {

constexpr GdlTensorSpec kPrediction = sdk::Prediction("N 4", nullptr, "boxes");
constexpr GdlTensorSpec kTarget = sdk::RealTarget("N 4", nullptr, 0, 0, "boxes");
constexpr const GdlTensorSpec* kTensors[] = {&kPrediction, &kTarget, nullptr};

Corners Decode(const Batch& batch, size_t tensor, int64_t item, const std::string& encoding) {
  const auto at = [&](int64_t k) {
    return batch.tensors[tensor].real[static_cast<size_t>(DenseIndex(batch, batch.tensors[tensor], item, k, 0))];
  };
  if (encoding == "box:xyxy") return {{at(0), at(1)}, {at(2), at(3)}};
  if (encoding == "box:xywh") return {{at(0), at(1)}, {at(0) + at(2), at(1) + at(3)}};
  return {{at(0) - at(2) / 2, at(1) - at(3) / 2}, {at(0) + at(2) / 2, at(1) + at(3) / 2}};
}

class Boxes : public ::testing::TestWithParam<const char*> {
 protected:
  Boxes() {
    loss_.tensors = kTensors;
    case_.axes = {{"N", 200}};
    case_.encoding = GetParam();
    batch_ = RandomBatch(loss_, case_, {true, true}, 1);
  }
  void Fill(BoxKind kind) {
    FillBoxes(loss_, case_, batch_, random_, [&] { return kind; });
  }
  Corners Prediction(int64_t item) const { return Decode(batch_, 0, item, GetParam()); }
  Corners Target(int64_t item) const { return Decode(batch_, 1, item, GetParam()); }

  GdlLoss loss_{};
  Case case_;
  Batch batch_;
  std::mt19937_64 random_{3};
};

TEST_P(Boxes, AreValidInEveryKindAndExactInFloat) {
  for (int kind = -1; kind < kBoxKinds; ++kind) {
    if (kind >= 0) Fill(static_cast<BoxKind>(kind));
    for (int64_t item = 0; item < batch_.items(); ++item) {
      for (const Corners& box : {Prediction(item), Target(item)}) {
        for (size_t a = 0; a < 2; ++a) ASSERT_LE(box.low[a], box.high[a]) << "kind " << kind;
      }
    }
    for (const TensorData& tensor : batch_.tensors) {
      for (double value : tensor.real) ASSERT_EQ(value, static_cast<double>(static_cast<float>(value)));
    }
  }
}

TEST_P(Boxes, LieAsTheirKindSays) {
  const auto overlap = [&](int64_t item, size_t a) {
    const Corners p = Prediction(item), t = Target(item);
    return std::min(p.high[a], t.high[a]) - std::max(p.low[a], t.low[a]);
  };
  Fill(BoxKind::kSame);
  EXPECT_EQ(batch_.tensors[0].real, batch_.tensors[1].real);
  Fill(BoxKind::kTouching);
  for (int64_t item = 0; item < batch_.items(); ++item) ASSERT_EQ(overlap(item, 0), 0);
  Fill(BoxKind::kDisjoint);
  for (int64_t item = 0; item < batch_.items(); ++item) ASSERT_LT(overlap(item, 0), 0);
  Fill(BoxKind::kNested);
  for (int64_t item = 0; item < batch_.items(); ++item) {
    for (size_t a = 0; a < 2; ++a) {
      ASSERT_LT(Prediction(item).low[a], Target(item).low[a]);
      ASSERT_GT(Prediction(item).high[a], Target(item).high[a]);
    }
  }
  Fill(BoxKind::kFlat);
  for (int64_t item = 0; item < batch_.items(); ++item) ASSERT_EQ(Target(item).low[0], Target(item).high[0]);
}

INSTANTIATE_TEST_SUITE_P(Encodings, Boxes, ::testing::Values("box:xyxy", "box:xywh", "box:cxcywh"),
                         [](const auto& encoding) { return std::string(encoding.param).substr(4); });

}  // namespace
}  // namespace gradeline::conformance
