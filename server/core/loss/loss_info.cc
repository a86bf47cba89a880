#include "server/core/loss/loss_info.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <set>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/base/utf8.h"
#include "server/core/loss/loss_lint.h"

namespace gradeline {
namespace {

constexpr size_t kLongestString = 4096;
constexpr size_t kLongestList = 1024;
constexpr size_t kLargestStruct = 4096;

// Bytes that a struct had at minor 0: what every plugin of this major has.
template <typename T>
constexpr size_t kLeastBytes = 0;
template <>
constexpr size_t kLeastBytes<GdlTensorSpec> = offsetof(GdlTensorSpec, max) + sizeof(double);
template <>
constexpr size_t kLeastBytes<GdlParamSpec> = offsetof(GdlParamSpec, max) + sizeof(double);
template <>
constexpr size_t kLeastBytes<GdlComponentSpec> = offsetof(GdlComponentSpec, weight_param) + sizeof(char*);
template <>
constexpr size_t kLeastBytes<GdlLoss> = offsetof(GdlLoss, fold) + sizeof(void (*)(const GdlFold*));
template <>
constexpr size_t kLeastBytes<GdlPlugin> = offsetof(GdlPlugin, losses) + sizeof(void*);

/// Reads a plugin's memory with every bound that can be checked from here; each reading names its field.
class TableReader {
 public:
  explicit TableReader(Violations& violations) : violations_(violations) {}

  /// Copies the prefix that the plugin has into `to`, zeroed beyond it.
  template <typename T>
  bool Struct(const T* from, const std::string& field, T& to) {
    static_assert(std::is_trivially_copyable_v<T> && offsetof(T, struct_size) == 0);
    to = T{};
    if (!Pointer(from, alignof(T), field)) return false;
    const size_t size = from->struct_size;
    if (size < kLeastBytes<T> || size > kLargestStruct) {
      violations_.Add(field + ".struct_size",
                      absl::StrCat("is ", size, "; allowed are ", kLeastBytes<T>, " to ", kLargestStruct));
      return false;
    }
    std::memcpy(&to, from, std::min(size, sizeof(T)));
    return true;
  }

  /// The pointers of a NULL-ended list.
  template <typename T>
  std::vector<const T*> List(const T* const* list, const std::string& field, bool may_be_null = false) {
    std::vector<const T*> entries;
    if (list == nullptr && may_be_null) return entries;
    if (!Pointer(list, alignof(T*), field)) return entries;
    for (; list[entries.size()] != nullptr; entries.push_back(list[entries.size()])) {
      if (entries.size() == kLongestList) {
        violations_.Add(field, absl::StrCat("does not end with NULL within ", kLongestList, " entries"));
        return {};
      }
    }
    return entries;
  }

  std::string Text(const char* text, const std::string& field, bool may_be_null = true) {
    if (text == nullptr) {
      if (!may_be_null) violations_.Add(field, "is NULL");
      return "";
    }
    const size_t length = strnlen(text, kLongestString);
    std::string copy(text, length);
    if (length == kLongestString) {
      violations_.Add(field, absl::StrCat("does not end within ", kLongestString, " bytes"));
    } else if (!IsUtf8(copy)) {
      violations_.Add(field, "is not UTF-8");
    } else {
      return copy;
    }
    return "";
  }

  std::vector<std::string> Texts(const char* const* list, const std::string& field, bool may_be_null) {
    std::vector<std::string> texts;
    for (const char* text : List(list, field, may_be_null)) {
      texts.push_back(Text(text, absl::StrCat(field, "[", texts.size(), "]")));
    }
    return texts;
  }

 private:
  bool Pointer(const void* pointer, size_t alignment, const std::string& field) {
    if (pointer == nullptr) {
      violations_.Add(field, "is NULL");
    } else if (reinterpret_cast<uintptr_t>(pointer) % alignment != 0) {
      violations_.Add(field, absl::StrCat("is not aligned to ", alignment, " bytes"));
    } else {
      return true;
    }
    return false;
  }

  Violations& violations_;
};

TensorSpec ReadTensor(TableReader& reader, const GdlTensorSpec* from, const std::string& field) {
  GdlTensorSpec raw;
  TensorSpec spec;
  if (!reader.Struct(from, field, raw)) return spec;
  spec.name = reader.Text(raw.name, field + ".name", false);
  spec.doc = reader.Text(raw.doc, field + ".doc");
  spec.dims = reader.Text(raw.dims, field + ".dims", false);
  spec.label_axis = reader.Text(raw.label_axis, field + ".label_axis");
  spec.ignore_param = reader.Text(raw.ignore_param, field + ".ignore_param");
  spec.encoding = reader.Text(raw.encoding, field + ".encoding");
  spec.kind = raw.kind;
  spec.flags = raw.flags;
  spec.one_of = raw.one_of;
  spec.min = raw.min;
  spec.max = raw.max;
  return spec;
}

ParamSpec ReadParam(TableReader& reader, const GdlParamSpec* from, const std::string& field) {
  GdlParamSpec raw;
  ParamSpec spec;
  if (!reader.Struct(from, field, raw)) return spec;
  spec.name = reader.Text(raw.name, field + ".name", false);
  spec.doc = reader.Text(raw.doc, field + ".doc");
  spec.unit = reader.Text(raw.unit, field + ".unit");
  spec.group = reader.Text(raw.group, field + ".group");
  spec.axis = reader.Text(raw.axis, field + ".axis");
  spec.when = reader.Text(raw.when, field + ".when");
  spec.choices = reader.Texts(raw.choices, field + ".choices", true);
  spec.kind = raw.kind;
  spec.flags = raw.flags;
  if (!std::isnan(raw.fallback)) spec.fallback = raw.fallback;
  spec.min = raw.min;
  spec.max = raw.max;
  return spec;
}

ComponentSpec ReadComponent(TableReader& reader, const GdlComponentSpec* from, const std::string& field) {
  GdlComponentSpec raw;
  ComponentSpec spec;
  if (!reader.Struct(from, field, raw)) return spec;
  spec.name = reader.Text(raw.name, field + ".name", false);
  spec.doc = reader.Text(raw.doc, field + ".doc");
  spec.weight_param = reader.Text(raw.weight_param, field + ".weight_param");
  spec.kind = raw.kind;
  return spec;
}

LossInfo ReadLoss(TableReader& reader, const GdlLoss* from, const std::string& field) {
  LossInfo loss;
  if (!reader.Struct(from, field, loss.functions)) return loss;
  const GdlLoss& raw = loss.functions;
  loss.id = reader.Text(raw.id, field + ".id", false);
  loss.doc = reader.Text(raw.doc, field + ".doc", false);
  loss.version = raw.version;
  loss.flags = raw.flags;
  loss.merge = raw.merge;
  loss.signals = reader.Texts(raw.signals, field + ".signals", false);
  loss.tasks = reader.Texts(raw.tasks, field + ".tasks", true);
  for (const GdlTensorSpec* spec : reader.List(raw.tensors, field + ".tensors")) {
    loss.tensors.push_back(ReadTensor(reader, spec, absl::StrCat(field, ".tensors[", loss.tensors.size(), "]")));
  }
  for (const GdlParamSpec* spec : reader.List(raw.params, field + ".params", true)) {
    loss.params.push_back(ReadParam(reader, spec, absl::StrCat(field, ".params[", loss.params.size(), "]")));
  }
  for (const GdlComponentSpec* spec : reader.List(raw.components, field + ".components")) {
    loss.components.push_back(
        ReadComponent(reader, spec, absl::StrCat(field, ".components[", loss.components.size(), "]")));
  }
  return loss;
}

}  // namespace

absl::StatusOr<std::vector<LossInfo>> CheckPluginTables(const GdlPlugin& table, PluginInfo plugin) {
  Violations violations;
  TableReader reader(violations);
  GdlPlugin raw;
  if (!reader.Struct(&table, "plugin", raw)) return violations.ToStatus();
  if (raw.abi_minor > GDL_ABI_MINOR) {
    return absl::FailedPreconditionError(absl::StrCat("the plugin needs ABI minor ", raw.abi_minor,
                                                      "; this host has minor ", GDL_ABI_MINOR, " of major 0"));
  }
  plugin.name = reader.Text(raw.name, "plugin.name", false);
  plugin.vendor = reader.Text(raw.vendor, "plugin.vendor");
  plugin.version = reader.Text(raw.version, "plugin.version", false);
  plugin.license = reader.Text(raw.license, "plugin.license");
  std::vector<LossInfo> losses;
  for (const GdlLoss* loss : reader.List(raw.losses, "losses")) {
    losses.push_back(ReadLoss(reader, loss, absl::StrCat("losses[", losses.size(), "]")));
  }
  if (!violations.empty()) return violations.ToStatus();  // what could not be read cannot be judged

  if (losses.empty()) violations.Add("losses", "is empty");
  std::set<std::string> ids;
  for (size_t i = 0; i < losses.size(); ++i) {
    const std::string field = absl::StrCat("losses[", i, "]");
    LintLoss(losses[i], field, violations);
    if (!ids.insert(losses[i].id).second) {
      violations.Add(field + ".id", absl::StrCat("is \"", losses[i].id, "\", a second time in this plugin"));
    }
    plugin.losses.push_back(losses[i].id);
  }
  if (!violations.empty()) return violations.ToStatus();
  for (LossInfo& loss : losses) {
    const std::string first = loss.id.substr(0, loss.id.find('/'));
    loss.family = ids.count(first) > 0 ? first : loss.id;
  }
  const auto shared = std::make_shared<const PluginInfo>(std::move(plugin));
  for (LossInfo& loss : losses) loss.plugin = shared;
  return losses;
}

const std::string& FamilyOf(const LossInfo& loss) { return loss.family.empty() ? loss.id : loss.family; }

bool IsCalled(const LossInfo& loss, std::string_view word) { return word == loss.id || word == loss.family; }

}  // namespace gradeline
