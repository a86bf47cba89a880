// For this room's tests: a complete plugin table whose every part a test may change before it is checked, and the
// built-in losses in a registry.
#ifndef GRADELINE_SERVER_CORE_LOSS_TEST_LOSS_H_
#define GRADELINE_SERVER_CORE_LOSS_TEST_LOSS_H_

#include <limits>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "plugins/losses/builtin.h"
#include "server/core/loss/registry.h"

namespace gradeline {

inline constexpr double kTestInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kTestOff = std::numeric_limits<double>::quiet_NaN();

/// A loss of signal multiclass with one parameter of every kind. Its functions work; `created` and `destroyed` count.
class TestPlugin {
 public:
  TestPlugin() = default;
  TestPlugin(const TestPlugin&) = delete;
  TestPlugin& operator=(const TestPlugin&) = delete;

  GdlTensorSpec prediction{sizeof(GdlTensorSpec),
                           GDL_REAL,
                           GDL_GRADIENT,
                           0,
                           "prediction",
                           "logits",
                           "N c *",
                           nullptr,
                           nullptr,
                           "logits",
                           0,
                           0};
  GdlTensorSpec target{
      sizeof(GdlTensorSpec), GDL_LABEL, 0, 0, "target", "classes", "N *", "c", "ignore", nullptr, 0, 0};
  GdlTensorSpec weight{
      sizeof(GdlTensorSpec), GDL_REAL, GDL_OPTIONAL, 0, "weight", "weights", "N *", nullptr, nullptr, nullptr, 0,
      kTestInfinity};
  const GdlTensorSpec* tensors[4]{&prediction, &target, &weight, nullptr};

  GdlParamSpec gamma = Param("gamma", GDL_NUMBER, 0, 2, 0, 5);
  GdlParamSpec ignore = Param("ignore", GDL_INTEGER, 0, -100, -kTestInfinity, kTestInfinity);
  GdlParamSpec hard = Param("hard", GDL_BOOL, 0, 0, 0, 1);
  GdlParamSpec type = Param("type", GDL_CHOICE, 0, 0, 0, 0);
  GdlParamSpec classes = Param("class_weights", GDL_VECTOR, GDL_MAY_BE_OFF | GDL_MIN_OPEN, kTestOff, 0, kTestInfinity);
  const char* choices[3]{"smooth_l1", "giou", nullptr};
  const GdlParamSpec* params[6]{&gamma, &ignore, &hard, &type, &classes, nullptr};

  GdlComponentSpec component{sizeof(GdlComponentSpec), GDL_ADDITIVE, "test", "the only one", "gamma"};
  const GdlComponentSpec* components[2]{&component, nullptr};
  const char* signals[2]{"multiclass", nullptr};
  const char* tasks[2]{nullptr, nullptr};

  GdlLoss loss{sizeof(GdlLoss),
               1,
               0,
               GDL_MERGE_RATIO,
               "test_loss",
               "A loss for tests.",
               signals,
               nullptr,
               tensors,
               params,
               components,
               Create,
               Destroy,
               Plan,
               Compute,
               Fold};
  const GdlLoss* losses[3]{&loss, nullptr, nullptr};
  GdlPlugin plugin{sizeof(GdlPlugin), 0, "test-plugin", "Gradeline", "1.0", "Apache-2.0", losses};

  absl::StatusOr<std::vector<LossInfo>> Check() {
    type.choices = choices;
    classes.axis = "c";
    PluginInfo info;
    info.source = "test";
    return CheckPluginTables(plugin, info);
  }

  static inline int created = 0, destroyed = 0;
  static inline std::vector<std::vector<double>> last_params;

 private:
  static GdlParamSpec Param(const char* name, uint32_t kind, uint32_t flags, double fallback, double min, double max) {
    return {sizeof(GdlParamSpec),
            kind,
            flags,
            0,
            name,
            "for tests",
            nullptr,
            nullptr,
            nullptr,
            nullptr,
            nullptr,
            fallback,
            min,
            max};
  }
  static GdlStatus Create(const GdlValue* const* values, void** state, GdlError* error) {
    last_params.clear();
    for (; *values != nullptr; ++values) last_params.emplace_back((*values)->v, (*values)->v + (*values)->count);
    if (last_params[0][0] == 5 && last_params[2][0] == 1) {
      snprintf(error->field, error->capacity, "hard");
      snprintf(error->message, error->capacity, "does not go with gamma 5");
      return 3;
    }
    if (last_params[0][0] == 4) return 12345;
    ++created;
    *state = new int(7);
    return 0;
  }
  static void Destroy(void* state) {
    ++destroyed;
    delete static_cast<int*>(state);
  }
  static GdlStatus Plan(const void*, const GdlShape*, GdlPlan*, GdlError*) { return 0; }
  static void Compute(const GdlTile*) {}
  static void Fold(const GdlFold*) {}
};

/// Adds the built-in losses `ids`, or all of them. Tests of lists and verdicts name a few, so that a new loss changes
/// none.
inline void AddBuiltins(LossRegistry::Builder& builder, const std::set<std::string>& ids = {}) {
  for (const GdlPlugin* const* plugin = BuiltinLossPlugins(); *plugin != nullptr; ++plugin) {
    PluginInfo info;
    info.source = "built-in";
    auto losses = CheckPluginTables(**plugin, info);
    ASSERT_TRUE(losses.ok()) << losses.status();
    if (!ids.empty() && ids.count(losses->front().id) == 0) continue;
    const absl::Status added = builder.Add(*std::move(losses));
    ASSERT_TRUE(added.ok()) << added;
  }
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_LOSS_TEST_LOSS_H_
