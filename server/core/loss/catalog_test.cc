#include "server/core/loss/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "server/core/base/status.h"
#include "server/core/loss/test_catalog.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(CatalogTest, SortsAndFinds) {
  const Catalog catalog = TestCatalog();
  EXPECT_EQ(catalog.digest(), "digest");
  EXPECT_EQ(catalog.tasks()[0].id, "object-detection");
  EXPECT_EQ((*catalog.FindTask("regression"))->id, "regression");
  EXPECT_EQ((*catalog.FindArchitecture("", "u-net"))->id, "u-net");
  EXPECT_EQ((*catalog.FindArchitecture("semantic-segmentation", "u-net"))->id, "u-net");
}

TEST(CatalogTest, UnknownNamesAreNotFoundWithNearOnes) {
  const Catalog catalog = TestCatalog();
  const auto task = catalog.FindTask("object_detectoin").status();
  EXPECT_EQ(task.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(task.message(), "there is no task \"object_detectoin\"; did you mean object-detection?");
  EXPECT_EQ(ReasonOf(task).metadata.at("name"), "object_detectoin");
  EXPECT_THAT(std::string(catalog.FindArchitecture("", "unet").status().message()), HasSubstr("did you mean u-net?"));
  EXPECT_THAT(std::string(catalog.FindArchitecture("", "x").status().message()),
              HasSubstr("known: cascade, mlp, two-stage, u-net"));
}

TEST(CatalogTest, ArchitectureOfAnotherTask) {
  const auto status = TestCatalog().FindArchitecture("regression", "u-net").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "architecture u-net is for semantic-segmentation, not for task regression; for that there are: mlp");
}

TEST(ResolveHeadsTest, ByParameter) {
  const Catalog catalog = TestCatalog();
  const ArchitectureInfo& u_net = **catalog.FindArchitecture("", "u-net");
  const auto usual = catalog.ResolveHeads(u_net, {});
  ASSERT_TRUE(usual.ok()) << usual.status();
  ASSERT_EQ(usual->size(), 1u);
  EXPECT_EQ(usual->front().signal, "pixel-multiclass");
  EXPECT_EQ(usual->front().default_loss, "cross_entropy");
  const auto binary = catalog.ResolveHeads(u_net, {{"mode", std::string("binary")}});
  EXPECT_EQ(binary->front().signal, "pixel-binary");
  EXPECT_EQ(binary->front().default_loss, "binary_cross_entropy");
}

TEST(ResolveHeadsTest, WhenAndRepeat) {
  const Catalog catalog = TestCatalog();
  const ArchitectureInfo& cascade = **catalog.FindArchitecture("", "cascade");
  const auto ids = [&](const ParamMap& params) {
    std::vector<std::string> list;
    const auto heads = catalog.ResolveHeads(cascade, params);
    for (const Head& head : *heads) list.push_back(head.id);
    return list;
  };
  EXPECT_THAT(ids({}), ElementsAre("box@1", "box@2", "box@3"));
  EXPECT_THAT(ids({{"semantic", true}}), ElementsAre("box@1", "box@2", "box@3", "semantic"));
  const auto heads = *catalog.ResolveHeads(cascade, {});
  EXPECT_EQ(heads[1].base, "box");
  EXPECT_EQ(heads[0].weight, 2.0);
  EXPECT_EQ(heads[1].weight, 1.0);
  EXPECT_EQ(heads[2].weight, 0.5);
  EXPECT_EQ(heads[0].losses.weight_for.at("type=giou"), 10);
  EXPECT_EQ(heads[2].losses.weight_for.at("type=giou"), 2.5);
}

TEST(ResolveHeadsTest, BadParameters) {
  const Catalog catalog = TestCatalog();
  const auto status =
      catalog.ResolveHeads(**catalog.FindArchitecture("", "u-net"), {{"mode", std::string("x")}, {"depth", 1.0}})
          .status();
  EXPECT_THAT(FieldViolationsOf(status), ElementsAre(FieldViolation{"mode", "is \"x\"; allowed: multiclass, binary"},
                                                     FieldViolation{"depth", "is no parameter; known: mode"}));
}

struct Fault {
  const char* field;
  std::function<void(std::vector<TaskInfo>&, ArchitectureInfo& u_net)> make;
};
class CatalogFaultTest : public ::testing::TestWithParam<Fault> {};

TEST_P(CatalogFaultTest, NamesTheField) {
  std::vector<TaskInfo> tasks = TestTasks();
  std::vector<ArchitectureInfo> architectures = TestArchitectures();
  for (ArchitectureInfo& architecture : architectures) {
    if (architecture.id == "u-net") GetParam().make(tasks, architecture);
  }
  const absl::Status status = Catalog::Make(tasks, architectures, "").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(FieldViolationsOf(status), ElementsAre(::testing::Field(&FieldViolation::field, GetParam().field)))
      << status;
}

using Tasks = std::vector<TaskInfo>;
using Arch = ArchitectureInfo;
const std::vector<Fault> kFaults{
    {"tasks.Bad Id.id",
     [](Tasks& tasks, Arch&) {
       tasks.push_back({"Bad Id", "", "", {}});
     }},
    {"tasks.regression.id",
     [](Tasks& tasks, Arch&) {
       tasks.push_back({"regression", "", "", {}});
     }},
    {"architectures.mlp.id", [](Tasks&, Arch& a) { a = TestArchitectures()[3]; }},
    {"architectures.u-net.tasks", [](Tasks&, Arch& a) { a.tasks.clear(); }},
    {"architectures.u-net.tasks[0]", [](Tasks&, Arch& a) { a.tasks = {"segmentation"}; }},
    {"architectures.u-net.parameters.mode", [](Tasks&, Arch& a) { a.params.push_back(a.params[0]); }},
    {"architectures.u-net.heads", [](Tasks&, Arch& a) { a.heads.clear(); }},
    {"architectures.u-net.heads[1].id", [](Tasks&, Arch& a) { a.heads.push_back(a.heads[0]); }},
    {"architectures.u-net.heads[0].id", [](Tasks&, Arch& a) { a.heads[0].id = "box@1"; }},
    {"architectures.u-net.heads[0].signal", [](Tasks&, Arch& a) { a.heads[0].signal.cases["binary"] = "pixels"; }},
    {"architectures.u-net.heads[0].signal", [](Tasks&, Arch& a) { a.heads[0].signal.cases.erase("binary"); }},
    {"architectures.u-net.heads[0].signal", [](Tasks&, Arch& a) { a.heads[0].signal.cases["x"] = "pixel-binary"; }},
    {"architectures.u-net.heads[0].signal",
     [](Tasks&, Arch& a) {
       a.heads[0].signal = {"pixel", "", {}};
     }},
    {"architectures.u-net.heads[0].signal.by", [](Tasks&, Arch& a) { a.heads[0].signal.by = "mod"; }},
    {"architectures.u-net.heads[0].when", [](Tasks&, Arch& a) { a.heads[0].when = "mode=x"; }},
    {"architectures.u-net.heads[0].when", [](Tasks&, Arch& a) { a.heads[0].when = "mode"; }},
    {"architectures.u-net.heads[0].classes.of", [](Tasks&, Arch& a) { a.heads[0].classes_of = "some"; }},
    {"architectures.u-net.heads[0].classes.background", [](Tasks&, Arch& a) { a.heads[0].background = "middle"; }},
    {"architectures.u-net.heads[0].normaliser.kind", [](Tasks&, Arch& a) { a.heads[0].normaliser = ""; }},
    {"architectures.u-net.heads[0].normaliser.rule", [](Tasks&, Arch& a) { a.heads[0].normaliser = "given"; }},
    {"architectures.u-net.heads[0].weight", [](Tasks&, Arch& a) { a.heads[0].weight = -1; }},
    {"architectures.u-net.heads[0].phases", [](Tasks&, Arch& a) { a.heads[0].phases = {"training"}; }},
    {"architectures.u-net.heads[0].repeat", [](Tasks&, Arch& a) { a.heads[0].repeat_name = "stage"; }},
    {"architectures.u-net.heads[0].losses.default",
     [](Tasks&, Arch& a) {
       a.heads[0].losses.fallback = {"", "", {}};
     }},
    {"architectures.u-net.heads[0].losses.default",
     [](Tasks&, Arch& a) { a.heads[0].losses.only = {"cross_entropy"}; }},
    {"architectures.u-net.heads[0].losses.except",
     [](Tasks&, Arch& a) {
       a.heads[0].losses.only = {"cross_entropy", "binary_cross_entropy"};
       a.heads[0].losses.except = {"dice"};
     }},
    {"architectures.u-net.heads[0].losses.fixed.gamma",
     [](Tasks&, Arch& a) {
       a.heads[0].losses.params["gamma"] = 1.0;
       a.heads[0].losses.fixed["gamma"] = 2.0;
     }},
    {"architectures.u-net.heads[0].losses.weight_for[\"giou\"]",
     [](Tasks&, Arch& a) { a.heads[0].losses.weight_for["giou"] = 2; }},
};
INSTANTIATE_TEST_SUITE_P(Faults, CatalogFaultTest, ::testing::ValuesIn(kFaults));

TEST(CatalogTest, PoliciesMayNameLossesThatNobodyLoaded) {
  std::vector<ArchitectureInfo> architectures = TestArchitectures();
  architectures[0].heads[0].losses.except = {"not_written_yet"};
  EXPECT_TRUE(Catalog::Make(TestTasks(), architectures, "").ok());
}

}  // namespace
}  // namespace gradeline
