// Losses of one family: one name, several sets of tensors, each for signals of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/core/base/status.h"
#include "server/core/loss/registry.h"
#include "server/core/loss/test_catalog.h"
#include "server/core/loss/test_loss.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// "test_loss" for multiclass heads, "test_loss/binary" for binary ones; the objectness head of the test catalog allows
/// "test_loss" and nothing else, and has it as its default.
class FamilyTest : public ::testing::Test {
 protected:
  FamilyTest() {
    other_ = test_.loss;
    other_.id = "test_loss/binary";
    other_.signals = signals_;
    test_.losses[1] = &other_;
    auto losses = test_.Check();
    EXPECT_TRUE(losses.ok()) << losses.status();
    LossRegistry::Builder builder;
    EXPECT_TRUE(builder.Add(*std::move(losses)).ok());
    std::vector<ArchitectureInfo> architectures = TestArchitectures();
    HeadTemplate& objectness = architectures[1].heads[2];
    objectness.losses.only = {"test_loss"};
    objectness.losses.fallback.value = "test_loss";
    objectness.losses.params = {{"gamma", 1.0}};
    auto catalog = std::make_shared<const Catalog>(*Catalog::Make(TestTasks(), std::move(architectures), "digest"));
    EXPECT_TRUE(builder.CheckCatalog(*catalog).ok()) << builder.CheckCatalog(*catalog);
    EXPECT_THAT(builder.MissingLosses(*catalog), ::testing::Not(::testing::Contains("test_loss")));
    registry_ = std::move(builder).Build(std::move(catalog));
  }

  Head HeadOf(const std::string& id) {
    const Catalog& catalog = registry_->catalog();
    const auto heads = catalog.ResolveHeads(**catalog.FindArchitecture("", "two-stage"), {});
    for (const Head& head : *heads) {
      if (head.id == id) return head;
    }
    ADD_FAILURE() << "no head " << id;
    return {};
  }

  TestPlugin test_;
  GdlLoss other_;
  const char* signals_[2]{"binary", nullptr};
  std::shared_ptr<const LossRegistry> registry_;
};

TEST_F(FamilyTest, TheHeadsSignalSaysWhichIsMeant) {
  const auto binary = registry_->Resolve("object-detection", HeadOf("objectness"), "test_loss", {});
  ASSERT_TRUE(binary.ok()) << binary.status();
  EXPECT_EQ(binary->info().id, "test_loss/binary");
  EXPECT_EQ(std::get<double>(binary->params().at("gamma")), 1) << "what the catalog says of the family holds";
  const auto classes = registry_->Resolve("object-detection", HeadOf("classification"), "test_loss", {});
  ASSERT_TRUE(classes.ok()) << classes.status();
  EXPECT_EQ(classes->info().id, "test_loss");
  EXPECT_THAT(std::string(registry_->Resolve("object-detection", HeadOf("box"), "test_loss", {}).status().message()),
              HasSubstr("loss test_loss is not valid for head box"));
}

TEST_F(FamilyTest, IsOfferedAndByDefault) {
  const auto list = registry_->ListFor("object-detection", "two-stage", "objectness");
  ASSERT_TRUE(list.ok()) << list.status();
  for (const LossOffer& offer : list->offers) {
    EXPECT_EQ(offer.verdict, offer.loss->id == "test_loss/binary" ? LossVerdict::kDefault : LossVerdict::kRefused);
  }
  EXPECT_EQ(list->note, "head objectness: the proposals are sampled");
}

TEST_F(FamilyTest, HasTheOneOfItsNameFirst) {
  EXPECT_THAT(registry_->Family("test_loss"), ElementsAre("test_loss", "test_loss/binary"));
  EXPECT_THAT(registry_->Family("test_loss/binary"), ElementsAre("test_loss/binary"));
  EXPECT_THAT(registry_->Family("mse"), ElementsAre("mse"));
}

TEST_F(FamilyTest, ASlashAloneMakesNone) {
  other_.id = "vendor/loss";
  const auto losses = test_.Check();
  ASSERT_TRUE(losses.ok()) << losses.status();
  EXPECT_EQ((*losses)[1].family, "vendor/loss");
}

}  // namespace
}  // namespace gradeline
