// LossRegistry's second half: from a loss and parameters to a handle.
#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"
#include "server/core/loss/offers.h"
#include "server/core/loss/registry.h"

namespace gradeline {
namespace {

/// A status of the plugin's create or plan, with its own field and message.
absl::Status PluginRefusal(const LossInfo& info, GdlStatus code, const char* field, const char* message) {
  const std::string text = message[0] != '\0' ? message : "refuses these parameters without saying why";
  if (code == static_cast<int>(absl::StatusCode::kInvalidArgument)) {
    Violations violations;
    violations.Add(field[0] != '\0' ? absl::StrCat("params.", field) : "params", text);
    return violations.ToStatus();
  }
  const bool known = code > 0 && code <= static_cast<int>(absl::StatusCode::kUnauthenticated);
  return absl::Status(known ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kInternal,
                      absl::StrCat("loss ", info.id, ": ", field, field[0] != '\0' ? ": " : "", text));
}

/// One parameter's value as the ABI has it: index for a CHOICE, 0 or 1 for a BOOL, no numbers for off.
std::vector<double> NumbersOf(const ParamSpec& spec, const ParamMap& params) {
  const auto found = params.find(spec.name);
  if (found == params.end()) return {};
  if (const auto* number = std::get_if<double>(&found->second)) return {*number};
  if (const auto* flag = std::get_if<bool>(&found->second)) return {*flag ? 1.0 : 0.0};
  if (const auto* list = std::get_if<std::vector<double>>(&found->second)) return *list;
  const auto word = std::find(spec.choices.begin(), spec.choices.end(), std::get<std::string>(found->second));
  return {static_cast<double>(word - spec.choices.begin())};
}

/// What a head lays under the user's values, as far as the loss has such a parameter and allows the value: catalogs
/// give defaults of several losses at once.
ParamMap Applicable(const LossInfo& info, const ParamMap& params) {
  ParamMap applicable;
  for (const ParamSpec& spec : info.params) {
    const auto found = params.find(spec.name);
    if (found != params.end() && ResolveParams({&spec, 1}, {{spec.name, found->second}}).ok())
      applicable.insert(*found);
  }
  return applicable;
}

absl::Status NotValidHere(const LossPointers& losses, std::string_view task, const Head& head, const LossInfo& info,
                          const std::string& why) {
  std::vector<std::string> valid;
  bool default_loaded = false;
  for (const auto& loss : losses) {
    default_loaded |= loss->id == head.default_loss;
    if (WhyRefused(*loss, task, {head.signal}, head.losses).empty()) valid.push_back(loss->id);
  }
  std::string message =
      absl::StrCat("loss ", info.id, " is not valid for head ", head.id, " of task ", std::string(task), ": ", why,
                   "; valid: ", valid.empty() ? "none that is loaded" : absl::StrJoin(valid, ", "));
  if (!default_loaded) absl::StrAppend(&message, "; the default loss ", head.default_loss, " is not loaded");
  return WithReason(absl::FailedPreconditionError(message), "LOSS_NOT_VALID_FOR_HEAD",
                    {{"loss", info.id},
                     {"task", std::string(task)},
                     {"head", head.id},
                     {"signal", head.signal},
                     {"valid", absl::StrJoin(valid, ",")}});
}

}  // namespace

absl::StatusOr<LossHandle> LossRegistry::Resolve(std::string_view task, const Head& head, std::string_view loss,
                                                 const ParamMap& params) const {
  GRADELINE_ASSIGN_OR_RETURN(std::shared_ptr<const LossInfo> info, Find(loss));
  const std::string why = WhyRefused(*info, task, {head.signal}, head.losses);
  if (!why.empty()) return NotValidHere(losses_, task, head, *info, why);

  ParamMap layered = Applicable(*info, head.losses.params);
  for (const auto& [name, value] : params) layered[name] = value;
  Violations violations;
  for (const auto& [name, value] : Applicable(*info, head.losses.fixed)) {
    const auto given = params.find(name);
    if (given != params.end() && given->second != value) {
      violations.Add(absl::StrCat("params.", name), absl::StrCat("is ", ParamText(given->second), "; head ", head.id,
                                                                 " fixes it to ", ParamText(value)));
    }
    layered[name] = value;
  }
  absl::StatusOr<ParamMap> resolved = ResolveParams(info->params, layered);
  violations.Merge("params", resolved.status());
  if (!violations.empty()) return violations.ToStatus();
  return MakeHandle(std::move(info), *std::move(resolved));
}

absl::StatusOr<LossHandle> LossRegistry::ResolveAlone(std::string_view loss, const ParamMap& params) const {
  GRADELINE_ASSIGN_OR_RETURN(std::shared_ptr<const LossInfo> info, Find(loss));
  absl::StatusOr<ParamMap> resolved = ResolveParams(info->params, params);
  Violations violations;
  violations.Merge("params", resolved.status());
  if (!violations.empty()) return violations.ToStatus();
  return MakeHandle(std::move(info), *std::move(resolved));
}

absl::StatusOr<LossHandle> LossRegistry::MakeHandle(std::shared_ptr<const LossInfo> info, ParamMap params) {
  const size_t count = info->params.size();
  std::vector<std::vector<double>> numbers(count);
  std::vector<GdlValue> values(count);
  std::vector<const GdlValue*> pointers(count + 1, nullptr);
  for (size_t i = 0; i < count; ++i) {
    numbers[i] = NumbersOf(info->params[i], params);
    values[i] = {sizeof(GdlValue), static_cast<uint32_t>(numbers[i].size()), numbers[i].data()};
    pointers[i] = &values[i];
  }
  std::array<char, 1024> field{}, message{};
  GdlError error{sizeof(GdlError), static_cast<uint32_t>(field.size()), field.data(), message.data()};
  void* state = nullptr;
  const GdlStatus code = info->functions.create(pointers.data(), &state, &error);
  field.back() = message.back() = '\0';
  if (code != 0) return PluginRefusal(*info, code, field.data(), message.data());

  LossHandle handle;
  for (const ComponentSpec& component : info->components) {
    const auto weight = params.find(component.weight_param);
    handle.component_weights_.push_back(weight == params.end() ? 1 : std::get<double>(weight->second));
  }
  handle.state_ = std::shared_ptr<void>(state, [info](void* owned) {
    if (owned != nullptr) info->functions.destroy(owned);
  });
  handle.params_ = std::move(params);
  handle.info_ = std::move(info);
  return handle;
}

}  // namespace gradeline
