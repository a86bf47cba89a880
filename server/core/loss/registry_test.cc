#include "server/core/loss/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/core/base/status.h"
#include "server/core/loss/test_catalog.h"
#include "server/core/loss/test_loss.h"

namespace gradeline {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

const std::set<std::string> kThree{"binary_cross_entropy", "cross_entropy", "mse"};

class RegistryTest : public ::testing::Test {
 protected:
  RegistryTest() {
    LossRegistry::Builder builder;
    AddBuiltins(builder, kThree);
    auto losses = test_.Check();
    EXPECT_TRUE(losses.ok()) << losses.status();
    EXPECT_TRUE(builder.Add(*std::move(losses)).ok());
    PluginInfo refused;
    refused.name = "bad.so";
    refused.refusal = "crashed";
    builder.AddRefused(refused);
    registry_ = std::move(builder).Build(std::make_shared<const Catalog>(TestCatalog()));
  }

  Head HeadOf(const std::string& architecture, const std::string& id, const ParamMap& params = {}) {
    const Catalog& catalog = registry_->catalog();
    const auto heads = catalog.ResolveHeads(**catalog.FindArchitecture("", architecture), params);
    for (const Head& head : *heads) {
      if (head.id == id) return head;
    }
    ADD_FAILURE() << architecture << " has no head " << id;
    return {};
  }
  LossOffer Offer(const std::string& task, const std::string& architecture, const std::string& head,
                  const std::string& id) {
    const auto list = registry_->ListFor(task, architecture, head);
    EXPECT_TRUE(list.ok()) << list.status();
    for (const LossOffer& offer : list->offers) {
      if (offer.loss->id == id) return offer;
    }
    ADD_FAILURE() << "no offer for " << id;
    return {};
  }

  TestPlugin test_;
  std::shared_ptr<const LossRegistry> registry_;
};

TEST_F(RegistryTest, ListsLossesAndPlugins) {
  std::vector<std::string> ids, plugins;
  for (const auto& loss : registry_->losses()) ids.push_back(loss->id);
  for (const auto& plugin : registry_->plugins()) plugins.push_back(plugin->name);
  EXPECT_THAT(ids, ElementsAre("binary_cross_entropy", "cross_entropy", "mse", "test_loss"));
  EXPECT_THAT(plugins, ElementsAre("binary_cross_entropy", "cross_entropy", "mse", "test-plugin", "bad.so"));
}

TEST_F(RegistryTest, AnIdTwiceNamesBothSources) {
  LossRegistry::Builder builder;
  AddBuiltins(builder, kThree);
  test_.loss.id = "mse";
  const absl::Status status = builder.Add(*test_.Check());
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(status.message(), "loss mse of plugin test-plugin (test) is already there from plugin mse (built-in)");
  EXPECT_EQ(std::move(builder).Build(nullptr)->losses().size(), 3u);
}

TEST_F(RegistryTest, UnknownLossHasNearNames) {
  const auto status = registry_->Find("croos_entropy").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "there is no loss \"croos_entropy\"; did you mean cross_entropy?");
  EXPECT_THAT(std::string(registry_->Find("dice").status().message()),
              HasSubstr("loaded: binary_cross_entropy, cross_entropy, mse, test_loss"));
}

TEST_F(RegistryTest, BoxHeadRefusesEveryLossAndSaysWhy) {
  const auto list = registry_->ListFor("object-detection", "two-stage", "box");
  ASSERT_TRUE(list.ok()) << list.status();
  for (const LossOffer& offer : list->offers) EXPECT_EQ(offer.verdict, LossVerdict::kRefused) << offer.loss->id;
  EXPECT_EQ(Offer("object-detection", "two-stage", "box", "mse").reason,
            "it computes the signal value, the head's signal is box; it is only for task regression, not for "
            "object-detection");
  EXPECT_THAT(list->note,
              AllOf(StartsWith("the default loss bounding_box_regression of head box is not loaded; no loaded "
                               "loss is valid for head box (signal box); "),
                    HasSubstr("; mse is refused (it computes the signal value, the head's signal is box; it is "
                              "only for task regression, not for object-detection)")));
}

TEST_F(RegistryTest, VerdictsOfOneHead) {
  EXPECT_EQ(Offer("regression", "mlp", "value", "mse").verdict, LossVerdict::kDefault);
  EXPECT_EQ(Offer("object-detection", "two-stage", "classification", "cross_entropy").verdict, LossVerdict::kDefault);
  EXPECT_EQ(Offer("object-detection", "two-stage", "classification", "test_loss").verdict, LossVerdict::kValid);
  EXPECT_EQ(Offer("object-detection", "two-stage", "refined", "cross_entropy").reason, "the catalog excludes it");
  const LossOffer only = Offer("object-detection", "two-stage", "objectness", "cross_entropy");
  EXPECT_THAT(only.reason,
              HasSubstr("the catalog allows only binary_cross_entropy, focal (the proposals are sampled)"));
}

TEST_F(RegistryTest, ParametersDecide) {
  const LossOffer binary = Offer("semantic-segmentation", "u-net", "segmentation", "binary_cross_entropy");
  EXPECT_EQ(binary.verdict, LossVerdict::kValid);
  EXPECT_EQ(binary.reason, "segmentation with mode=binary");
  const LossOffer multiclass = Offer("semantic-segmentation", "u-net", "segmentation", "cross_entropy");
  EXPECT_EQ(multiclass.verdict, LossVerdict::kDefault);
  EXPECT_EQ(multiclass.reason, "segmentation with mode=multiclass");
  EXPECT_THAT(Offer("semantic-segmentation", "u-net", "segmentation", "mse").reason,
              HasSubstr("the head's signal is pixel-multiclass or pixel-binary"));
  EXPECT_EQ(Offer("object-detection", "cascade", "semantic", "cross_entropy").reason, "semantic with semantic=true");
}

TEST_F(RegistryTest, UnionsListHeads) {
  EXPECT_THAT(Offer("object-detection", "two-stage", "", "cross_entropy").heads, ElementsAre("classification"));
  EXPECT_THAT(Offer("object-detection", "two-stage", "", "mse").heads,
              ElementsAre("classification", "box", "objectness", "refined"));
  EXPECT_THAT(Offer("object-detection", "two-stage", "", "mse").reason, HasSubstr("box: it computes the signal value"));
  EXPECT_THAT(Offer("object-detection", "", "", "cross_entropy").heads,
              ElementsAre("cascade/semantic", "two-stage/classification"));
  EXPECT_THAT(Offer("object-detection", "", "box", "mse").heads, ElementsAre("cascade/box", "two-stage/box"));
}

TEST_F(RegistryTest, RepetitionsAreHeadsToo) {
  EXPECT_TRUE(registry_->ListFor("object-detection", "cascade", "box@3").ok());
  for (const char* unknown : {"box@0", "box@4", "bo", "semantic@1"}) {
    const auto status = registry_->ListFor("object-detection", "cascade", unknown).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(status.message()), HasSubstr("known: box, semantic"));
  }
}

TEST_F(RegistryTest, ListForUnknownNames) {
  EXPECT_EQ(registry_->ListFor("detection", "", "").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(registry_->ListFor("regression", "unet", "").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(registry_->ListFor("regression", "u-net", "").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(RegistryTest, ResolveRefusesWhatIsNotValidAndNamesWhatIs) {
  const auto box = registry_->Resolve("object-detection", HeadOf("two-stage", "box"), "mse", {}).status();
  EXPECT_EQ(box.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(
      box.message(),
      "loss mse is not valid for head box of task object-detection: it computes the signal value, the head's signal is "
      "box; it is only for task regression, not for object-detection; valid: none that is loaded; the default loss "
      "bounding_box_regression is not loaded");
  EXPECT_EQ(ReasonOf(box).reason, "LOSS_NOT_VALID_FOR_HEAD");
  const auto rows = registry_->Resolve("object-detection", HeadOf("two-stage", "classification"), "mse", {}).status();
  EXPECT_THAT(std::string(rows.message()), HasSubstr("valid: cross_entropy, test_loss"));
  EXPECT_EQ(ReasonOf(rows).metadata.at("valid"), "cross_entropy,test_loss");
  EXPECT_EQ(registry_->Resolve("regression", HeadOf("mlp", "value"), "rmse", {}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(registry_->Resolve("semantic-segmentation", HeadOf("u-net", "segmentation"), "binary_cross_entropy", {})
                .status()
                .code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(RegistryTest, LayersUserOverCatalogOverLoss) {
  const Head head = HeadOf("u-net", "segmentation");
  const auto usual = registry_->Resolve("semantic-segmentation", head, "cross_entropy", {});
  ASSERT_TRUE(usual.ok()) << usual.status();
  EXPECT_EQ(usual->params().at("ignore_index"), ParamValue(255.0));
  EXPECT_EQ(usual->params().at("label_smoothing"), ParamValue(0.0));
  const auto given = registry_->Resolve("semantic-segmentation", head, "cross_entropy", {{"ignore_index", 7.0}});
  EXPECT_EQ(given->params().at("ignore_index"), ParamValue(7.0));
  EXPECT_EQ(registry_->ResolveAlone("cross_entropy", {})->params().at("ignore_index"), ParamValue(-100.0));
}

TEST_F(RegistryTest, FixedValuesStay) {
  const Head head = HeadOf("two-stage", "classification");
  EXPECT_TRUE(registry_->Resolve("object-detection", head, "cross_entropy", {{"label_smoothing", 0.0}}).ok());
  const auto changed =
      registry_->Resolve("object-detection", head, "cross_entropy", {{"label_smoothing", 0.1}, {"gamma", 1.0}})
          .status();
  EXPECT_THAT(
      FieldViolationsOf(changed),
      UnorderedElementsAre(FieldViolation{"params.label_smoothing", "is 0.1; head classification fixes it to 0"},
                           FieldViolation{"params.gamma",
                                          "is no parameter; known: class_weights, ignore_index, "
                                          "label_smoothing"}));
  EXPECT_EQ(registry_->Resolve("object-detection", head, "test_loss", {})->params().at("type"), ParamValue("giou"));
}

TEST_F(RegistryTest, CreateSeesValuesInOrderAndItsRefusalComesBack) {
  const auto handle = registry_->ResolveAlone(
      "test_loss",
      {{"gamma", 3.0}, {"hard", true}, {"type", std::string("giou")}, {"class_weights", std::vector{1.0, 2.0}}});
  ASSERT_TRUE(handle.ok()) << handle.status();
  EXPECT_THAT(TestPlugin::last_params,
              ElementsAre(ElementsAre(3), ElementsAre(-100), ElementsAre(1), ElementsAre(1), ElementsAre(1, 2)));
  EXPECT_THAT(handle->component_weights(), ElementsAre(3));
  EXPECT_EQ(*static_cast<const int*>(handle->state()), 7);
  const auto refused = registry_->ResolveAlone("test_loss", {{"gamma", 5.0}, {"hard", true}}).status();
  EXPECT_THAT(FieldViolationsOf(refused), ElementsAre(FieldViolation{"params.hard", "does not go with gamma 5"}));
  EXPECT_EQ(registry_->ResolveAlone("test_loss", {{"gamma", 4.0}}).status().code(), absl::StatusCode::kInternal);
}

TEST_F(RegistryTest, StateLivesAsLongAsItsHandles) {
  const int before = TestPlugin::destroyed;
  {
    LossHandle copy;
    {
      const auto handle = registry_->ResolveAlone("test_loss", {});
      copy = *handle;
      registry_.reset();
    }
    EXPECT_EQ(TestPlugin::destroyed, before);
    EXPECT_EQ(copy.info().id, "test_loss");
  }
  EXPECT_EQ(TestPlugin::destroyed, before + 1);
}

TEST_F(RegistryTest, WeightFollowsTheParameters) {
  Head head = HeadOf("two-stage", "classification");
  head.weight = 3;
  head.losses.fixed.clear();
  head.losses.weight_for = {{"type=giou", 10}};
  const auto with = [&](const char* type) {
    return LossRegistry::WeightOf(
        head, *registry_->Resolve("object-detection", head, "test_loss", {{"type", std::string(type)}}));
  };
  EXPECT_EQ(with("giou"), 10);
  EXPECT_EQ(with("smooth_l1"), 3);
}

}  // namespace
}  // namespace gradeline
