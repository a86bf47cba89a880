#include "server/core/loss/head_axes.h"

#include "gmock/gmock.h"
#include "plugins/losses/builtin.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::shared_ptr<const LossRegistry> Registry() {
  LossRegistry::Builder builder;
  for (const GdlPlugin* const* plugin = BuiltinLossPlugins(); *plugin != nullptr; ++plugin) {
    auto losses = CheckPluginTables(**plugin, PluginInfo{});
    EXPECT_TRUE(losses.ok()) << losses.status();
    EXPECT_TRUE(builder.Add(*std::move(losses)).ok());
  }
  return std::move(builder).Build(std::make_shared<Catalog>(*Catalog::Make({}, {}, "")));
}

std::vector<FieldViolation> Vectors(const char* signal, int64_t classes, const char* loss, const ParamMap& params) {
  return FieldViolationsOf(CheckClassVectors(signal, classes, *Registry()->ResolveAlone(loss, params)));
}

std::vector<FieldViolation> Inputs(const char* signal, int64_t classes, const std::vector<int64_t>& shape) {
  const LossHandle loss = *Registry()->ResolveAlone("cross_entropy", {});
  std::vector<std::optional<TensorView>> inputs(loss.info().tensors.size());
  inputs[0] = TensorView{DType::kF32, shape, nullptr};
  return FieldViolationsOf(CheckHeadInputs(signal, classes, loss.info(), inputs));
}

TEST(HeadAxes, ClassesFollowTheDatasetAndTheBackground) {
  Head head;
  head.signal = "multiclass";
  head.classes_of = "all";
  for (const auto& [background, classes] : {std::pair{"none", 10}, {"beyond", 10}, {"first", 11}, {"last", 11}}) {
    head.background = background;
    EXPECT_EQ(ClassesOf(head, 10), classes) << background;
  }
  EXPECT_EQ(ClassesOf(head, 0), 0);
  head.classes_of = "things";
  EXPECT_EQ(ClassesOf(head, 10), 0);
  head.classes_of = "all";
  head.signal = "binary";
  EXPECT_EQ(ClassesOf(head, 2), 0);
}

TEST(HeadAxes, VectorsHaveAValuePerClass) {
  const std::vector<double> two{1, 2}, one{3};
  EXPECT_THAT(Vectors("multiclass", 10, "cross_entropy", {{"class_weights", two}}),
              ElementsAre(FieldViolation{"params.class_weights",
                                         "has 2 values; the head has 10 classes, allowed: one per class"}));
  EXPECT_THAT(Vectors("multiclass", 2, "cross_entropy", {{"class_weights", two}}), IsEmpty());
  EXPECT_THAT(Vectors("multiclass", 0, "cross_entropy", {{"class_weights", two}}), IsEmpty()) << "unknown";
  EXPECT_THAT(
      Vectors("multilabel", 3, "binary_cross_entropy", {{"pos_weight", two}}),
      ElementsAre(FieldViolation{"params.pos_weight",
                                 "has 2 values; the head has 3 classes, allowed: one per class, or one for all"}));
  EXPECT_THAT(Vectors("pixel-binary", 0, "binary_cross_entropy", {{"pos_weight", two}}),
              ElementsAre(FieldViolation{
                  "params.pos_weight", "has 2 values; the signal pixel-binary has no classes, allowed: one for all"}));
  EXPECT_THAT(Vectors("pixel-binary", 0, "binary_cross_entropy", {{"pos_weight", one}}), IsEmpty());
}

TEST(HeadAxes, PredictionsHaveTheAxesOfTheSignal) {
  EXPECT_THAT(Inputs("multiclass", 10, {2, 10}), IsEmpty());
  EXPECT_THAT(Inputs("multiclass", 0, {2, 7}), IsEmpty());
  EXPECT_THAT(Inputs("multiclass", 10, {2, 10, 3, 3}),
              ElementsAre(FieldViolation{"inputs.prediction",
                                         "has shape [2, 10, 3, 3]; a head of signal multiclass needs N c"}));
  EXPECT_THAT(Inputs("multiclass", 10, {2, 7}),
              ElementsAre(FieldViolation{"inputs.prediction",
                                         "has shape [2, 7]; a head of signal multiclass needs N c, c = 10 classes"}));
  EXPECT_THAT(Inputs("pixel-multiclass", 10, {2, 10, 3, 3}), IsEmpty());
  EXPECT_THAT(Inputs("box", 0, {2, 5}),
              ElementsAre(FieldViolation{"inputs.prediction", "has shape [2, 5]; a head of signal box needs N 4"}));
}

}  // namespace
}  // namespace gradeline
