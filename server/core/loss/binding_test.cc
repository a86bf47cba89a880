#include "server/core/loss/binding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/core/base/status.h"
#include "server/core/loss/dims.h"
#include "server/core/loss/test_loss.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Inputs = std::vector<std::optional<InputShape>>;

InputShape F32(std::vector<int64_t> shape) { return {DType::kF32, std::move(shape)}; }
InputShape I64(std::vector<int64_t> shape) { return {DType::kI64, std::move(shape)}; }

/// A built-in loss as it is, or the test loss with other dims.
class BindingTest : public ::testing::Test {
 protected:
  LossHandle Builtin(const std::string& id, const ParamMap& params = {}) {
    LossRegistry::Builder builder;
    AddBuiltins(builder);
    auto handle = std::move(builder).Build(nullptr)->ResolveAlone(id, params);
    EXPECT_TRUE(handle.ok()) << handle.status();
    return *std::move(handle);
  }
  LossHandle WithDims(const char* prediction, const char* target, const char* weight, const ParamMap& params = {}) {
    test_.prediction.dims = prediction;
    test_.target.dims = target;
    test_.weight.dims = weight;
    if (std::string_view(prediction).find('c') == std::string_view::npos) {
      test_.target.label_axis = nullptr;
      test_.params[4] = nullptr;  // class_weights, as many as c
    }
    LossRegistry::Builder builder;
    auto losses = test_.Check();
    EXPECT_TRUE(losses.ok()) << losses.status();
    EXPECT_TRUE(builder.Add(*std::move(losses)).ok());
    auto handle = std::move(builder).Build(nullptr)->ResolveAlone("test_loss", params);
    EXPECT_TRUE(handle.ok()) << handle.status();
    return *std::move(handle);
  }
  TestPlugin test_;
};

TEST_F(BindingTest, RowsAndPixels) {
  const LossHandle loss = WithDims("N c *", "N *", "N *");
  const auto rows = BindShapes(loss, Inputs{F32({8, 10}), I64({8}), std::nullopt});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->outer, 8);
  EXPECT_EQ(rows->inner, 1);
  EXPECT_THAT(rows->small, ElementsAre(10, 1, -1));
  EXPECT_THAT(rows->label_size, ElementsAre(0, 10, 0));
  EXPECT_THAT(rows->item_shape, ElementsAre(8));
  EXPECT_EQ(rows->axes.at("c"), 10);
  EXPECT_EQ(rows->real_bytes, 4);

  const auto pixels = BindShapes(loss, Inputs{F32({2, 21, 4, 6}), I64({2, 4, 6}), InputShape{DType::kF64, {2, 4, 6}}});
  ASSERT_TRUE(pixels.ok()) << pixels.status();
  EXPECT_EQ(pixels->outer, 2);
  EXPECT_EQ(pixels->inner, 24);
  EXPECT_THAT(pixels->small, ElementsAre(21, 1, 1));
  EXPECT_THAT(pixels->item_shape, ElementsAre(2, 4, 6));
  EXPECT_EQ(pixels->real_bytes, 8);
}

TEST_F(BindingTest, HalfPrecisionIsWidenedToFloat) {
  const auto bound = BindShapes(WithDims("N c *", "N *", "N *"),
                                Inputs{InputShape{DType::kBF16, {8, 10}}, InputShape{DType::kU8, {8}}, std::nullopt});
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_EQ(bound->real_bytes, 4);
}

TEST_F(BindingTest, SmallAxesLast) {
  const auto bound = BindShapes(WithDims("N T c 4", "N T", "N T"), Inputs{F32({2, 3, 5, 4}), I64({2, 3}), F32({2, 3})});
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_EQ(bound->outer, 6);
  EXPECT_EQ(bound->inner, 1);
  EXPECT_THAT(bound->small, ElementsAre(20, 1, 1));
}

TEST_F(BindingTest, TensorWithSmallAxesSplitsWhereverItStands) {
  const auto bound = BindShapes(WithDims("N H c", "N H", "N H"), Inputs{F32({2, 3, 5}), I64({2, 3}), std::nullopt});
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_EQ(bound->outer, 6);
  const auto inner = BindShapes(WithDims("N c H", "N H", "N H"), Inputs{F32({2, 5, 3}), I64({2, 3}), F32({2, 3})});
  ASSERT_TRUE(inner.ok()) << inner.status();
  EXPECT_EQ(inner->outer, 2);
  EXPECT_EQ(inner->inner, 3);
}

TEST_F(BindingTest, WithoutSmallAxesTheTailIsInner) {
  const auto bound = BindShapes(WithDims("N *", "N *", "N *"), Inputs{F32({2, 3, 5}), I64({2, 3, 5}), std::nullopt});
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_EQ(bound->outer, 2);
  EXPECT_EQ(bound->inner, 15);
  EXPECT_THAT(bound->label_size, ElementsAre(0, 2, 0));
}

TEST_F(BindingTest, AxisThatMayBeMissing) {
  const LossHandle loss = WithDims("N C? *", "N C? *", "N C? *");
  const auto one = BindShapes(loss, Inputs{F32({7}), I64({7}), std::nullopt});
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ(one->outer, 7);
  EXPECT_EQ(one->axes.at("C"), 1);
  EXPECT_THAT(one->item_shape, ElementsAre(7));
  const auto three = BindShapes(loss, Inputs{F32({7, 3, 2, 2}), I64({7, 3, 2, 2}), std::nullopt});
  ASSERT_TRUE(three.ok()) << three.status();
  EXPECT_EQ(three->outer, 21);
  EXPECT_EQ(three->inner, 4);
  EXPECT_THAT(three->item_shape, ElementsAre(7, 3, 2, 2));
}

TEST_F(BindingTest, WholeTensors) {
  const auto bound = BindShapes(WithDims("N c", "N", "c"), Inputs{F32({7, 3}), I64({7}), F32({3})});
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_THAT(bound->whole, ElementsAre(false, false, true));
  EXPECT_THAT(bound->small, ElementsAre(3, 1, 3));
}

TEST_F(BindingTest, BackgroundIsOneLabelMore) {
  test_.target.flags = GDL_BACKGROUND;
  const auto bound = BindShapes(WithDims("N c *", "N *", "N *"), Inputs{F32({7, 3}), I64({7}), std::nullopt});
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_THAT(bound->label_size, ElementsAre(0, 4, 0));
}

TEST_F(BindingTest, EmptyBatch) {
  const auto bound = BindShapes(WithDims("N c *", "N *", "N *"), Inputs{F32({0, 3}), I64({0}), std::nullopt});
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_EQ(bound->items(), 0);
}

TEST_F(BindingTest, AllViolationsNameBothSides) {
  const auto status = BindShapes(WithDims("N c *", "N *", "N *", {{"class_weights", std::vector{1.0, 2.0}}}),
                                 Inputs{F32({8, 10, 4}), F32({9, 4}), I64({8, 5})})
                          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(FieldViolationsOf(status),
              ElementsAre(FieldViolation{"inputs.target", "has type f32; allowed for labels: u8, i32, i64"},
                          FieldViolation{"inputs.target", "has 9 for axis N of dims N *; inputs.prediction has 8"},
                          FieldViolation{"inputs.weight", "has type i64; allowed for reals: f32, f64, f16, bf16"},
                          FieldViolation{"inputs.weight", "has [5] for * of dims N *; inputs.prediction has [4]"},
                          FieldViolation{"params.class_weights", "has 2 values; axis c of inputs.prediction has 10"}));
}

TEST_F(BindingTest, MissingRankAndOverflow) {
  const LossHandle loss = WithDims("N c", "N", "N");
  EXPECT_THAT(FieldViolationsOf(BindShapes(loss, Inputs{std::nullopt, I64({2}), std::nullopt}).status()),
              ElementsAre(FieldViolation{"inputs.prediction", "is missing; dims N c"}));
  EXPECT_THAT(FieldViolationsOf(BindShapes(loss, Inputs{F32({2, 3, 4}), I64({2}), std::nullopt}).status()),
              ElementsAre(FieldViolation{"inputs.prediction", "has shape [2, 3, 4] of 3 axes; dims are N c, 2 axes"}));
  EXPECT_THAT(
      FieldViolationsOf(
          BindShapes(loss, Inputs{F32({int64_t{1} << 40, int64_t{1} << 40}), I64({int64_t{1} << 40}), std::nullopt})
              .status()),
      ElementsAre(FieldViolation{"inputs.prediction",
                                 "has shape [1099511627776, 1099511627776]; allowed are sizes of 0 or more whose "
                                 "product fits in 63 bits"}));
  EXPECT_FALSE(BindShapes(loss, Inputs{F32({2, 3})}).ok());
  EXPECT_FALSE(BindShapes(WithDims("N c 4", "N", "N"), Inputs{F32({2, 3, 5}), I64({2}), std::nullopt}).ok());
}

TEST_F(BindingTest, ExactlyOneOfAGroup) {
  const LossHandle loss = Builtin("cross_entropy");
  ASSERT_EQ(loss.info().tensors[1].one_of, 1u);
  EXPECT_TRUE(BindShapes(loss, Inputs{F32({8, 3}), I64({8}), std::nullopt, std::nullopt}).ok());
  EXPECT_TRUE(BindShapes(loss, Inputs{F32({8, 3}), std::nullopt, F32({8, 3}), std::nullopt}).ok());
  for (const Inputs& bad : {Inputs{F32({8, 3}), I64({8}), F32({8, 3}), std::nullopt},
                            Inputs{F32({8, 3}), std::nullopt, std::nullopt, std::nullopt}}) {
    const auto status = BindShapes(loss, bad).status();
    EXPECT_THAT(FieldViolationsOf(status), ElementsAre(::testing::Field(&FieldViolation::field, "inputs.target")));
    EXPECT_THAT(std::string(status.message()), HasSubstr("exactly one of target of labels, target of reals"));
  }
}

TEST_F(BindingTest, OneForAll) {
  const auto bind = [&](std::vector<double> weights) {
    return BindShapes(Builtin("binary_cross_entropy", {{"pos_weight", std::move(weights)}}),
                      Inputs{F32({8, 3}), I64({8, 3}), std::nullopt, std::nullopt})
        .status();
  };
  EXPECT_TRUE(bind({2}).ok());
  EXPECT_TRUE(bind({2, 3, 4}).ok());
  EXPECT_THAT(FieldViolationsOf(bind({2, 3})),
              ElementsAre(FieldViolation{
                  "params.pos_weight", "has 2 values; axis C of inputs.prediction has 3, and one for all is allowed"}));
}

TEST_F(BindingTest, FindInputChoosesByType) {
  const LossHandle loss = Builtin("cross_entropy");
  const LossInfo& info = loss.info();
  EXPECT_EQ(FindInput(info, "prediction", DType::kF16), 0u);
  EXPECT_EQ(FindInput(info, "target", DType::kU8), 1u);
  EXPECT_EQ(FindInput(info, "target", DType::kF32), 2u);
  EXPECT_EQ(FindInput(info, "weight", DType::kI32), 3u);  // the type is BindShapes' to refuse
  EXPECT_EQ(FindInput(info, "targets", DType::kI64), std::nullopt);
}

TEST(ParseDimsTest, Grammar) {
  for (const char* good : {"N", "N c *", "N C? *", "N T v", "N 4", "c", "*", "N c H W", "N C?", "Batch classes"}) {
    EXPECT_TRUE(ParseDims(good).ok()) << good << ParseDims(good).status();
  }
  for (const char* bad : {"", " N", "N ", "N  c", "* N", "N c N", "N c H k", "N c?", "N C? H", "N 0", "N -1", "N?*",
                          "N\tc", "4?", "N ?", "N 99999999999999999999"}) {
    EXPECT_EQ(ParseDims(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace gradeline
