#include "server/core/loss/offer.h"

#include <limits>

#include "gmock/gmock.h"
#include "server/core/loss/catalog.h"
#include "server/core/loss/condition.h"
#include "server/core/loss/known_training.h"
#include "server/core/loss/params.h"

namespace gradeline {
namespace {

using testing::ElementsAre;

ParamSpec Spec(const std::string& name, uint32_t kind, std::optional<double> fallback,
               std::vector<std::string> needs = {}) {
  ParamSpec spec;
  spec.name = name;
  spec.kind = kind;
  spec.fallback = fallback;
  spec.min = 0;
  spec.max = std::numeric_limits<double>::infinity();
  spec.needs = std::move(needs);
  return spec;
}

ChoiceInfo Sgd() {
  ChoiceInfo sgd;
  sgd.id = "sgd";
  sgd.params = {Spec("momentum", GDL_NUMBER, 0), Spec("dampening", GDL_NUMBER, 0),
                Spec("nesterov", GDL_BOOL, 0, {"momentum > 0", "dampening = 0"})};
  return sgd;
}

std::vector<FieldViolation> Problems(TrainingOffer offer) {
  Violations violations;
  CheckOffer(offer, {"classification"}, violations);
  return violations.list();
}

TEST(Needs, AreCheckedWhileTheParameterIsOn) {
  const ChoiceInfo sgd = Sgd();
  EXPECT_TRUE(ResolveParams(sgd.params, {}).ok());
  EXPECT_TRUE(ResolveParams(sgd.params, {{"dampening", 0.5}, {"nesterov", false}}).ok());
  EXPECT_TRUE(ResolveParams(sgd.params, {{"momentum", 0.9}, {"nesterov", true}}).ok());
  EXPECT_THAT(FieldViolationsOf(ResolveParams(sgd.params, {{"dampening", 0.5}, {"nesterov", true}}).status()),
              ElementsAre(FieldViolation{"nesterov", "is true, which needs momentum > 0; momentum is 0"},
                          FieldViolation{"nesterov", "is true, which needs dampening = 0; dampening is 0.5"}));
}

TEST(Needs, MayCompareParametersAndWords) {
  const ParamMap params{{"low", 1.0}, {"high", 2.0}, {"mode", std::string("abs")}, {"on", true}};
  const auto holds = [&params](const char* text) { return Holds(*ParseCondition(text), params); };
  EXPECT_TRUE(holds("low <= high") && holds("low < high") && holds("high > 1.5") && holds("high >= 2"));
  EXPECT_TRUE(holds("mode = abs") && holds("mode != rel") && holds("on = true") && holds("low != high"));
  EXPECT_FALSE(holds("low >= high") || holds("low > high") || holds("high < 2") || holds("high = 1"));
  EXPECT_FALSE(holds("mode = rel") || holds("mode != abs") || holds("on != true"));
  EXPECT_TRUE(holds("absent > 3")) << "one that is off asks for nothing";
  for (const char* wrong : {"", "low", "low high", "low ~ high", "low<high", "low < high now"}) {
    EXPECT_FALSE(ParseCondition(wrong).has_value()) << wrong;
  }
}

TEST(Offer, IsSortedAndWhole) {
  TrainingOffer offer;
  offer.solvers = {Sgd(), Sgd()};
  offer.solvers[1].id = "adam";
  Violations violations;
  CheckOffer(offer, {}, violations);
  EXPECT_TRUE(violations.empty());
  EXPECT_EQ(offer.solvers[0].id, "adam");
  EXPECT_EQ(offer.training.size(), TrainingFields().size());
}

TEST(Offer, WhatIsWrongIsSaidAtOnce) {
  TrainingOffer offer;
  offer.solvers = {Sgd()};
  offer.solvers[0].id = "S-G-D";
  offer.solvers[0].learning_rate = 0;
  offer.solvers[0].params = {Spec("a", GDL_NUMBER, -1), Spec("a", GDL_NUMBER, 0), Spec("b", GDL_BOOL, 0, {"speed > 0"}),
                             Spec("d", GDL_NUMBER, 0, {"a is 0"}), Spec("e", GDL_NUMBER, 1, {"a < low"})};
  offer.solvers[0].params[2].when = "a=1";
  offer.schedulers = {{.id = "polynomial_lr"}, Schedules()[5]};
  offer.schedulers[1].params[0].min = 0;  // step_size: nothing is a whole number of 0 epochs
  offer.schedulers[1].params[1].name = "gama";
  offer.augmentations = {{.id = "blur", .tasks = {"classifikation"}}, {.id = "none"}};
  EXPECT_THAT(
      Problems(offer),
      ElementsAre(
          FieldViolation{"solvers.S-G-D.id",
                         "is \"S-G-D\"; allowed: 1 to 63 characters of a-z, 0-9 and _, beginning with a letter"},
          FieldViolation{"solvers.S-G-D.parameters.a.default", "is -1; allowed: finite numbers of at least 0"},
          FieldViolation{"solvers.S-G-D.parameters.a", "is there twice"},
          FieldViolation{"solvers.S-G-D.parameters.b.when",
                         "is \"a=1\"; allowed: \"parameter=word\" of a choice or a bool among a, a, b, d, e"},
          FieldViolation{"solvers.S-G-D.parameters.b.needs[0]",
                         "is \"speed > 0\", speed is no parameter; known: a, a, b, d, e"},
          FieldViolation{"solvers.S-G-D.parameters.d.needs[0]",
                         "is \"a is 0\"; allowed: \"parameter > value\", with one of = != < <= > >= between spaces"},
          FieldViolation{"solvers.S-G-D.parameters.e.needs[0]",
                         "is \"a < low\", low is neither a number nor a parameter"},
          FieldViolation{"schedulers.polynomial_lr.id",
                         "is no schedule that the server computes; known: cosine_annealing_lr, cyclic_lr, "
                         "exponential_lr, multi_step_lr, reduce_lr_on_plateau, step_lr"},
          FieldViolation{"schedulers.step_lr.parameters.step_size.min", "is 0; allowed: 1 to 100000"},
          FieldViolation{"schedulers.step_lr.parameters.gama", "is no parameter of step_lr; did you mean gamma?"},
          FieldViolation{"schedulers.step_lr.parameters", "lacks gamma"},
          FieldViolation{"augmentations.blur.tasks[0]", "is \"classifikation\"; did you mean classification?"},
          FieldViolation{"augmentations.none.tasks", "is empty; an augmentation is for at least one task"},
          FieldViolation{"solvers.S-G-D.learning_rate", "is 0; allowed: finite numbers greater than 0"}));
}

TEST(Offer, DefaultsMeetWhatTheyNeed) {
  TrainingOffer offer;
  offer.solvers = {Sgd()};
  offer.solvers[0].params[2].fallback = 1;
  EXPECT_THAT(Problems(offer), ElementsAre(FieldViolation{"solvers.sgd.parameters.nesterov.default",
                                                          "is true, which needs momentum > 0; momentum is 0"}));
}

TEST(Offer, TheTrainingsFileMayOnlyNarrow) {
  TrainingOffer offer;
  offer.training = TrainingFields();
  offer.training[0].max = 50;
  offer.training[2].fallback = 64;
  EXPECT_TRUE(Problems(offer).empty());
  offer.training[0].min = -1;
  offer.training[0].max = 200'000;
  offer.training[3].flags = 0;  // learning_rate: 0 itself
  offer.training[3].fallback = 1;
  offer.training[4].kind = GDL_NUMBER;
  offer.training[5].flags |= GDL_MAY_BE_OFF;
  offer.training[5].fallback = 4;  // workers: 0 is none
  offer.training.pop_back();
  offer.training.push_back(Spec("batchsize", GDL_INTEGER, 0));
  EXPECT_THAT(
      Problems(offer),
      ElementsAre(
          FieldViolation{"training.parameters.epochs.min", "is -1; allowed: 1 to 100000"},
          FieldViolation{"training.parameters.epochs.max", "is 200000; allowed: 1 to 100000"},
          FieldViolation{"training.parameters.learning_rate.min", "is 0; allowed: greater"},
          FieldViolation{"training.parameters.seed.kind", "is number; allowed: integer"},
          FieldViolation{"training.parameters.workers.optional", "is true; allowed: a parameter with a default"},
          FieldViolation{"training.parameters.batchsize", "is no parameter of a training; did you mean batch_size?"},
          FieldViolation{"training.parameters", "lacks monitor"},
          FieldViolation{"training.parameters.epochs.default", "is 10; allowed: 0, or a min above it"},
          FieldViolation{"training.parameters.learning_rate.default", "is 1; allowed: 0, or a min above it"},
          FieldViolation{"training.parameters.workers.default", "is 4; allowed: 0, or a min above it"}));
}

}  // namespace
}  // namespace gradeline
