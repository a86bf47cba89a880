// For tests of the ledger: two losses that are never computed, and a catalog with one architecture that uses them.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_TEST_REGISTRY_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_TEST_REGISTRY_H_

#include <limits>
#include <memory>
#include <utility>

#include "gtest/gtest.h"
#include "server/core/loss/registry.h"

namespace gradeline {
namespace test_registry {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline const GdlTensorSpec kPrediction{sizeof(GdlTensorSpec),
                                       GDL_REAL,
                                       GDL_GRADIENT,
                                       0,
                                       "prediction",
                                       "what the model says",
                                       "N c",
                                       nullptr,
                                       nullptr,
                                       "logits",
                                       -kInfinity,
                                       kInfinity};
inline const GdlTensorSpec kTarget{
    sizeof(GdlTensorSpec), GDL_LABEL, 0, 0, "target", "what is true", "N", "c", nullptr, nullptr, 0, 0};
inline const GdlTensorSpec kValue{sizeof(GdlTensorSpec),
                                  GDL_REAL,
                                  GDL_GRADIENT,
                                  0,
                                  "prediction",
                                  "what the model says",
                                  "N *",
                                  nullptr,
                                  nullptr,
                                  nullptr,
                                  -kInfinity,
                                  kInfinity};
inline const GdlTensorSpec* const kRatioTensors[] = {&kPrediction, &kTarget, nullptr};
inline const GdlTensorSpec* const kBatchwiseTensors[] = {&kValue, nullptr};
inline const GdlParamSpec kGamma{
    sizeof(GdlParamSpec), GDL_NUMBER, 0, 0, "gamma", "a number", nullptr, nullptr, nullptr, nullptr, nullptr, 2, 0, 5};
inline const GdlParamSpec kShare{sizeof(GdlParamSpec),
                                 GDL_NUMBER,
                                 0,
                                 0,
                                 "share",
                                 "weighs the second component",
                                 nullptr,
                                 nullptr,
                                 nullptr,
                                 nullptr,
                                 nullptr,
                                 0.5,
                                 0,
                                 1};
inline const GdlParamSpec* const kRatioParams[] = {&kGamma, &kShare, nullptr};
inline const GdlComponentSpec kFirst{sizeof(GdlComponentSpec), GDL_ADDITIVE, "first", "a part", nullptr};
inline const GdlComponentSpec kSecond{sizeof(GdlComponentSpec), GDL_ADDITIVE, "second", "a part", "share"};
inline const GdlComponentSpec* const kRatioComponents[] = {&kFirst, &kSecond, nullptr};
inline const GdlComponentSpec* const kBatchwiseComponents[] = {&kFirst, nullptr};
inline const char* const kMulticlass[] = {"multiclass", nullptr};
inline const char* const kValueSignal[] = {"value", nullptr};
inline GdlStatus Create(const GdlValue* const*, void** state, GdlError*) {
  *state = nullptr;
  return 0;
}
inline void Destroy(void*) {}
inline GdlStatus Plan(const void*, const GdlShape*, GdlPlan*, GdlError*) { return 0; }
inline void Compute(const GdlTile*) {}
inline void Fold(const GdlFold*) {}
inline const GdlLoss kRatio{sizeof(GdlLoss),
                            1,
                            0,
                            GDL_MERGE_RATIO,
                            "ratio",
                            "Merges by ratio.",
                            kMulticlass,
                            nullptr,
                            kRatioTensors,
                            kRatioParams,
                            kRatioComponents,
                            Create,
                            Destroy,
                            Plan,
                            Compute,
                            Fold};
inline const GdlLoss kBatchwise{sizeof(GdlLoss),
                                1,
                                0,
                                GDL_MERGE_NONE,
                                "batchwise",
                                "Does not merge.",
                                kValueSignal,
                                nullptr,
                                kBatchwiseTensors,
                                nullptr,
                                kBatchwiseComponents,
                                Create,
                                Destroy,
                                Plan,
                                Compute,
                                Fold};
inline const GdlLoss* const kLosses[] = {&kBatchwise, &kRatio, nullptr};
inline const GdlPlugin kPlugin{sizeof(GdlPlugin), 0, "test", "Gradeline", "1.0", "Apache-2.0", kLosses};

inline HeadTemplate MakeHead(const char* id, const char* signal, const char* loss) {
  HeadTemplate head;
  head.id = id;
  head.signal.value = signal;
  head.losses.fallback.value = loss;
  head.normaliser = "valid_weight";
  return head;
}

}  // namespace test_registry

/// "ratio": two components, merges by ratio, signal multiclass. "batchwise": one component that does not merge, signal
/// value. Architecture "net": heads "classification" (ratio) and "aux" (batchwise, weight 0.5, training alone).
/// "broken": a head whose default loss nobody loads; "given": a head whose normaliser comes with the batch. "regressor"
/// is of another task.
inline std::shared_ptr<const LossRegistry> TestRegistry() {
  using test_registry::MakeHead;
  HeadTemplate aux = MakeHead("aux", "value", "batchwise");
  aux.phases = {"train"};
  aux.weight = 0.5;
  HeadTemplate given = MakeHead("classification", "multiclass", "ratio");
  given.normaliser = "given";
  given.normaliser_rule = "positives";
  const auto architecture = [](const char* id, const char* task, std::vector<HeadTemplate> heads) {
    ArchitectureInfo info;
    info.id = id;
    info.tasks = {task};
    info.heads = std::move(heads);
    return info;
  };
  ArchitectureInfo net =
      architecture("net", "classification", {MakeHead("classification", "multiclass", "ratio"), aux});
  ParamSpec depth;
  depth.name = "depth";
  depth.kind = GDL_INTEGER;
  depth.fallback = 2;
  depth.min = 1;
  depth.max = 9;
  net.params = {depth};
  auto catalog = Catalog::Make(
      {{"classification", "Classification", "", {"accuracy"}}, {"regression", "Regression", "", {}}},
      {net, architecture("broken", "classification", {MakeHead("classification", "multiclass", "elsewhere")}),
       architecture("given", "classification", {given}),
       architecture("regressor", "regression", {MakeHead("value", "value", "batchwise")})},
      "digest");
  EXPECT_TRUE(catalog.ok()) << catalog.status();
  PluginInfo info;
  info.source = "test";
  auto losses = CheckPluginTables(test_registry::kPlugin, info);
  EXPECT_TRUE(losses.ok()) << losses.status();
  LossRegistry::Builder builder;
  EXPECT_TRUE(builder.Add(*std::move(losses)).ok());
  return std::move(builder).Build(std::make_shared<const Catalog>(*std::move(catalog)));
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_TEST_REGISTRY_H_
