#include "server/core/loss/loss_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/loss/test_loss.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

TEST(CheckPluginTablesTest, BuiltInsPass) {
  std::vector<std::string> ids;
  for (const GdlPlugin* const* plugin = BuiltinLossPlugins(); *plugin != nullptr; ++plugin) {
    const auto losses = CheckPluginTables(**plugin, PluginInfo());
    ASSERT_TRUE(losses.ok()) << losses.status();
    for (const LossInfo& loss : *losses) ids.push_back(loss.id);
  }
  EXPECT_THAT(ids, IsSupersetOf({"binary_cross_entropy", "cross_entropy", "mse"}));
}

TEST(CheckPluginTablesTest, CopiesEverything) {
  TestPlugin test;
  const auto losses = test.Check();
  ASSERT_TRUE(losses.ok()) << losses.status();
  ASSERT_EQ(losses->size(), 1u);
  const LossInfo& loss = losses->front();
  EXPECT_EQ(loss.id, "test_loss");
  EXPECT_THAT(loss.signals, ElementsAre("multiclass"));
  EXPECT_EQ(loss.tensors.size(), 3u);
  EXPECT_TRUE(loss.tensors[0].gradient() && loss.tensors[1].label() && loss.tensors[2].optional());
  EXPECT_EQ(loss.tensors[1].ignore_param, "ignore");
  EXPECT_THAT(loss.params[3].choices, ElementsAre("smooth_l1", "giou"));
  EXPECT_EQ(loss.params[4].fallback, std::nullopt);
  EXPECT_EQ(loss.params[4].axis, "c");
  EXPECT_EQ(loss.components[0].weight_param, "gamma");
  EXPECT_EQ(loss.plugin->name, "test-plugin");
  EXPECT_EQ(loss.plugin->source, "test");
  EXPECT_THAT(loss.plugin->losses, ElementsAre("test_loss"));
}

TEST(CheckPluginTablesTest, LaterTablesAreLongerAndOurPrefixCounts) {
  struct Longer {
    GdlComponentSpec spec;
    uint64_t unknown = ~uint64_t{0};
  } longer;
  TestPlugin test;
  longer.spec = test.component;
  longer.spec.struct_size = sizeof(Longer);
  test.components[0] = &longer.spec;
  EXPECT_TRUE(test.Check().ok());
}

TEST(CheckPluginTablesTest, NewerMinorIsRefusedWithBothNumbers) {
  TestPlugin test;
  test.plugin.abi_minor = 7;
  EXPECT_EQ(test.Check().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(test.Check().status().message()),
              HasSubstr(absl::StrCat("minor 7; this host has minor ", GDL_ABI_MINOR)));
}

struct Fault {
  const char* field;
  std::function<void(TestPlugin&)> make;
};

class LintTest : public ::testing::TestWithParam<Fault> {};

TEST_P(LintTest, NamesTheFieldOfTheFault) {
  TestPlugin test;
  GetParam().make(test);
  const absl::Status status = test.Check().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  std::vector<std::string> fields;
  for (const FieldViolation& violation : FieldViolationsOf(status)) fields.push_back(violation.field);
  EXPECT_THAT(fields, ElementsAre(GetParam().field)) << status;
}

const std::string kLong(5000, 'x');
const std::vector<const GdlParamSpec*> kEndless(2000, reinterpret_cast<const GdlParamSpec*>(&kLong));

const std::vector<Fault> kFaults{
        Fault{"plugin.struct_size", [](TestPlugin& t) { t.plugin.struct_size = 8; }},
        Fault{"plugin.struct_size", [](TestPlugin& t) { t.plugin.struct_size = 1u << 30; }},
        Fault{"plugin.name", [](TestPlugin& t) { t.plugin.name = nullptr; }},
        Fault{"plugin.vendor", [](TestPlugin& t) { t.plugin.vendor = "\xff"; }},
        Fault{"plugin.vendor", [](TestPlugin& t) { t.plugin.vendor = "\xe2\x82"; }},
        Fault{"plugin.license", [](TestPlugin& t) { t.plugin.license = kLong.c_str(); }},
        Fault{"losses", [](TestPlugin& t) { t.plugin.losses = nullptr; }},
        Fault{"losses", [](TestPlugin& t) { t.losses[0] = nullptr; }},
        Fault{"losses[1].id", [](TestPlugin& t) { t.losses[1] = &t.loss; }},
        Fault{"losses[0]",
              [](TestPlugin& t) {
                t.losses[0] = reinterpret_cast<const GdlLoss*>(reinterpret_cast<const char*>(&t.loss) + 1);
              }},
        Fault{"losses[0].struct_size", [](TestPlugin& t) { t.loss.struct_size = sizeof(GdlLoss) - 1; }},
        Fault{"losses[0].id", [](TestPlugin& t) { t.loss.id = "Test Loss"; }},
        Fault{"losses[0].doc", [](TestPlugin& t) { t.loss.doc = ""; }},
        Fault{"losses[0].version", [](TestPlugin& t) { t.loss.version = 0; }},
        Fault{"losses[0].flags", [](TestPlugin& t) { t.loss.flags = 64; }},
        Fault{"losses[0].merge", [](TestPlugin& t) { t.loss.merge = 0; }},
        Fault{"losses[0].signals", [](TestPlugin& t) { t.signals[0] = nullptr; }},
        Fault{"losses[0].signals[0]", [](TestPlugin& t) { t.signals[0] = "multi-class"; }},
        Fault{"losses[0].create", [](TestPlugin& t) { t.loss.create = nullptr; }},
        Fault{"losses[0].destroy", [](TestPlugin& t) { t.loss.destroy = nullptr; }},
        Fault{"losses[0].plan", [](TestPlugin& t) { t.loss.plan = nullptr; }},
        Fault{"losses[0].compute", [](TestPlugin& t) { t.loss.compute = nullptr; }},
        Fault{"losses[0].fold", [](TestPlugin& t) { t.loss.fold = nullptr; }},
        Fault{"losses[0].params", [](TestPlugin& t) { t.loss.params = kEndless.data(); }},
        Fault{"losses[0].params[0].name", [](TestPlugin& t) { t.gamma.name = "Gamma", t.component.weight_param = nullptr; }},
        Fault{"losses[0].params[0].kind", [](TestPlugin& t) { t.gamma.kind = 0; t.gamma.fallback = kTestOff; t.gamma.flags = GDL_MAY_BE_OFF; t.component.weight_param = nullptr; }},
        Fault{"losses[0].params[0].flags", [](TestPlugin& t) { t.gamma.flags = 1024; }},
        Fault{"losses[0].params[0].fallback", [](TestPlugin& t) { t.gamma.fallback = 6; }},
        Fault{"losses[0].params[0].fallback", [](TestPlugin& t) { t.gamma.fallback = kTestOff; }},
        Fault{"losses[0].params[0].fallback", [](TestPlugin& t) { t.gamma.flags = GDL_MAX_OPEN, t.gamma.fallback = 5; }},
        Fault{"losses[0].params[0].min", [](TestPlugin& t) { t.gamma.min = kTestOff; t.gamma.fallback = kTestOff; t.gamma.flags = GDL_MAY_BE_OFF; }},
        Fault{"losses[0].params[0].axis", [](TestPlugin& t) { t.gamma.axis = "c"; }},
        Fault{"losses[0].params[0].choices", [](TestPlugin& t) { t.gamma.choices = t.choices; }},
        Fault{"losses[0].params[0].when", [](TestPlugin& t) { t.gamma.when = "type=ciou"; }},
        Fault{"losses[0].params[0].when", [](TestPlugin& t) { t.gamma.when = "type"; }},
        Fault{"losses[0].params[0].when", [](TestPlugin& t) { t.gamma.when = "type=giou|ciou"; }},
        Fault{"losses[0].tensors[0].encoding", [](TestPlugin& t) { t.prediction.encoding = "box:{format}"; }},
        Fault{"losses[0].tensors[0].encoding", [](TestPlugin& t) { t.prediction.encoding = "box:{gamma}"; }},
        Fault{"losses[0].tensors[0].encoding", [](TestPlugin& t) { t.prediction.encoding = "box:{type"; }},
        Fault{"losses[0].tensors[0].encoding", [](TestPlugin& t) { t.prediction.encoding = "{type}:{type}"; }},
        Fault{"losses[0].tensors[0].encoding", [](TestPlugin& t) { t.type.when = "hard=true"; t.prediction.encoding = "{type}"; }},
        Fault{"losses[0].params[1].fallback", [](TestPlugin& t) { t.ignore.fallback = 0.5; }},
        Fault{"losses[0].params[1].name", [](TestPlugin& t) { t.ignore.name = "gamma"; t.target.ignore_param = nullptr; }},
        Fault{"losses[0].params[2].fallback", [](TestPlugin& t) { t.hard.fallback = 2; }},
        Fault{"losses[0].params[3].fallback", [](TestPlugin& t) { t.type.fallback = 2; }},
        Fault{"losses[0].params[3].choices", [](TestPlugin& t) { t.choices[1] = "smooth_l1"; }},
        Fault{"losses[0].params[4].fallback", [](TestPlugin& t) { t.classes.fallback = 1; }},
        Fault{"losses[0].tensors", [](TestPlugin& t) { t.prediction.flags = 0; }},
        Fault{"losses[0].tensors", [](TestPlugin& t) { t.target.one_of = 1; }},
        Fault{"losses[0].tensors[0].dims", [](TestPlugin& t) { t.prediction.dims = nullptr; }},
        Fault{"losses[0].tensors[1].name", [](TestPlugin& t) { t.target.name = "prediction"; }},
        Fault{"losses[0].tensors[1].kind", [](TestPlugin& t) { t.target.kind = 3; t.target.label_axis = t.target.ignore_param = nullptr; }},
        Fault{"losses[0].tensors[1].flags", [](TestPlugin& t) { t.target.flags = GDL_GRADIENT; }},
        Fault{"losses[0].tensors[1].dims", [](TestPlugin& t) { t.target.dims = "N"; }},
        Fault{"losses[0].tensors[1].dims", [](TestPlugin& t) { t.target.dims = "N  *"; }},
        Fault{"losses[0].tensors[1].dims", [](TestPlugin& t) { t.target.dims = "N k c *"; t.prediction.dims = "N c *"; t.target.dims = "c N *"; }},
        Fault{"losses[0].tensors[1].label_axis", [](TestPlugin& t) { t.target.label_axis = "k"; }},
        Fault{"losses[0].tensors[1].ignore_param", [](TestPlugin& t) { t.target.ignore_param = "gamma"; }},
        Fault{"losses[0].tensors[2].min", [](TestPlugin& t) { t.weight.min = 1; t.weight.max = 0; }},
        Fault{"losses[0].components", [](TestPlugin& t) { t.components[0] = nullptr; }},
        Fault{"losses[0].components[0].kind", [](TestPlugin& t) { t.component.kind = 9; }},
        Fault{"losses[0].components[0].kind", [](TestPlugin& t) { t.component.kind = GDL_AGGREGATE; t.loss.flags = GDL_ITEMS_INDEPENDENT; }},
        Fault{"losses[0].components[0].weight_param", [](TestPlugin& t) { t.component.weight_param = "type"; }}};
INSTANTIATE_TEST_SUITE_P(Faults, LintTest, ::testing::ValuesIn(kFaults));

TEST(CheckPluginTablesTest, ReportsAllFaultsAtOnce) {
  TestPlugin test;
  test.loss.version = 0;
  test.gamma.fallback = 6;
  test.component.kind = 0;
  EXPECT_EQ(FieldViolationsOf(test.Check().status()).size(), 3u);
}

}  // namespace
}  // namespace gradeline
