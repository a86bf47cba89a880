// LossRegistry's second half: from a loss and parameters to a handle.
#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"
#include "server/core/loss/encoding.h"
#include "server/core/loss/offers.h"
#include "server/core/loss/registry.h"
#include "server/core/loss/sum_info.h"

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

/// The losses among `terms` that the head refuses, and why; OK if there are none.
absl::Status CheckValid(const LossPointers& losses, const LossPointers& terms, std::string_view task,
                        const Head& head) {
  std::vector<std::string> refused, texts, valid;
  for (const auto& term : terms) {
    const std::string why = WhyRefused(*term, task, {head.signal}, head.losses);
    if (why.empty()) continue;
    refused.push_back(term->id);
    texts.push_back(
        absl::StrCat("loss ", term->id, " is not valid for head ", head.id, " of task ", std::string(task), ": ", why));
  }
  if (refused.empty()) return absl::OkStatus();
  for (const auto& loss : losses) {
    if (WhyRefused(*loss, task, {head.signal}, head.losses).empty()) valid.push_back(loss->id);
  }
  std::string message = absl::StrCat(absl::StrJoin(texts, "; "),
                                     "; valid: ", valid.empty() ? "none that is loaded" : absl::StrJoin(valid, ", "));
  if (!IsLoaded(losses, head.default_loss)) {
    absl::StrAppend(&message, "; the default loss ", head.default_loss, " is not loaded");
  }
  return WithReason(absl::FailedPreconditionError(message), "LOSS_NOT_VALID_FOR_HEAD",
                    {{"loss", absl::StrJoin(refused, ",")},
                     {"task", std::string(task)},
                     {"head", head.id},
                     {"signal", head.signal},
                     {"valid", absl::StrJoin(valid, ",")}});
}

/// Whether the terms read their shared inputs alike, under the values of their parameters.
absl::Status CheckEncodings(const LossInfo& sum, const std::vector<LossTerm>& terms) {
  for (size_t index = 0; index < sum.tensors.size(); ++index) {
    const LossInfo* first = nullptr;
    std::string encoding;
    for (const LossTerm& term : terms) {
      const LossInfo& info = term.loss.info();
      for (size_t t = 0; t < term.tensors.size(); ++t) {
        if (term.tensors[t] != index) continue;
        const std::string own = EncodingOf(info.tensors[t], info.params, term.loss.params());
        if (own.empty()) continue;
        if (first != nullptr && own != encoding) {
          return Disagreement(*first, info, sum.tensors[index].name, encoding, own);
        }
        first = &info;
        encoding = own;
      }
    }
  }
  return absl::OkStatus();
}

/// What the head lays under the user's values, under the names that `info`, the loss or the sum of `terms`, has for
/// them: what is said of a parameter holds for every term that has it, unless more is said of the term's.
ParamMap ApplicableTo(const LossInfo& info, const LossPointers& terms, const ParamMap& params) {
  ParamMap applicable = Applicable(info, params);
  if (terms.size() == 1) return applicable;
  for (const auto& term : terms) applicable.merge(ParamsInSum(*term, Applicable(*term, params)));
  return applicable;
}

}  // namespace

absl::StatusOr<LossHandle> LossRegistry::Resolve(std::string_view task, const Head& head, std::string_view loss,
                                                 const ParamMap& params) const {
  GRADELINE_ASSIGN_OR_RETURN(const LossPointers terms, FindTerms(loss, head.signal));
  GRADELINE_RETURN_IF_ERROR(CheckValid(losses_, terms, task, head));
  GRADELINE_ASSIGN_OR_RETURN(std::shared_ptr<const LossInfo> info, InfoOf(terms));

  ParamMap layered = ApplicableTo(*info, terms, head.losses.params);
  for (const auto& [name, value] : params) layered[name] = value;
  Violations violations;
  for (const auto& [name, value] : ApplicableTo(*info, terms, head.losses.fixed)) {
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
  return MakeHandle(std::move(info), terms, *std::move(resolved));
}

absl::StatusOr<LossHandle> LossRegistry::ResolveAlone(std::string_view loss, const ParamMap& params) const {
  GRADELINE_ASSIGN_OR_RETURN(const LossPointers terms, FindTerms(loss, ""));
  GRADELINE_ASSIGN_OR_RETURN(std::shared_ptr<const LossInfo> info, InfoOf(terms));
  absl::StatusOr<ParamMap> resolved = ResolveParams(info->params, params);
  Violations violations;
  violations.Merge("params", resolved.status());
  if (!violations.empty()) return violations.ToStatus();
  return MakeHandle(std::move(info), terms, *std::move(resolved));
}

absl::StatusOr<LossHandle> LossRegistry::MakeOne(std::shared_ptr<const LossInfo> info, ParamMap params) {
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

absl::StatusOr<LossHandle> LossRegistry::MakeSum(std::shared_ptr<const LossInfo> info, const LossPointers& terms,
                                                 ParamMap params) {
  LossHandle sum;
  auto made = std::make_shared<std::vector<LossTerm>>();
  Violations violations;
  double all_weights = 0;
  for (const auto& term_info : terms) {
    LossTerm term;
    term.weight = std::get<double>(params.at(WeightOfTerm(*term_info)));
    all_weights += term.weight;
    term.tensors = TensorsInSum(*info, *term_info);
    absl::StatusOr<LossHandle> handle = MakeOne(term_info, ParamsOfTerm(*term_info, params));
    if (!handle.ok()) {
      term.loss.info_ = term_info;
      const absl::Status refusal = InSum(term, handle.status());
      if (!absl::IsInvalidArgument(refusal)) return refusal;
      violations.Merge("", refusal);
      continue;
    }
    term.loss = *std::move(handle);
    for (size_t k = 0; k < term_info->components.size(); ++k) {
      term.loss.component_weights_[k] *= term.weight;
      term.loss.names_in_sum_.push_back(ComponentInSum(*term_info, k));
      sum.component_weights_.push_back(term.loss.component_weights_[k]);
    }
    made->push_back(std::move(term));
  }
  if (all_weights == 0) {
    violations.Add(absl::StrCat("params.", WeightOfTerm(*terms.front())),
                   "is 0 as the weight of every other term; allowed: one above 0");
  }
  if (!violations.empty()) return violations.ToStatus();
  GRADELINE_RETURN_IF_ERROR(CheckEncodings(*info, *made));
  sum.terms_ = std::move(made);
  sum.params_ = std::move(params);
  sum.info_ = std::move(info);
  return sum;
}

absl::StatusOr<LossHandle> LossRegistry::MakeHandle(std::shared_ptr<const LossInfo> info, const LossPointers& terms,
                                                    ParamMap params) {
  return terms.size() == 1 ? MakeOne(std::move(info), std::move(params))
                           : MakeSum(std::move(info), terms, std::move(params));
}

const std::vector<LossTerm>& LossHandle::terms() const {
  static const std::vector<LossTerm> kNone;
  return terms_ == nullptr ? kNone : *terms_;
}

absl::Status InSum(const LossTerm& term, const absl::Status& status) {
  constexpr std::string_view kParams = "params";
  Violations renamed;
  bool any = false;
  for (const FieldViolation& violation : FieldViolationsOf(status)) {
    const std::string_view field = violation.field;
    const bool param = field == kParams || field.substr(0, kParams.size() + 1) == "params.";
    any |= param;
    renamed.Add(param ? absl::StrCat("params.", FamilyOf(term.loss.info()), violation.field.substr(kParams.size()))
                      : violation.field,
                violation.description);
  }
  return any ? renamed.ToStatus() : status;
}

}  // namespace gradeline
