// What the host knows of a loss and of a plugin after checking its tables: owned copies, so no later code checks a
// size.
#ifndef GRADELINE_SERVER_CORE_LOSS_LOSS_INFO_H_
#define GRADELINE_SERVER_CORE_LOSS_LOSS_INFO_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "plugins/sdk/loss_abi.h"

namespace gradeline {

/// GdlTensorSpec, checked. Flags and kinds keep the ABI's numbers.
struct TensorSpec {
  std::string name, doc, dims, label_axis, ignore_param, encoding;
  uint32_t kind = 0, flags = 0, one_of = 0;
  double min = 0, max = 0;
  bool optional() const { return (flags & GDL_OPTIONAL) != 0; }
  bool gradient() const { return (flags & GDL_GRADIENT) != 0; }
  bool label() const { return kind == GDL_LABEL; }
};

/// A kind beside the ABI's: the name of a measure of an experiment, "validation.loss". The experiment checks it.
inline constexpr uint32_t kMeasureKind = 6;

/// A parameter of a loss (GdlParamSpec, checked) or of anything else in the catalog.
struct ParamSpec {
  std::string name, doc, unit, group, axis, when, link;
  uint32_t kind = 0, flags = 0;
  std::vector<std::string> choices;
  std::vector<std::string> needs;  ///< conditions while it is on: see condition.h
  std::optional<double> fallback;  ///< nullopt: off; CHOICE: index; BOOL: 0 or 1
  double min = 0, max = 0;         ///< infinite where unbounded
};

struct ComponentSpec {
  std::string name, doc, weight_param;
  uint32_t kind = 0;
};

struct PluginInfo {
  std::string name, vendor, version, license;
  std::string source;   ///< "built-in", or the file's path
  std::string digest;   ///< SHA-256 of the file, hexadecimal; empty for built-in
  std::string refusal;  ///< why it was not loaded; empty if it was
  std::vector<std::string> losses;
};

/// A loss whose tables passed the lint.
struct LossInfo {
  std::string id, doc;
  /// What the loss is called where a head or inputs make clear which of its family is meant: "dice" of "dice" and of
  /// "dice/binary", which one plugin brings for different signals; else the id.
  std::string family;
  uint32_t version = 0, flags = 0, merge = 0;
  std::vector<std::string> signals, tasks;
  std::vector<TensorSpec> tensors;
  std::vector<ParamSpec> params;
  std::vector<ComponentSpec> components;
  std::shared_ptr<const PluginInfo> plugin;
  GdlLoss functions{};  ///< zeroed beyond the prefix that the plugin has; only its function pointers are used
};

/// The family, or the id of a loss that stands alone.
const std::string& FamilyOf(const LossInfo& loss);

/// Whether `word` means the loss: its id or its family.
bool IsCalled(const LossInfo& loss, std::string_view word);

/// Copies and checks a plugin's tables: struct sizes, NULL lists, ids ([a-z0-9_./-]), kinds, ranges, dims grammar,
/// parameter references, signals known (unknown ones are violations), abi_minor <= GDL_ABI_MINOR. Runs none of its
/// functions. INVALID_ARGUMENT with all violations, FAILED_PRECONDITION for a newer ABI minor (both numbers named).
/// `plugin` receives name, vendor, version, license and losses.
absl::StatusOr<std::vector<LossInfo>> CheckPluginTables(const GdlPlugin& table, PluginInfo plugin);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_LOSS_LOSS_INFO_H_
