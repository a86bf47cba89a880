// For this room's tests: a small catalog with one architecture for each thing that a head can do.
#ifndef GRADELINE_SERVER_CORE_LOSS_TEST_CATALOG_H_
#define GRADELINE_SERVER_CORE_LOSS_TEST_CATALOG_H_

#include <string>
#include <utility>
#include <vector>

#include "server/core/loss/catalog.h"

namespace gradeline {

inline std::vector<TaskInfo> TestTasks() {
  return {{"regression", "Regression", "", {}},
          {"object-detection", "Object detection", "", {}},
          {"semantic-segmentation", "Semantic segmentation", "", {"accuracy"}}};
}

inline HeadTemplate TestHead(std::string id, std::string signal, std::string loss) {
  HeadTemplate head;
  head.id = std::move(id);
  head.signal.value = std::move(signal);
  head.losses.fallback.value = std::move(loss);
  head.normaliser = "items";
  return head;
}

inline ArchitectureInfo TestArchitecture(std::string id, std::string task, std::vector<HeadTemplate> heads) {
  ArchitectureInfo architecture;
  architecture.id = std::move(id);
  architecture.tasks = {std::move(task)};
  architecture.heads = std::move(heads);
  return architecture;
}

/// u-net: signal and default by mode. two-stage: a head narrowed by `only`, one whose default nobody loads. cascade: a
/// repeated head and one that exists only with semantic=true. mlp: one plain head.
inline std::vector<ArchitectureInfo> TestArchitectures() {
  HeadTemplate segmentation = TestHead("segmentation", "", "");
  segmentation.signal = {"", "mode", {{"multiclass", "pixel-multiclass"}, {"binary", "pixel-binary"}}};
  segmentation.losses.fallback = {"", "mode", {{"multiclass", "cross_entropy"}, {"binary", "binary_cross_entropy"}}};
  segmentation.losses.params = {{"ignore_index", 255.0}};
  ArchitectureInfo u_net = TestArchitecture("u-net", "semantic-segmentation", {segmentation});
  ParamSpec mode;
  mode.name = "mode";
  mode.kind = GDL_CHOICE;
  mode.choices = {"multiclass", "binary"};
  mode.fallback = 0;
  u_net.params = {mode};

  HeadTemplate classification = TestHead("classification", "multiclass", "cross_entropy");
  classification.losses.fixed = {{"label_smoothing", 0.0}, {"type", std::string("giou")}};
  HeadTemplate objectness = TestHead("objectness", "binary", "binary_cross_entropy");
  objectness.losses.only = {"binary_cross_entropy", "focal"};
  objectness.losses.reason = "the proposals are sampled";
  HeadTemplate refined = TestHead("refined", "multiclass", "cross_entropy");
  refined.losses.except = {"cross_entropy"};
  refined.losses.fallback.value = "focal";
  ArchitectureInfo two_stage =
      TestArchitecture("two-stage", "object-detection",
                       {classification, TestHead("box", "box", "bounding_box_regression"), objectness, refined});

  HeadTemplate box = TestHead("box", "box", "bounding_box_regression");
  box.repeat_name = "stage";
  box.repeat_weights = {1, 0.5, 0.25};
  box.weight = 2;
  box.losses.weight_for = {{"type=giou", 10}};
  HeadTemplate semantic = TestHead("semantic", "pixel-multiclass", "cross_entropy");
  semantic.when = "semantic=true";
  ArchitectureInfo cascade = TestArchitecture("cascade", "object-detection", {box, semantic});
  ParamSpec branch;
  branch.name = "semantic";
  branch.kind = GDL_BOOL;
  branch.fallback = 0;
  cascade.params = {branch};

  return {u_net, two_stage, cascade, TestArchitecture("mlp", "regression", {TestHead("value", "value", "mse")})};
}

inline Catalog TestCatalog() { return *Catalog::Make(TestTasks(), TestArchitectures(), "digest"); }

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_LOSS_TEST_CATALOG_H_
