#include "server/wire/catalog_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "server/core/base/status.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

// As written in the catalog's documentation.
constexpr char kFasterRcnn[] = R"(id: faster-rcnn
tasks: [object-detection]
parameters:
  backbone: {kind: choice, choices: [resnet50-fpn, resnet101-fpn], default: resnet50-fpn}
  anchors_per_image: {kind: integer, default: 256, min: 1, help: anchors sampled for the proposal network}
heads:
  - id: objectness                       # component rpn_cls of the papers
    signal: binary
    rows: sampled anchors
    losses: {default: binary_cross_entropy, only: [binary_cross_entropy, focal]}
    normaliser: {kind: given, rule: "anchors_per_image * images"}
  - id: proposal-box
    signal: box
    rows: positive anchors
    losses: {default: bounding_box_regression, params: {type: smooth_l1, beta: 0}, only: [bounding_box_regression, iou],
             weight_for: {"type=giou": 2}}
    normaliser: {kind: given, rule: "anchors_per_image * images"}
  - id: classification
    signal: multiclass
    classes: {of: things, background: last}          # K + 1; class_weights has K + 1 entries, background last
    rows: sampled proposals
    losses: {default: cross_entropy}
    normaliser: {kind: valid_weight}
  - id: box
    signal: box
    rows: foreground proposals, the true class's four values gathered by the worker
    losses: {default: bounding_box_regression, params: {type: smooth_l1, beta: 0}, weight_for: {"type=giou": 10}}
    normaliser: {kind: given, rule: "sampled proposals, at least 1"}
)";
constexpr char kUNet[] = R"(id: u-net
tasks: [semantic-segmentation]
parameters:
  encoder: {kind: choice, choices: [resnet18, resnet34, resnet50, efficientnet-b0], default: resnet34}
  mode: {kind: choice, choices: [multiclass, binary, multilabel], default: multiclass}
heads:
  - id: segmentation
    signal: {by: mode, multiclass: pixel-multiclass, binary: pixel-binary, multilabel: pixel-multilabel}
    classes: {of: all, background: none}
    losses: {default: {by: mode, multiclass: cross_entropy, binary: binary_cross_entropy, multilabel: binary_cross_entropy},
             params: {ignore_index: 255}}
    normaliser: {kind: valid_weight}
)";

class CatalogFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = ::testing::TempDir() + "catalog-" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(root_);
    for (const char* folder : {"tasks", "architectures"}) fs::create_directories(root_ + "/" + folder);
    for (const char* task : {"object-detection", "semantic-segmentation", "instance-segmentation"}) {
      Write(std::string("tasks/") + task, std::string("id: ") + task + "\nmetrics: [accuracy]\n");
    }
    Write("architectures/faster-rcnn", kFasterRcnn);
    Write("architectures/u-net", kUNet);
  }
  void Write(const std::string& name, const std::string& text) { std::ofstream(root_ + "/" + name + ".yaml") << text; }
  std::vector<FieldViolation> Problems() { return FieldViolationsOf(LoadCatalog(root_).status()); }

  std::string root_;
};

TEST_F(CatalogFilesTest, EvaluationsAreInherited) {
  Write("architectures/faster-rcnn", std::string(kFasterRcnn) + "evaluations:\n  - {id: found, signal: detections}\n");
  Write("architectures/mask-rcnn",
        "id: mask-rcnn\nextends: faster-rcnn\ntasks: [instance-segmentation]\nevaluations:\n"
        "  - {id: masks, signal: instances}\n  - {id: found, signal: panoptic}\n");
  const auto catalog = LoadCatalog(root_);
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  const auto& own = (*catalog->FindArchitecture("", "mask-rcnn"))->evaluations;
  ASSERT_EQ(own.size(), 2u);
  EXPECT_EQ(own[0].id + " " + own[0].signal, "found panoptic") << "replaced where it was";
  EXPECT_EQ(own[1].id, "masks");
  EXPECT_EQ((*catalog->FindArchitecture("", "faster-rcnn"))->evaluations[0].signal, "detections");
}

TEST_F(CatalogFilesTest, WrongEvaluationsAreNamedWhereTheyAreWritten) {
  Write("architectures/faster-rcnn", std::string(kFasterRcnn) + "evaluations:\n  - {id: found, signal: box}\n");
  Write("architectures/mask-rcnn",
        "id: mask-rcnn\nextends: faster-rcnn\nevaluations:\n"
        "  - {id: box, signal: instances}\n  - {id: twice, signal: instances}\n  - {id: twice, signal: instances}\n");
  std::vector<std::string> fields;
  for (const FieldViolation& problem : Problems()) fields.push_back(problem.field);
  EXPECT_THAT(fields,
              ElementsAre(testing::AllOf(HasSubstr("faster-rcnn.yaml:30: "), HasSubstr("evaluations[0].signal")),
                          testing::AllOf(HasSubstr("mask-rcnn.yaml:4: "), HasSubstr("evaluations[0].id")),
                          testing::AllOf(HasSubstr("mask-rcnn.yaml:6: "), HasSubstr("evaluations[2].id"))));
}

TEST_F(CatalogFilesTest, ReadsTheDocumentedFilesAsTheyAre) {
  const auto catalog = LoadCatalog(root_);
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_THAT((*catalog->FindTask("object-detection"))->metrics, ElementsAre("accuracy"));
  const ArchitectureInfo& faster = **catalog->FindArchitecture("object-detection", "faster-rcnn");
  ASSERT_EQ(faster.heads.size(), 4u);
  const HeadTemplate& proposal = faster.heads[1];
  EXPECT_EQ(proposal.id, "proposal-box");
  EXPECT_EQ(proposal.signal.value, "box");
  EXPECT_EQ(proposal.rows, "positive anchors");
  EXPECT_THAT(proposal.losses.only, ElementsAre("bounding_box_regression", "iou"));
  EXPECT_EQ(proposal.losses.params, (ParamMap{{"type", std::string("smooth_l1")}, {"beta", 0.0}}));
  EXPECT_EQ(proposal.losses.weight_for.at("type=giou"), 2);
  EXPECT_EQ(proposal.normaliser, "given");
  EXPECT_EQ(proposal.normaliser_rule, "anchors_per_image * images");
  EXPECT_EQ(faster.heads[2].background, "last");
  EXPECT_EQ(faster.heads[2].phases.size(), 3u);
  ASSERT_EQ(faster.params.size(), 2u);
  EXPECT_EQ(faster.params[0].name, "anchors_per_image");
  EXPECT_EQ(faster.params[0].fallback, 256);
  EXPECT_EQ(faster.params[0].min, 1);
  EXPECT_EQ(faster.params[1].fallback, 0);
  const auto heads = catalog->ResolveHeads(**catalog->FindArchitecture("", "u-net"), {{"mode", std::string("binary")}});
  EXPECT_EQ(heads->front().signal, "pixel-binary");
  EXPECT_EQ(heads->front().default_loss, "binary_cross_entropy");
}

TEST_F(CatalogFilesTest, ExtendsAddsAndReplaces) {
  Write("architectures/mask-rcnn", R"(id: mask-rcnn
extends: faster-rcnn
tasks: [instance-segmentation]
parameters:
  anchors_per_image: {kind: integer, default: 7, min: 1}
  masks: {kind: bool, default: true}
heads:
  - {id: box, signal: box, repeat: {name: stage, count: 2, weights: [1, 0.5]}, losses: {default: iou}, normaliser: {kind: items}}
  - {id: mask, when: masks=true, signal: pixel-binary, losses: {default: binary_cross_entropy}, normaliser: {kind: items}}
)");
  Write("architectures/again", "id: again\nextends: mask-rcnn\n");
  const auto catalog = LoadCatalog(root_);
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  for (const char* id : {"mask-rcnn", "again"}) {
    const auto heads = catalog->ResolveHeads(**catalog->FindArchitecture("instance-segmentation", id), {});
    std::vector<std::string> ids;
    for (const Head& head : *heads) ids.push_back(head.id);
    EXPECT_THAT(ids, ElementsAre("objectness", "proposal-box", "classification", "box@1", "box@2", "mask"));
    EXPECT_EQ((*catalog->FindArchitecture("", id))->params[0].fallback, 7);
  }
}

TEST_F(CatalogFilesTest, DigestIsOverNamesAndContents) {
  const std::string first = LoadCatalog(root_)->digest();
  EXPECT_EQ(first.size(), 64u);
  EXPECT_EQ(LoadCatalog(root_)->digest(), first);
  Write("architectures/u-net", std::string(kUNet) + "# a comment\n");
  EXPECT_NE(LoadCatalog(root_)->digest(), first);
  Write("architectures/u-net", kUNet);
  EXPECT_EQ(LoadCatalog(root_)->digest(), first);
  Write("tasks/regression", "id: regression\n");
  EXPECT_NE(LoadCatalog(root_)->digest(), first);
}

TEST_F(CatalogFilesTest, MissingFolder) {
  fs::remove_all(root_ + "/tasks");
  EXPECT_EQ(LoadCatalog(root_).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(LoadCatalog("/nowhere").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(CatalogFilesTest, ProblemsOfFormInAllFilesAtOnce) {
  Write("tasks/regression", "id: regression\ntitel: x\n");
  Write("architectures/broken", "id: other\nheads: {}\n");
  EXPECT_THAT(Problems(),
              ElementsAre(FieldViolation{"tasks/regression.yaml:2: titel", "is no key; did you mean title?"},
                          FieldViolation{"architectures/broken.yaml:2: heads", "is a mapping; allowed is a list [...]"},
                          FieldViolation{"architectures/broken.yaml:1: id",
                                         "is \"other\"; allowed is the file's name, broken"}));
}

TEST_F(CatalogFilesTest, ProblemsOfParametersAndInheritance) {
  Write("architectures/one", R"(id: one
extends: fastr-rcnn
parameters:
  a: {default: 1}
  b: {kind: choice, default: x}
  c: {kind: choice, choices: [x, y], default: z}
  d: {kind: integer, default: true}
  e: {kind: bool, default: 1}
  f: {kind: number}
  g: {kind: number, choices: [a], default: 1}
heads:
  - {id: box, signal: box, repeat: {name: stage, count: 0}, losses: {default: iou, params: {a: [x]}}, normaliser: {kind: items}}
  - {id: cls, signal: box, repeat: {name: stage, count: 2, weights: [1]}, losses: {default: iou}, normaliser: {kind: items}}
)");
  Write("architectures/round", "id: round\nextends: trip\n");
  Write("architectures/trip", "id: trip\nextends: round\n");
  std::vector<std::string> fields;
  for (const FieldViolation& violation : Problems()) fields.push_back(violation.field);
  EXPECT_THAT(
      fields,
      ElementsAre("architectures/one.yaml:2: extends", "architectures/one.yaml:4: parameters.a",
                  "architectures/one.yaml:5: parameters.b.choices", "architectures/one.yaml:5: parameters.b.default",
                  "architectures/one.yaml:6: parameters.c.default", "architectures/one.yaml:7: parameters.d.default",
                  "architectures/one.yaml:8: parameters.e.default", "architectures/one.yaml:9: parameters.f.default",
                  "architectures/one.yaml:10: parameters.g.choices", "architectures/one.yaml:12: heads[0].repeat.count",
                  "architectures/one.yaml:12: heads[0].losses.params",
                  "architectures/one.yaml:13: heads[1].repeat.weights", "architectures/trip.yaml:2: extends",
                  "architectures/round.yaml:2: extends"));
}

TEST_F(CatalogFilesTest, WhatManyExtendIsWrongOnce) {
  Write("architectures/base", R"(id: base
tasks: [regression]
parameters:
  a: {kind: integer, default: true}
heads:
  - {id: value, signal: value, losses: {default: mse}, normaliser: {kind: items}}
)");
  Write("architectures/one", "id: one\nextends: base\n");
  Write("architectures/two", "id: two\nextends: base\n");
  EXPECT_THAT(Problems(),
              ElementsAre(FieldViolation{"architectures/base.yaml:4: parameters.a.default", "is no number"}));
}

TEST_F(CatalogFilesTest, WrongReferencesHaveTheLineOfTheFileThatMakesThem) {
  Write("architectures/mask-rcnn", R"(id: mask-rcnn
extends: faster-rcnn
tasks: [instance-segmentaton]
parameters:
  size: {kind: integer, default: 0, min: 1}
heads:
  - id: mask
    signal: pixels
    losses: {default: binary_cross_entropy}
    normaliser: {kind: items}
)");
  EXPECT_THAT(
      Problems(),
      ElementsAre(
          FieldViolation{"architectures/mask-rcnn.yaml:3: tasks[0]",
                         "is \"instance-segmentaton\"; did you mean instance-segmentation?"},
          FieldViolation{"architectures/mask-rcnn.yaml:5: parameters.size.default",
                         "is 0; allowed: finite integers of at least 1"},
          ::testing::AllOf(::testing::Field(&FieldViolation::field, "architectures/mask-rcnn.yaml:8: heads[0].signal"),
                           ::testing::Field(&FieldViolation::description, HasSubstr("is \"pixels\"")))));
}

}  // namespace
}  // namespace gradeline
