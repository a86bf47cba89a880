// Solvers, schedulers, augmentations and the training from files; and what is shipped of them.
#include "server/wire/catalog_offer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "server/core/loss/known_training.h"
#include "server/wire/catalog_files.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
namespace fs = std::filesystem;

const std::string kShipped = std::string(GRADELINE_SOURCE_DIR) + "/configs/catalog";

class CatalogOfferTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = absl::StrCat(::testing::TempDir(), "/catalog-offer-", getpid());
    fs::remove_all(root_);
    fs::copy(kShipped, root_, fs::copy_options::recursive);
  }
  void TearDown() override { fs::remove_all(root_); }
  void Write(const std::string& name, const std::string& text) { std::ofstream(root_ + "/" + name) << text; }
  std::vector<FieldViolation> Problems() { return FieldViolationsOf(LoadCatalog(root_).status()); }

  std::string root_;
};

TEST_F(CatalogOfferTest, AnAdministratorAddsAFile) {
  Write("solvers/mine.yaml", R"(id: mine
title: Mine
help: Something new.
learning_rate: 0.5
parameters:
  speed: {kind: number, default: 1, min: 0, unit: steps, group: g, link: "https://example.org", help: how fast}
  warm: {kind: bool, default: false, needs: ["speed > 1"], help: whether}
  when_warm: {kind: integer, optional: true, when: warm=true, help: then}
)");
  const auto catalog = LoadCatalog(root_);
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  const ChoiceInfo& mine = **catalog->FindSolver("mine");
  EXPECT_EQ(mine.doc, "Something new.");
  EXPECT_EQ(mine.learning_rate, 0.5);
  ASSERT_EQ(mine.params.size(), 3u);
  EXPECT_EQ(mine.params[0].link, "https://example.org");
  EXPECT_THAT(mine.params[1].needs, ElementsAre("speed > 1"));
  EXPECT_EQ(mine.params[2].when, "warm=true");
  EXPECT_FALSE(mine.params[2].fallback.has_value());
  EXPECT_NE(catalog->digest(), LoadCatalog(kShipped)->digest());
}

TEST_F(CatalogOfferTest, AMistakeHasFileLineAndWhatIsAllowed) {
  Write("solvers/sgd.yaml", R"(id: sgd
parameters:
  momentum: {kind: number, default: 2, min: 0, max: 1}
  nesterov: {kind: bool, default: false, needs: ["momentun > 0"]}
  list: {kind: vector, default: 1}
)");
  Write("schedulers/polynomial_lr.yaml", "id: polynomial_lr\n");
  Write("augmentations/blur.yaml", "id: blur\ntasks: [tagging, taging]\nparameters:\n  p: {kind: numbr}\n");
  EXPECT_THAT(Problems(), ElementsAre(FieldViolation{"augmentations/blur.yaml:4: parameters.p.kind",
                                                     "is \"numbr\"; allowed is number, integer, bool, choice, vector, "
                                                     "measure"}));
  Write("augmentations/blur.yaml", "id: blur\ntasks: [tagging, taging]\n");
  EXPECT_THAT(Problems(),
              ElementsAre(FieldViolation{"solvers/sgd.yaml:5: parameters.list.default",
                                         "is given; a vector and a measure have none, they are optional: true"}));
  Write("solvers/sgd.yaml", R"(id: sgd
parameters:
  momentum: {kind: number, default: 2, min: 0, max: 1}
  nesterov: {kind: bool, default: false, needs: ["momentun > 0"]}
)");
  EXPECT_THAT(
      Problems(),
      ElementsAre(FieldViolation{"solvers/sgd.yaml:3: parameters.momentum.default", "is 2; allowed: numbers in [0, 1]"},
                  FieldViolation{"solvers/sgd.yaml:4: parameters.nesterov.needs[0]",
                                 "is \"momentun > 0\", momentun is no parameter; did you mean momentum?"},
                  FieldViolation{"schedulers/polynomial_lr.yaml:1: id",
                                 "is no schedule that the server computes; known: cosine_annealing_lr, cyclic_lr, "
                                 "exponential_lr, multi_step_lr, reduce_lr_on_plateau, step_lr"},
                  FieldViolation{"augmentations/blur.yaml:2: tasks[1]", "is \"taging\"; did you mean tagging?"}));
}

TEST_F(CatalogOfferTest, TheTrainingHasTheServersFields) {
  Write("training.yaml", "parameters:\n  epochs: {kind: integer, default: 5, min: 1, max: 200000}\n");
  EXPECT_THAT(Problems(),
              ElementsAre(FieldViolation{"training.yaml:2: parameters.epochs.max", "is 200000; allowed: 1 to 100000"},
                          FieldViolation{"training.yaml:1: parameters",
                                         "lacks iterations, batch_size, learning_rate, seed, workers, patience, "
                                         "min_delta, monitor"}));
}

TEST_F(CatalogOfferTest, AnOlderCatalogOffersNothing) {
  for (const char* folder : {"solvers", "schedulers", "augmentations", "training.yaml"}) {
    fs::remove_all(root_ + "/" + folder);
  }
  const auto catalog = LoadCatalog(root_);
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_TRUE(catalog->offer().solvers.empty());
  EXPECT_EQ(catalog->offer().training.size(), TrainingFields().size());
}

std::vector<std::string> Ids(const std::vector<ChoiceInfo>& choices) {
  std::vector<std::string> ids;
  for (const ChoiceInfo& choice : choices) ids.push_back(choice.id);
  return ids;
}

TEST(ShippedOffer, IsWhole) {
  const auto catalog = LoadCatalog(kShipped);
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  const TrainingOffer& offer = catalog->offer();
  EXPECT_THAT(Ids(offer.solvers),
              ElementsAre("adadelta", "adagrad", "adam", "adamax", "adamw", "asgd", "lion", "rmsprop", "rprop", "sgd"));
  EXPECT_THAT(Ids(offer.schedulers), ElementsAre("cosine_annealing_lr", "cyclic_lr", "exponential_lr", "multi_step_lr",
                                                 "reduce_lr_on_plateau", "step_lr"));
  EXPECT_THAT(Ids(offer.augmentations),
              ElementsAre("blur", "center_crop", "color_jitter", "copy_paste", "equalize", "gauss_noise",
                          "horizontal_flip", "longest_max_size", "mosaic", "random_crop", "random_sized_crop", "resize",
                          "rotate", "shear", "shift_scale_rotate", "smallest_max_size", "to_gray", "vertical_flip"));
}

TEST(ShippedOffer, RangesHaveTwoEnds) {
  // What Albumentations, and the Model Playground's pages, draw from a range.
  const std::map<std::string, std::vector<std::string>> expected{
      {"blur", {"size_max >= size_min"}},
      {"gauss_noise", {"var_max >= var_min"}},
      {"random_sized_crop", {"max_size >= min_size"}},
      {"rotate", {"angle_max >= angle_min"}},
      {"shear", {"angle_max >= angle_min"}},
      {"shift_scale_rotate", {"rotate_max >= rotate_min", "scale_max >= scale_min", "shift_max >= shift_min"}}};
  std::map<std::string, std::vector<std::string>> shipped;
  const auto catalog = LoadCatalog(kShipped);
  for (const ChoiceInfo& augmentation : catalog->offer().augmentations) {
    for (const ParamSpec& spec : augmentation.params) {
      for (const std::string& need : spec.needs) shipped[augmentation.id].push_back(need);
    }
  }
  EXPECT_EQ(shipped, expected);
}

TEST(ShippedOffer, ShiftScaleRotateTakesWhatItsPageSays) {
  // Factors in [-1, 1], a range of degrees whose sign is the direction.
  const auto catalog = LoadCatalog(kShipped);
  const auto& params = (*catalog->FindAugmentation("shift_scale_rotate"))->params;
  const auto problems = [&](const ParamMap& given) { return FieldViolationsOf(ResolveParams(params, given).status()); };
  EXPECT_THAT(problems({{"rotate_min", -90.0}, {"rotate_max", -45.0}}), IsEmpty());
  EXPECT_THAT(problems({{"shift_min", -1.0}, {"shift_max", 1.0}, {"scale_min", -1.0}, {"scale_max", 1.0}}), IsEmpty());
  EXPECT_THAT(problems({{"shift_min", 0.5}, {"scale_max", -0.5}, {"rotate_max", -90.0}}),
              UnorderedElementsAre(
                  FieldViolation{"shift_min", "is 0.5, which needs shift_max >= shift_min; shift_max is 0.0625"},
                  FieldViolation{"scale_min", "is -0.1, which needs scale_max >= scale_min; scale_max is -0.5"},
                  FieldViolation{"rotate_min", "is -45, which needs rotate_max >= rotate_min; rotate_max is -90"}));
  EXPECT_THAT(problems({{"shift_min", -1.5}, {"scale_max", 1.5}}),
              UnorderedElementsAre(FieldViolation{"shift_min", "is -1.5; allowed: numbers in [-1, 1]"},
                                   FieldViolation{"scale_max", "is 1.5; allowed: numbers in [-1, 1]"}));
}

TEST(ShippedOffer, ExplainsEverything) {
  const auto catalog = LoadCatalog(kShipped);
  const TrainingOffer& offer = catalog->offer();
  for (const auto* choices : {&offer.solvers, &offer.schedulers, &offer.augmentations}) {
    for (const ChoiceInfo& choice : *choices) {
      EXPECT_FALSE(choice.title.empty() || choice.doc.empty()) << choice.id;
      EXPECT_TRUE(ResolveParams(choice.params, {}).ok()) << choice.id;
      for (const ParamSpec& spec : choice.params) EXPECT_FALSE(spec.doc.empty()) << choice.id << " " << spec.name;
    }
  }
  for (const ChoiceInfo& solver : offer.solvers) EXPECT_TRUE(solver.learning_rate.has_value()) << solver.id;
  for (const ChoiceInfo& augmentation : offer.augmentations) EXPECT_FALSE(augmentation.labels.empty());
  for (const ParamSpec& spec : offer.training) EXPECT_FALSE(spec.doc.empty()) << spec.name;
}

}  // namespace
}  // namespace gradeline
