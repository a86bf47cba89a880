// The catalog that is shipped, with one value changed: what only the loaded losses can say of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "plugins/losses/builtin.h"
#include "server/core/base/status.h"
#include "server/core/loss/registry.h"
#include "server/wire/catalog_files.h"

namespace gradeline {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

class CatalogCheckTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = absl::StrCat(::testing::TempDir(), "/catalog-check-", getpid());
    fs::remove_all(root_);
    fs::copy(std::string(GRADELINE_SOURCE_DIR) + "/configs/catalog", root_, fs::copy_options::recursive);
    for (const GdlPlugin* const* plugin = BuiltinLossPlugins(); *plugin != nullptr; ++plugin) {
      auto losses = CheckPluginTables(**plugin, PluginInfo());
      ASSERT_TRUE(losses.ok()) << losses.status();
      ASSERT_TRUE(builder_.Add(*std::move(losses)).ok());
    }
  }
  void TearDown() override { fs::remove_all(root_); }

  /// Puts `now` in the place of `was` in architectures/`id`.yaml; what the check finds.
  std::vector<FieldViolation> Changed(const std::string& id, const std::string& was, const std::string& now) {
    const std::string path = absl::StrCat(root_, "/architectures/", id, ".yaml");
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    std::string changed = text.str();
    const size_t at = changed.find(was);
    EXPECT_NE(at, std::string::npos);
    changed.replace(at, was.size(), now);
    std::ofstream(path) << changed;
    const auto violations = Problems();
    std::ofstream(path) << text.str();
    return violations;
  }
  std::vector<FieldViolation> Problems() {
    const auto check = [this](const Catalog& catalog) { return builder_.CheckCatalog(catalog); };
    return FieldViolationsOf(LoadCatalog(root_, check).status());
  }

  std::string root_;
  LossRegistry::Builder builder_;
};

auto Says(const std::string& field, const std::string& text) {
  return AllOf(Field(&FieldViolation::field, field), Field(&FieldViolation::description, HasSubstr(text)));
}

TEST_F(CatalogCheckTest, WhatIsShippedIsRight) { EXPECT_THAT(Problems(), IsEmpty()); }

TEST_F(CatalogCheckTest, ParametersAreThoseOfTheLosses) {
  // Said once, though many architectures extend this one.
  EXPECT_THAT(Changed("u-net", "ignore_index: 255", "ignore_indx: 255"),
              ElementsAre(Says("architectures/u-net.yaml:16: heads[0].losses.params.ignore_indx",
                               "is no parameter of binary_cross_entropy, cross_entropy; did you mean ignore_index?")));
  const auto wrong = Changed("u-net", "ignore_index: 255", "ignore_index: hello");
  ASSERT_EQ(wrong.size(), 2U) << "one per loss";
  EXPECT_THAT(wrong[0], Says("architectures/u-net.yaml:16: heads[0].losses.params.ignore_index", "hello"));
  EXPECT_THAT(Changed("mask-rcnn", "params: {ignore_index: 255}", "fixed: {ignore_index: 0.5}"),
              ElementsAre(Says("architectures/mask-rcnn.yaml:13: heads[0].losses.fixed.ignore_index", "0.5")));
}

TEST_F(CatalogCheckTest, LossesComputeTheSignal) {
  EXPECT_THAT(Changed("resnet", "{by: mode, multiclass: cross_entropy, binary: binary_cross_entropy}", "cross_entropy"),
              ElementsAre(Says("architectures/resnet.yaml:15: heads[0].losses.default",
                               "is cross_entropy, which is not valid here: it computes the signal multiclass")));
  EXPECT_THAT(
      Changed("faster-rcnn", "only: [binary_cross_entropy, focal]", "only: [binary_cross_entropy, cross_entropy]"),
      ElementsAre(
          Says("architectures/faster-rcnn.yaml:31: heads[0].losses.only", "is cross_entropy, which is not valid")));
}

TEST_F(CatalogCheckTest, TheCatalogMayBeAheadOfTheLosses) {
  EXPECT_THAT(Changed("mlp", "default: mse", "default: later, params: {unheard: 1}"), IsEmpty());
  const auto catalog = LoadCatalog(root_);
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_THAT(LossRegistry::Builder().MissingLosses(*catalog),
              ElementsAre("binary_cross_entropy", "bounding_box_regression", "cross_entropy", "focal", "iou", "mse"));
  for (const std::string& id : builder_.MissingLosses(*catalog)) {
    EXPECT_THAT(id, testing::Not(testing::AnyOf("binary_cross_entropy", "bounding_box_regression", "iou", "mse")));
  }
}

TEST_F(CatalogCheckTest, BoxHeadsTakeBoxRegression) {
  auto loaded = LoadCatalog(root_);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const auto registry = std::move(builder_).Build(std::make_shared<const Catalog>(*std::move(loaded)));
  const Catalog& catalog = registry->catalog();
  int boxes = 0;
  for (const ArchitectureInfo& architecture : catalog.architectures()) {
    const auto heads = catalog.ResolveHeads(architecture, {});
    ASSERT_TRUE(heads.ok()) << heads.status();
    for (const Head& head : *heads) {
      if (head.signal != "box") continue;
      ++boxes;
      const std::string& task = architecture.tasks[0];
      const auto fallback = registry->Resolve(task, head, head.default_loss, {});
      ASSERT_TRUE(fallback.ok()) << architecture.id << " " << head.id << fallback.status();
      EXPECT_EQ(fallback->info().id, "bounding_box_regression");
      EXPECT_EQ(std::get<std::string>(fallback->params().at("type")), "smooth_l1");
      EXPECT_EQ(LossRegistry::WeightOf(head, *fallback), head.weight);
      const auto giou = registry->Resolve(task, head, head.default_loss, {{"type", std::string("giou")}});
      ASSERT_TRUE(giou.ok()) << giou.status();
      const auto rule = head.losses.weight_for.find("type=giou");
      EXPECT_EQ(LossRegistry::WeightOf(head, *giou), rule == head.losses.weight_for.end() ? head.weight : rule->second);
    }
  }
  EXPECT_GT(boxes, 10);
  const auto list = registry->ListFor("object-detection", "faster-rcnn", "box");
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->note, "");
  for (const LossOffer& offer : list->offers) {
    EXPECT_EQ(offer.verdict == LossVerdict::kDefault, offer.loss->id == "bounding_box_regression") << offer.loss->id;
    if (offer.loss->id == "iou") {
      EXPECT_EQ(offer.verdict, LossVerdict::kValid);
    }
  }
}

}  // namespace
}  // namespace gradeline
