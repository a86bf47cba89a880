#include "server/core/loss/loss_lint.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/core/base/ids.h"
#include "server/core/loss/dims.h"
#include "server/core/loss/encoding.h"
#include "server/core/loss/signal.h"

namespace gradeline {
namespace {

bool AllOf(const std::string& word, std::string_view allowed) {
  return !word.empty() && word.find_first_not_of(allowed) == std::string::npos;
}

constexpr std::string_view kNameLetters = "abcdefghijklmnopqrstuvwxyz0123456789_";

/// Checks one loss; keeps where it is and what its tensors and parameters are called.
class LossLint {
 public:
  LossLint(const LossInfo& loss, std::string path, Violations& violations)
      : loss_(loss), path_(std::move(path)), violations_(violations) {}

  void Run() {
    Check(IsLossId(loss_.id), "id", absl::StrCat("is \"", loss_.id, "\"; allowed are a-z 0-9 _ . / -"));
    Check(!loss_.doc.empty(), "doc", "is empty; a person choosing a loss reads it");
    Check(loss_.version >= 1, "version", "is 0; versions begin at 1");
    Check((loss_.flags & ~(GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE)) == 0, "flags", Unknown(loss_.flags));
    Check(loss_.merge >= GDL_MERGE_RATIO && loss_.merge <= GDL_MERGE_NONE, "merge", Unknown(loss_.merge));
    Signals();
    Params();
    Tensors();
    Components();
    Functions();
  }

 private:
  static std::string Unknown(uint32_t number) { return absl::StrCat("is ", number, ", which this host does not know"); }

  void Check(bool good, const std::string& field, std::string description) {
    if (!good) violations_.Add(absl::StrCat(path_, ".", field), std::move(description));
  }
  void CheckName(const std::string& name, const std::string& field) {
    Check(AllOf(name, kNameLetters) && name[0] >= 'a' && name[0] <= 'z', field + ".name",
          absl::StrCat("is \"", name, "\"; allowed are a-z 0-9 _, beginning with a letter"));
  }

  void Signals() {
    Check(!loss_.signals.empty(), "signals", "is empty; no head could offer this loss");
    for (size_t i = 0; i < loss_.signals.size(); ++i) {
      if (FindSignal(loss_.signals[i]) != nullptr) continue;
      std::vector<std::string> known;
      for (const SignalInfo& signal : gradeline::Signals()) known.emplace_back(signal.id);
      Check(false, absl::StrCat("signals[", i, "]"),
            absl::StrCat("is \"", loss_.signals[i], "\"; known are ", absl::StrJoin(known, ", ")));
    }
  }

  const ParamSpec* FindParam(const std::string& name) const {
    for (const ParamSpec& param : loss_.params) {
      if (param.name == name) return &param;
    }
    return nullptr;
  }

  void Params() {
    std::set<std::string> names;
    for (size_t i = 0; i < loss_.params.size(); ++i) {
      const ParamSpec& param = loss_.params[i];
      const std::string field = absl::StrCat("params[", i, "]");
      CheckName(param.name, field);
      Check(names.insert(param.name).second, field + ".name", absl::StrCat("is \"", param.name, "\", a second time"));
      Check(param.kind >= GDL_NUMBER && param.kind <= GDL_VECTOR, field + ".kind", Unknown(param.kind));
      const uint32_t known = GDL_MIN_OPEN | GDL_MAX_OPEN | GDL_MAY_BE_OFF | GDL_ONE_FOR_ALL;
      Check((param.flags & ~known) == 0, field + ".flags", Unknown(param.flags));
      Check(param.axis.empty() || param.kind == GDL_VECTOR, field + ".axis", "is given, and this is no VECTOR");
      Check(param.choices.empty() == (param.kind != GDL_CHOICE), field + ".choices",
            param.choices.empty() ? "is empty for a CHOICE" : "is given, and this is no CHOICE");
      const std::set<std::string> distinct(param.choices.begin(), param.choices.end());
      Check(distinct.size() == param.choices.size() && distinct.count("") == 0, field + ".choices",
            "has an empty word, or one twice");
      Check(!std::isnan(param.min) && !std::isnan(param.max) && param.min <= param.max, field + ".min",
            absl::StrCat("is ", param.min, " with max ", param.max));
      Fallback(param, field);
      When(param, field);
    }
  }

  void Fallback(const ParamSpec& param, const std::string& field) {
    if (!param.fallback) {
      Check((param.flags & GDL_MAY_BE_OFF) != 0, field + ".fallback", "is NaN, and the parameter may not be off");
      return;
    }
    const double value = *param.fallback;
    const std::string text = absl::StrCat("is ", value, ", which the parameter itself does not allow");
    const bool above = (param.flags & GDL_MIN_OPEN) != 0 ? value > param.min : value >= param.min;
    const bool below = (param.flags & GDL_MAX_OPEN) != 0 ? value < param.max : value <= param.max;
    switch (param.kind) {
      case GDL_INTEGER:
        Check(std::floor(value) == value && std::abs(value) <= 9007199254740992.0, field + ".fallback", text);
        [[fallthrough]];
      case GDL_NUMBER:
        Check(above && below && std::isfinite(value), field + ".fallback", text);
        break;
      case GDL_BOOL:
        Check(value == 0 || value == 1, field + ".fallback", text);
        break;
      case GDL_CHOICE:
        Check(value >= 0 && value < static_cast<double>(param.choices.size()) && std::floor(value) == value,
              field + ".fallback", text);
        break;
      default:
        Check(false, field + ".fallback", "is a number; a VECTOR has none (NaN)");
    }
  }

  void When(const ParamSpec& param, const std::string& field) {
    if (param.when.empty()) return;
    const size_t equals = param.when.find('=');
    const ParamSpec* other = equals == std::string::npos ? nullptr : FindParam(param.when.substr(0, equals));
    bool good = other != nullptr && other != &param;
    if (good && other->kind == GDL_CHOICE) {
      const std::vector<std::string> words = absl::StrSplit(param.when.substr(equals + 1), '|');
      good = std::all_of(words.begin(), words.end(), [other](const std::string& word) {
        return std::count(other->choices.begin(), other->choices.end(), word) == 1;
      });
    }
    Check(
        good, field + ".when",
        absl::StrCat("is \"", param.when,
                     "\"; allowed is \"parameter=word\" or \"parameter=word|word\" of another parameter of this loss"));
  }

  void Tensors() {
    Check(!loss_.tensors.empty() && loss_.tensors.size() <= 64, "tensors",
          absl::StrCat("has ", loss_.tensors.size(), " entries; allowed are 1 to 64"));
    std::map<std::string, size_t> first_of_name;
    std::map<uint32_t, int> group_size;
    std::set<std::string> axes;
    bool gradient = false;
    for (size_t i = 0; i < loss_.tensors.size(); ++i) {
      const TensorSpec& tensor = loss_.tensors[i];
      const std::string field = absl::StrCat("tensors[", i, "]");
      Tensor(tensor, field);
      gradient |= tensor.gradient();
      if (tensor.one_of != 0) ++group_size[tensor.one_of];
      const auto [seen, fresh] = first_of_name.emplace(tensor.name, i);
      const TensorSpec& first = loss_.tensors[seen->second];
      Check(fresh || (tensor.one_of != 0 && first.one_of == tensor.one_of && first.kind != tensor.kind),
            field + ".name",
            absl::StrCat("is \"", tensor.name, "\", a second time; allowed only for a label and a real of one group"));
      Items(tensor, field, axes);
    }
    Check(gradient, "tensors", "has none with GDL_GRADIENT; nothing could be trained");
    for (const auto& [group, size] : group_size) {
      Check(size >= 2, "tensors", absl::StrCat("has only one in the one_of group ", group));
    }
    for (size_t i = 0; i < loss_.tensors.size(); ++i) {
      const std::string& axis = loss_.tensors[i].label_axis;
      Check(axis.empty() || axes.count(axis) == 1, absl::StrCat("tensors[", i, "].label_axis"),
            absl::StrCat("is \"", axis, "\", which is no named axis of any tensor"));
    }
    for (size_t i = 0; i < loss_.params.size(); ++i) {
      const std::string& axis = loss_.params[i].axis;
      Check(axis.empty() || axes.count(axis) == 1, absl::StrCat("params[", i, "].axis"),
            absl::StrCat("is \"", axis, "\", which is no named axis of any tensor"));
    }
  }

  void Tensor(const TensorSpec& tensor, const std::string& field) {
    CheckName(tensor.name, field);
    Check(tensor.kind == GDL_REAL || tensor.kind == GDL_LABEL, field + ".kind", Unknown(tensor.kind));
    const uint32_t known = GDL_OPTIONAL | GDL_GRADIENT | GDL_CONSTANT | GDL_BACKGROUND;
    Check((tensor.flags & ~known) == 0, field + ".flags", Unknown(tensor.flags));
    Check(!tensor.gradient() || !tensor.label(), field + ".flags", "has GDL_GRADIENT on labels");
    Check((tensor.flags & GDL_BACKGROUND) == 0 || (tensor.label() && !tensor.label_axis.empty()), field + ".flags",
          "has GDL_BACKGROUND on what are no labels of an axis");
    Check(tensor.one_of == 0 || !tensor.optional(), field + ".flags", "has GDL_OPTIONAL in a one_of group");
    const absl::Status encoding = CheckEncoding(tensor, loss_.params);
    Check(encoding.ok(), field + ".encoding", std::string(encoding.message()));
    Check(tensor.label() || tensor.label_axis.empty(), field + ".label_axis", "is given, and this is no LABEL");
    Check(tensor.label() || tensor.ignore_param.empty(), field + ".ignore_param", "is given, and this is no LABEL");
    if (!tensor.ignore_param.empty()) {
      const ParamSpec* param = FindParam(tensor.ignore_param);
      Check(param != nullptr && param->kind == GDL_INTEGER, field + ".ignore_param",
            absl::StrCat("is \"", tensor.ignore_param, "\", which is no INTEGER parameter of this loss"));
    }
    Check(!std::isnan(tensor.min) && !std::isnan(tensor.max) && tensor.min <= tensor.max, field + ".min",
          absl::StrCat("is ", tensor.min, " with max ", tensor.max));
  }

  /// All tensors that have items have the same ones, and outer ends at the same axis.
  void Items(const TensorSpec& tensor, const std::string& field, std::set<std::string>& axes) {
    const auto dims = ParseDims(tensor.dims);
    if (!dims.ok()) {
      Check(false, field + ".dims", std::string(dims.status().message()));
      return;
    }
    for (const Dim& dim : *dims) {
      if (dim.kind == Dim::Kind::kItem || dim.kind == Dim::Kind::kSmall) axes.insert(dim.name);
    }
    const std::vector<Dim> items = ItemDims(*dims);
    if (items.empty()) return;
    if (!items_dims_.empty()) {
      Check(items == items_, field + ".dims",
            absl::StrCat("\"", tensor.dims, "\" has other items than \"", items_dims_, "\""));
    } else {
      items_ = items;
      items_dims_ = tensor.dims;
    }
    if (!HasSmallAxes(*dims)) return;
    if (!split_dims_.empty()) {
      Check(OuterAxes(*dims) == split_, field + ".dims",
            absl::StrCat("\"", tensor.dims, "\" has its small axes at another place than \"", split_dims_, "\""));
    } else {
      split_ = OuterAxes(*dims);
      split_dims_ = tensor.dims;
    }
  }

  void Components() {
    Check(!loss_.components.empty(), "components", "is empty");
    std::set<std::string> names;
    for (size_t i = 0; i < loss_.components.size(); ++i) {
      const ComponentSpec& component = loss_.components[i];
      const std::string field = absl::StrCat("components[", i, "]");
      CheckName(component.name, field);
      Check(names.insert(component.name).second, field + ".name",
            absl::StrCat("is \"", component.name, "\", a second time"));
      Check(component.kind == GDL_ADDITIVE || component.kind == GDL_AGGREGATE, field + ".kind",
            Unknown(component.kind));
      Check(component.kind != GDL_AGGREGATE || (loss_.flags & GDL_ITEMS_INDEPENDENT) == 0, field + ".kind",
            "is GDL_AGGREGATE, and the loss has GDL_ITEMS_INDEPENDENT");
      if (!component.weight_param.empty()) {
        const ParamSpec* param = FindParam(component.weight_param);
        Check(param != nullptr && param->kind == GDL_NUMBER, field + ".weight_param",
              absl::StrCat("is \"", component.weight_param, "\", which is no NUMBER parameter of this loss"));
      }
    }
  }

  void Functions() {
    const GdlLoss& table = loss_.functions;
    const std::pair<const char*, bool> functions[] = {{"create", table.create != nullptr},
                                                      {"destroy", table.destroy != nullptr},
                                                      {"plan", table.plan != nullptr},
                                                      {"compute", table.compute != nullptr},
                                                      {"fold", table.fold != nullptr}};
    for (const auto& [name, there] : functions) Check(there, name, "is NULL");
  }

  const LossInfo& loss_;
  const std::string path_;
  Violations& violations_;
  std::vector<Dim> items_;
  std::string items_dims_, split_dims_;
  size_t split_ = 0;
};

}  // namespace

void LintLoss(const LossInfo& loss, const std::string& path, Violations& violations) {
  LossLint(loss, path, violations).Run();
}

}  // namespace gradeline
