#include "server/core/loss/params.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "server/core/base/status.h"
#include "server/core/loss/test_loss.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::vector<ParamSpec> Specs() {
  TestPlugin test;
  return test.Check()->front().params;
}
const ParamSpec& Spec(const std::vector<ParamSpec>& specs, const std::string& name) {
  for (const ParamSpec& spec : specs) {
    if (spec.name == name) return spec;
  }
  return specs.front();
}

TEST(ResolveParamsTest, DefaultsWithoutWhatIsOff) {
  const auto params = ResolveParams(Specs(), {});
  ASSERT_TRUE(params.ok()) << params.status();
  EXPECT_THAT(*params, UnorderedElementsAre(Pair("gamma", ParamValue(2.0)), Pair("ignore", ParamValue(-100.0)),
                                            Pair("hard", ParamValue(false)), Pair("type", ParamValue("smooth_l1"))));
}

TEST(ResolveParamsTest, TakesGivenValues) {
  const ParamMap given{
      {"gamma", 5.0}, {"hard", true}, {"type", std::string("giou")}, {"class_weights", std::vector{1.0, 2.0}}};
  const auto params = ResolveParams(Specs(), given);
  ASSERT_TRUE(params.ok()) << params.status();
  for (const auto& [name, value] : given) EXPECT_EQ(params->at(name), value) << name;
  EXPECT_EQ(params->at("ignore"), ParamValue(-100.0));
}

TEST(ResolveParamsTest, OneNumberIsAVectorAndOffIsAbsent) {
  EXPECT_EQ(ResolveParams(Specs(), {{"class_weights", 3.0}})->at("class_weights"), ParamValue(std::vector{3.0}));
  EXPECT_EQ(ResolveParams(Specs(), {{"class_weights", std::string("off")}})->count("class_weights"), 0u);
  EXPECT_FALSE(ResolveParams(Specs(), {{"gamma", std::string("off")}}).ok());
}

TEST(ResolveParamsTest, BoundsOpenAndClosed) {
  for (const double good : {0.0, 5.0, 2.5}) EXPECT_TRUE(ResolveParams(Specs(), {{"gamma", good}}).ok()) << good;
  for (const double bad :
       {std::nextafter(0.0, -1.0), std::nextafter(5.0, 6.0), kTestOff, kTestInfinity, -kTestInfinity}) {
    EXPECT_FALSE(ResolveParams(Specs(), {{"gamma", bad}}).ok()) << bad;
  }
  EXPECT_FALSE(ResolveParams(Specs(), {{"class_weights", 0.0}}).ok());
  EXPECT_TRUE(ResolveParams(Specs(), {{"class_weights", std::numeric_limits<double>::denorm_min()}}).ok());
  EXPECT_FALSE(ResolveParams(Specs(), {{"class_weights", std::vector<double>{}}}).ok());
  EXPECT_FALSE(ResolveParams(Specs(), {{"ignore", 0.5}}).ok());
  EXPECT_FALSE(ResolveParams(Specs(), {{"ignore", 1e300}}).ok());
}

TEST(ResolveParamsTest, AllViolationsWithWhatIsAllowed) {
  const auto status = ResolveParams(Specs(), {{"gama", 1.0},
                                              {"gamma", -1.0},
                                              {"ignore", std::string("x")},
                                              {"hard", 1.0},
                                              {"type", std::string("iou")},
                                              {"class_weights", std::vector{1.0, -2.0}}})
                          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      FieldViolationsOf(status),
      UnorderedElementsAre(
          FieldViolation{"gama", "is no parameter; did you mean gamma?"},
          FieldViolation{"gamma", "is -1; allowed: numbers in [0, 5]"},
          FieldViolation{"ignore", "is \"x\"; allowed: finite integers"},
          FieldViolation{"hard", "is 1; allowed: true or false"},
          FieldViolation{"type", "is \"iou\"; allowed: smooth_l1, giou"},
          FieldViolation{"class_weights", "has -2 at [1]; allowed: a list of finite numbers greater than 0, or off"}));
}

TEST(ResolveParamsTest, UnknownWithoutNearNamesListsThem) {
  const auto status = ResolveParams(Specs(), {{"zzz", 1.0}}).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("known: gamma, ignore, hard, type, class_weights"));
}

TEST(ParamTextTest, ReadsBack) {
  EXPECT_EQ(ParamText(0.5), "0.5");
  EXPECT_EQ(ParamText(-100.0), "-100");
  EXPECT_EQ(ParamText(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(ParamText(true), "true");
  EXPECT_EQ(ParamText(std::string("giou")), "giou");
  EXPECT_EQ(ParamText(std::vector{1.0, 0.25}), "[1, 0.25]");
  EXPECT_LT(ParamText(std::vector<double>(100000, 1.0)).size(), 200u);
}

TEST(ParseParamTest, TextForms) {
  const auto specs = Specs();
  EXPECT_EQ(*ParseParam(Spec(specs, "gamma"), "0.5"), ParamValue(0.5));
  EXPECT_EQ(*ParseParam(Spec(specs, "ignore"), "-7"), ParamValue(-7.0));
  EXPECT_EQ(*ParseParam(Spec(specs, "hard"), "true"), ParamValue(true));
  EXPECT_EQ(*ParseParam(Spec(specs, "type"), "giou"), ParamValue(std::string("giou")));
  EXPECT_EQ(*ParseParam(Spec(specs, "class_weights"), "1,2,0.5"), ParamValue(std::vector{1.0, 2.0, 0.5}));
  EXPECT_EQ(*ParseParam(Spec(specs, "class_weights"), "off"), ParamValue(std::string("off")));
}

TEST(ParseParamTest, RefusesWhatTheSpecDoesNotAllow) {
  const auto specs = Specs();
  const std::vector<std::pair<std::string, std::string>> bad{
      {"gamma", ""},         {"gamma", "x"},        {"gamma", "1,2"},
      {"gamma", "6"},        {"gamma", "nan"},      {"ignore", "0.5"},
      {"hard", "1"},         {"type", "iou"},       {"class_weights", "1,,2"},
      {"class_weights", ""}, {"class_weights", "0"}};
  for (const auto& [name, text] : bad) {
    const auto value = ParseParam(Spec(specs, name), text);
    EXPECT_EQ(value.status().code(), absl::StatusCode::kInvalidArgument) << name << "=" << text;
    EXPECT_THAT(FieldViolationsOf(value.status()), ElementsAre(::testing::Field(&FieldViolation::field, name)));
  }
}

}  // namespace
}  // namespace gradeline
