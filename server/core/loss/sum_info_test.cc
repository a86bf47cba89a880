#include "server/core/loss/sum_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/core/base/status.h"
#include "server/core/loss/binding.h"
#include "server/core/loss/encoding.h"
#include "server/core/loss/head_axes.h"
#include "server/core/loss/test_catalog.h"
#include "server/core/loss/test_loss.h"

namespace gradeline {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// The built-in losses and a changeable one, made with the registry.
class SumInfoTest : public ::testing::Test {
 protected:
  const LossRegistry& Registry() {
    if (registry_ == nullptr) {
      LossRegistry::Builder builder;
      AddBuiltins(builder);
      auto losses = test_.Check();
      EXPECT_TRUE(losses.ok()) << losses.status();
      EXPECT_TRUE(builder.Add(*std::move(losses)).ok());
      registry_ = std::move(builder).Build(std::make_shared<const Catalog>(TestCatalog()));
    }
    return *registry_;
  }
  Head HeadOf(const std::string& architecture, const std::string& id) {
    const Catalog& catalog = Registry().catalog();
    const auto heads = catalog.ResolveHeads(**catalog.FindArchitecture("", architecture), {});
    for (const Head& head : *heads) {
      if (head.id == id) return head;
    }
    ADD_FAILURE() << architecture << " has no head " << id;
    return {};
  }
  LossInfo Info(const std::string& loss) {
    const auto info = Registry().Find(loss);
    EXPECT_TRUE(info.ok()) << info.status();
    return info.ok() ? **info : LossInfo();
  }
  absl::Status Refusal(const std::string& loss, const ParamMap& params = {}) {
    return Registry().ResolveAlone(loss, params).status();
  }
  static std::vector<std::string> Fields(const absl::Status& status) {
    std::vector<std::string> fields;
    for (const FieldViolation& violation : FieldViolationsOf(status)) fields.push_back(violation.field);
    return fields;
  }
  template <typename Spec>
  static std::vector<std::string> Names(const std::vector<Spec>& specs) {
    std::vector<std::string> names;
    for (const Spec& spec : specs) names.push_back(spec.name);
    return names;
  }

  TestPlugin test_;
  std::shared_ptr<const LossRegistry> registry_;
};

TEST_F(SumInfoTest, PutsTheTablesTogether) {
  const LossInfo sum = Info("cross_entropy+test_loss");
  EXPECT_EQ(sum.id, "cross_entropy+test_loss");
  EXPECT_EQ(sum.doc, "Weighted sum of cross_entropy, test_loss.");
  EXPECT_THAT(sum.signals, ElementsAre("multiclass"));
  EXPECT_THAT(Names(sum.components), ElementsAre("cross_entropy", "test_loss"));
  EXPECT_THAT(Names(sum.params),
              ElementsAre("cross_entropy.weight", "cross_entropy.class_weights", "cross_entropy.ignore_index",
                          "cross_entropy.label_smoothing", "test_loss.weight", "test_loss.gamma", "test_loss.ignore",
                          "test_loss.hard", "test_loss.type", "test_loss.class_weights"));
  // The soft target is cross_entropy's alone, so it never comes, and the hard one is needed.
  ASSERT_THAT(Names(sum.tensors), ElementsAre("prediction", "target", "weight"));
  EXPECT_TRUE(sum.tensors[1].label());
  EXPECT_EQ(sum.tensors[1].one_of, 0u);
  EXPECT_EQ(sum.tensors[1].ignore_param, "cross_entropy.ignore_index");
  EXPECT_TRUE(sum.tensors[2].optional());
  EXPECT_EQ(sum.merge, static_cast<uint32_t>(GDL_MERGE_RATIO));
  EXPECT_EQ(sum.flags & GDL_ITEMS_INDEPENDENT, 0u) << "test_loss has no losses of items";
}

TEST_F(SumInfoTest, BothKindsOfTargetStayWhereAllTermsTakeBoth) {
  const LossInfo sum = Info("cross_entropy+binary_cross_entropy");
  ASSERT_THAT(Names(sum.tensors), ElementsAre("prediction", "target", "target", "weight"));
  EXPECT_NE(sum.tensors[1].one_of, 0u);
  EXPECT_EQ(sum.tensors[1].one_of, sum.tensors[2].one_of);
  EXPECT_EQ(sum.flags & GDL_ITEMS_INDEPENDENT, static_cast<uint32_t>(GDL_ITEMS_INDEPENDENT));
  EXPECT_THAT(sum.signals, IsEmpty()) << "no head takes both";
  // mse takes real targets alone.
  const LossInfo soft = Info("cross_entropy+mse");
  ASSERT_THAT(Names(soft.tensors), ElementsAre("prediction", "target", "weight"));
  EXPECT_FALSE(soft.tensors[1].label());
  EXPECT_EQ(soft.tensors[0].encoding, "logits") << "mse does not mind";
}

TEST_F(SumInfoTest, TheWeakestMergeRuleAndNeededInputsWin) {
  test_.loss.merge = GDL_MERGE_NONE;
  test_.weight.flags = 0;
  const LossInfo sum = Info("cross_entropy+test_loss");
  EXPECT_EQ(sum.merge, static_cast<uint32_t>(GDL_MERGE_NONE));
  EXPECT_FALSE(sum.tensors[2].optional());
}

TEST_F(SumInfoTest, ComponentsOfATermThatHasSeveralAreNamedWithIt) {
  GdlComponentSpec second{sizeof(GdlComponentSpec), GDL_AGGREGATE, "second", "another", nullptr};
  const GdlComponentSpec* both[] = {&test_.component, &second, nullptr};
  test_.loss.components = both;
  const LossInfo sum = Info("test_loss+cross_entropy");
  EXPECT_THAT(Names(sum.components), ElementsAre("test_loss.test", "test_loss.second", "cross_entropy"));
  EXPECT_EQ(sum.components[0].weight_param, "test_loss.gamma");
  const auto handle =
      Registry().ResolveAlone("test_loss+cross_entropy", {{"test_loss.gamma", 3.0}, {"test_loss.weight", 0.5}});
  ASSERT_TRUE(handle.ok()) << handle.status();
  EXPECT_THAT(handle->component_weights(), ElementsAre(1.5, 0.5, 1));
  EXPECT_EQ(handle->terms()[0].loss.component_name(1), "test_loss.second");
  EXPECT_EQ(handle->terms()[1].loss.component_name(0), "cross_entropy");
  EXPECT_EQ(handle->terms()[0].weight, 0.5);
}

TEST_F(SumInfoTest, RefusesWhatIsNoSum) {
  for (const auto& [loss, text] : std::vector<std::pair<std::string, std::string>>{
           {"cross_entropy+", "has an empty term"},
           {"+mse", "has an empty term"},
           {"mse+cross_entropy+mse", "has the term mse twice; allowed: once, with mse.weight=2"},
           {"a+b+c+d+e+f+g+h+i", "has 9 terms; allowed in a sum of losses: 2 to 8"}}) {
    const absl::Status status = Refusal(loss);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << loss;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text)) << loss;
    EXPECT_THAT(Fields(status), IsEmpty()) << loss;
  }
  const absl::Status missing = Refusal("croos_entropy+mse+dise");
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()),
              AllOf(HasSubstr("\"croos_entropy\"; did you mean cross_entropy"), HasSubstr("\"dise\"")));
  EXPECT_EQ(ReasonOf(missing).metadata["name"], "croos_entropy,dise");
}

TEST_F(SumInfoTest, TermsMustReadTheirInputsAlike) {
  test_.prediction.encoding = "probability";
  const absl::Status encoding = Refusal("cross_entropy+test_loss");
  EXPECT_EQ(encoding.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(
      encoding.message(),
      "the terms of a sum share their inputs: cross_entropy reads prediction as logits, test_loss as probability");
  EXPECT_EQ(Refusal("mse+test_loss").message(),
            "the terms of a sum share their inputs: mse reads target as reals, test_loss as labels");
  // Narrowed to labels by test_loss, so that it is the one to name.
  EXPECT_EQ(Refusal("binary_cross_entropy+test_loss+mse").message(),
            "the terms of a sum share their inputs: test_loss reads target as labels, mse as reals");
}

// bounding_box_regression and iou: boxes of a format that a parameter of each names.
TEST_F(SumInfoTest, EncodingsThatParametersDecideMustComeToTheSame) {
  TestPlugin other;
  other.loss.id = "other_loss";
  other.prediction.encoding = "box:{type}";
  test_.prediction.encoding = "box:{type}";
  LossRegistry::Builder builder;
  ASSERT_TRUE(builder.Add(*test_.Check()).ok());
  ASSERT_TRUE(builder.Add(*other.Check()).ok());
  registry_ = std::move(builder).Build(std::make_shared<const Catalog>(TestCatalog()));
  const LossInfo sum = Info("test_loss+other_loss");
  EXPECT_EQ(sum.tensors[0].encoding, "box:{test_loss.type}");
  const ParamMap alike = {{"test_loss.type", std::string("giou")}, {"other_loss.type", std::string("giou")}};
  const auto handle = Registry().ResolveAlone("test_loss+other_loss", alike);
  ASSERT_TRUE(handle.ok()) << handle.status();
  EXPECT_EQ(EncodingOf(handle->info().tensors[0], handle->info().params, handle->params()), "box:giou");
  EXPECT_EQ(
      Refusal("test_loss+other_loss", {{"other_loss.type", std::string("giou")}}).message(),
      "the terms of a sum share their inputs: test_loss reads prediction as box:smooth_l1, other_loss as box:giou");
}

TEST_F(SumInfoTest, DifferentiableIsSomethingToAgreeOn) {
  test_.prediction.flags = 0;
  test_.weight.flags = GDL_OPTIONAL | GDL_GRADIENT;
  EXPECT_EQ(Refusal("cross_entropy+test_loss").message(),
            "the terms of a sum share their inputs: cross_entropy reads prediction as differentiable, test_loss as not "
            "differentiable");
}

TEST_F(SumInfoTest, NoTwoNamesAreTheSame) {
  test_.gamma.name = "weight";
  test_.component.weight_param = "weight";
  EXPECT_EQ(Refusal("cross_entropy+test_loss").message(),
            "cross_entropy+test_loss cannot be summed: two parameters would be called test_loss.weight");
  EXPECT_TRUE(Refusal("test_loss").ok()) << "alone it is no term";
}

TEST_F(SumInfoTest, IdsWithDotsMayMeetNamesOfComponents) {
  TestPlugin other;
  other.loss.id = "test_loss.second";
  GdlComponentSpec second{sizeof(GdlComponentSpec), GDL_AGGREGATE, "second", "another", nullptr};
  const GdlComponentSpec* both[] = {&test_.component, &second, nullptr};
  test_.loss.components = both;
  LossRegistry::Builder builder;
  ASSERT_TRUE(builder.Add(*test_.Check()).ok());
  ASSERT_TRUE(builder.Add(*other.Check()).ok());
  registry_ = std::move(builder).Build(std::make_shared<const Catalog>(TestCatalog()));
  EXPECT_EQ(Refusal("test_loss+test_loss.second").message(),
            "test_loss+test_loss.second cannot be summed: two components would be called test_loss.second");
}

TEST_F(SumInfoTest, ParametersAreTheTermsOwn) {
  const auto handle = Registry().ResolveAlone("cross_entropy+test_loss", {{"cross_entropy.label_smoothing", 0.1},
                                                                          {"test_loss.gamma", 3.0},
                                                                          {"cross_entropy.weight", 0.25},
                                                                          {"test_loss.class_weights", 2.0}});
  ASSERT_TRUE(handle.ok()) << handle.status();
  ASSERT_EQ(handle->terms().size(), 2u);
  EXPECT_EQ(handle->terms()[0].loss.params().at("label_smoothing"), ParamValue(0.1));
  EXPECT_EQ(handle->terms()[0].weight, 0.25);
  EXPECT_EQ(handle->terms()[1].loss.params().at("gamma"), ParamValue(3.0));
  EXPECT_EQ(handle->terms()[1].weight, 1);
  EXPECT_EQ(handle->params().at("test_loss.weight"), ParamValue(1.0));
  EXPECT_EQ(handle->params().at("test_loss.class_weights"), ParamValue(std::vector<double>{2}));
  // What was resolved resolves to the same again.
  const auto again = Registry().ResolveAlone("cross_entropy+test_loss", handle->params());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->params(), handle->params());
  EXPECT_THAT(Registry().ResolveAlone("mse", {})->terms(), IsEmpty());
}

TEST_F(SumInfoTest, EveryBadParameterIsNamed) {
  const absl::Status status = Refusal("cross_entropy+test_loss", {{"label_smoothing", 0.1},
                                                                  {"cross_entropy.label_smoothing", 7.0},
                                                                  {"test_loss.gamma", std::string("x")},
                                                                  {"test_loss.weight", -1.0},
                                                                  {"cross_entropy.weight", kTestInfinity}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Fields(status),
              ElementsAre("params.cross_entropy.weight", "params.cross_entropy.label_smoothing",
                          "params.test_loss.weight", "params.test_loss.gamma", "params.label_smoothing"));
  EXPECT_THAT(FieldViolationsOf(status)[4].description, HasSubstr("did you mean cross_entropy.label_smoothing?"));
}

TEST_F(SumInfoTest, SomeWeightIsAboveZero) {
  const absl::Status status =
      Refusal("cross_entropy+test_loss", {{"cross_entropy.weight", 0.0}, {"test_loss.weight", 0.0}});
  EXPECT_THAT(Fields(status), ElementsAre("params.cross_entropy.weight"));
  EXPECT_TRUE(Refusal("cross_entropy+test_loss", {{"cross_entropy.weight", 0.0}}).ok());
}

TEST_F(SumInfoTest, AnAuthorsOwnRefusalNamesTheTermsParameter) {
  const absl::Status status = Refusal("cross_entropy+test_loss", {{"test_loss.gamma", 5.0}, {"test_loss.hard", true}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Fields(status), ElementsAre("params.test_loss.hard"));
}

TEST_F(SumInfoTest, OneRefusedTermRefusesTheSum) {
  const Head head = HeadOf("two-stage", "classification");
  const auto valid = Registry().Resolve("object-detection", head, "cross_entropy+test_loss", {});
  EXPECT_TRUE(valid.ok()) << valid.status();
  const absl::Status status =
      Registry().Resolve("object-detection", head, "mse+cross_entropy+binary_cross_entropy", {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(
      std::string(status.message()),
      AllOf(HasSubstr("loss mse is not valid for head classification"),
            HasSubstr("loss binary_cross_entropy is not valid for head classification"), HasSubstr("; valid: "),
            HasSubstr("cross_entropy, "), HasSubstr("test_loss"), ::testing::Not(HasSubstr("loss cross_entropy is"))));
  EXPECT_EQ(ReasonOf(status).metadata["loss"], "mse,binary_cross_entropy");
}

TEST_F(SumInfoTest, WhatTheCatalogSaysHoldsForEveryTerm) {
  // label_smoothing is fixed to 0, type to giou, where a loss has them.
  const Head head = HeadOf("two-stage", "classification");
  const auto handle = Registry().Resolve("object-detection", head, "cross_entropy+test_loss", {});
  ASSERT_TRUE(handle.ok()) << handle.status();
  EXPECT_EQ(handle->params().at("test_loss.type"), ParamValue(std::string("giou")));
  const absl::Status status =
      Registry()
          .Resolve("object-detection", head, "cross_entropy+test_loss", {{"cross_entropy.label_smoothing", 0.1}})
          .status();
  EXPECT_THAT(Fields(status), ElementsAre("params.cross_entropy.label_smoothing"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("head classification fixes it to 0"));
  Head own = head;
  own.losses.fixed.clear();
  own.losses.params = {{"label_smoothing", 0.2}, {"test_loss.weight", 0.5}};
  const auto defaults = Registry().Resolve("object-detection", own, "cross_entropy+test_loss", {});
  ASSERT_TRUE(defaults.ok()) << defaults.status();
  EXPECT_EQ(defaults->params().at("cross_entropy.label_smoothing"), ParamValue(0.2));
  EXPECT_EQ(defaults->terms()[1].weight, 0.5);
}

TEST_F(SumInfoTest, ACatalogsDefaultMayBeASum) {
  LossRegistry::Builder builder;
  AddBuiltins(builder);
  ASSERT_TRUE(builder.Add(*test_.Check()).ok());
  const auto catalog = [](const std::string& loss, ParamMap params) {
    HeadTemplate head = TestHead("classification", "multiclass", loss);
    head.losses.params = std::move(params);
    return *Catalog::Make(TestTasks(), {TestArchitecture("net", "object-detection", {head})}, "digest");
  };
  const Catalog good = catalog("cross_entropy+test_loss", {{"test_loss.weight", 0.5}, {"ignore_index", 255.0}});
  EXPECT_TRUE(builder.CheckCatalog(good).ok()) << builder.CheckCatalog(good);
  const absl::Status bad = builder.CheckCatalog(catalog("cross_entropy+mse", {{"mse.wait", 0.5}}));
  EXPECT_THAT(Fields(bad), ElementsAre("architectures.net.heads[0].losses.default",
                                       "architectures.net.heads[0].losses.params.mse.wait"));
  EXPECT_THAT(std::string(bad.message()),
              AllOf(HasSubstr("is mse, which is not valid here"), HasSubstr("did you mean mse.weight?")));
  EXPECT_THAT(Fields(builder.CheckCatalog(catalog("cross_entropy+cross_entropy", {}))),
              ElementsAre("architectures.net.heads[0].losses.default"));
  EXPECT_THAT(builder.MissingLosses(catalog("cross_entropy+nothing", {})), ElementsAre("nothing"));
  const auto list =
      std::move(builder).Build(std::make_shared<const Catalog>(good))->ListFor("object-detection", "net", "");
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->note, "the default of head classification is the sum cross_entropy+test_loss");
}

TEST_F(SumInfoTest, ShapesAndVectorsAreCheckedForEveryTerm) {
  const auto handle = Registry().ResolveAlone("cross_entropy+test_loss",
                                              {{"cross_entropy.class_weights", std::vector<double>{1, 2}},
                                               {"test_loss.class_weights", std::vector<double>{1, 2, 3, 4}}});
  ASSERT_TRUE(handle.ok()) << handle.status();
  const std::vector<std::optional<InputShape>> good = {InputShape{DType::kF32, {5, 3}}, InputShape{DType::kI64, {5}},
                                                       std::nullopt};
  EXPECT_THAT(Fields(CheckShapes(*handle, good)),
              ElementsAre("params.cross_entropy.class_weights", "params.test_loss.class_weights"));
  EXPECT_THAT(Fields(CheckClassVectors("multiclass", 3, *handle)),
              ElementsAre("params.cross_entropy.class_weights", "params.test_loss.class_weights"));
  std::vector<std::optional<InputShape>> bad = good;
  bad[1].reset();
  EXPECT_THAT(Fields(CheckShapes(*Registry().ResolveAlone("cross_entropy+test_loss", {}), bad)),
              ElementsAre("inputs.target"))
      << "missed by both, named once";
  EXPECT_TRUE(CheckShapes(*Registry().ResolveAlone("cross_entropy+test_loss", {}), good).ok());
}

}  // namespace
}  // namespace gradeline
