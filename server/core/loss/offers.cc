#include "server/core/loss/offers.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/loss/sum_info.h"

namespace gradeline {
namespace {

using Words = std::vector<std::string>;

bool Contains(const Words& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool IsCalledAny(const LossInfo& loss, const Words& words) {
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) { return IsCalled(loss, word); });
}

void AddOnce(Words& words, std::string word) {
  if (!Contains(words, word)) words.push_back(std::move(word));
}

const ParamSpec* ChoosingParam(const ArchitectureInfo& architecture, const HeadTemplate& head) {
  const std::string& name = head.signal.by.empty() ? head.losses.fallback.by : head.signal.by;
  for (const ParamSpec& spec : architecture.params) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

std::string Chosen(const ByParam& by, const ParamMap& params) {
  if (by.by.empty()) return by.value;
  for (const auto& [word, value] : by.cases) {
    if (RuleHolds(absl::StrCat(by.by, "=", word), params)) return value;
  }
  return "";
}

/// Where a loss stands over several heads.
struct Standing {
  bool is_default = false;
  Words valid_heads, refused_heads;
  Words conditions;                                 // of valid heads, where there are any
  std::vector<std::pair<std::string, Words>> whys;  // reason -> heads
};

void Judge(const LossInfo& loss, std::string_view task, const HeadForms& head, Standing& standing) {
  Words signals, conditions;
  bool always = head.when.empty(), any = false;
  for (const HeadForms::Form& form : head.forms) {
    AddOnce(signals, form.signal);
    if (!WhyRefused(loss, task, {form.signal}, *head.losses).empty()) {
      always = false;
      continue;
    }
    any = true;
    if (!form.condition.empty()) conditions.push_back(form.condition);
    standing.is_default |= form.by_default && IsCalled(loss, form.default_loss);
  }
  if (!any) {
    const std::string why = WhyRefused(loss, task, signals, *head.losses);
    standing.refused_heads.push_back(head.label);
    const auto same = [&](const auto& entry) { return entry.first == why; };
    const auto found = std::find_if(standing.whys.begin(), standing.whys.end(), same);
    if (found == standing.whys.end()) {
      standing.whys.emplace_back(why, Words{head.label});
    } else {
      found->second.push_back(head.label);
    }
    return;
  }
  standing.valid_heads.push_back(head.label);
  if (always) return;
  std::string text = absl::StrJoin(conditions, " or ");
  if (!head.when.empty()) text = absl::StrCat(head.when, text.empty() ? "" : " and ", text);
  standing.conditions.push_back(absl::StrCat(head.label, " with ", text));
}

LossOffer Offer(std::shared_ptr<const LossInfo> loss, const Standing& standing) {
  LossOffer offer;
  offer.loss = std::move(loss);
  if (!standing.valid_heads.empty()) {
    offer.verdict = standing.is_default ? LossVerdict::kDefault : LossVerdict::kValid;
    offer.heads = standing.valid_heads;
    offer.reason = absl::StrJoin(standing.conditions, "; ");
    return offer;
  }
  offer.heads = standing.refused_heads;
  Words lines;
  for (const auto& [why, heads] : standing.whys) {
    lines.push_back(standing.whys.size() == 1 ? why : absl::StrCat(absl::StrJoin(heads, ", "), ": ", why));
  }
  offer.reason = absl::StrJoin(lines, "; ");
  return offer;
}

/// Why each of `losses` is refused: for the person who asked for one head and gets nothing.
void AddRefusals(const LossPointers& losses, std::string_view task, const std::string& signal,
                 const LossPolicy& accepted, Words& lines) {
  for (const auto& loss : losses) {
    AddOnce(lines, absl::StrCat(loss->id, " is refused (", WhyRefused(*loss, task, {signal}, accepted), ")"));
  }
}

/// What a person should know beyond the verdicts: defaults that are not loaded, or sums of what is listed, heads
/// without any valid loss, the catalog's own words. One line per head.
std::string Note(const LossPointers& losses, std::string_view task, const std::vector<HeadForms>& heads) {
  Words notes;
  for (const HeadForms& head : heads) {
    Words lines;
    for (const HeadForms::Form& form : head.forms) {
      const std::string with = form.condition.empty() ? "" : absl::StrCat(" with ", form.condition);
      if (!IsLoaded(losses, form.default_loss)) {
        AddOnce(lines,
                absl::StrCat("the default loss ", form.default_loss, " of head ", head.label, with, " is not loaded"));
      } else if (TermIds(form.default_loss).size() > 1) {
        AddOnce(lines, absl::StrCat("the default of head ", head.label, with, " is the sum ", form.default_loss));
      }
      const bool any = std::any_of(losses.begin(), losses.end(), [&](const auto& loss) {
        return WhyRefused(*loss, task, {form.signal}, *head.losses).empty();
      });
      if (!any) {
        AddOnce(lines,
                absl::StrCat("no loaded loss is valid for head ", head.label, with, " (signal ", form.signal, ")"));
        if (heads.size() == 1) AddRefusals(losses, task, form.signal, *head.losses, lines);
      }
    }
    if (!head.losses->reason.empty()) AddOnce(lines, absl::StrCat("head ", head.label, ": ", head.losses->reason));
    if (!lines.empty()) notes.push_back(absl::StrJoin(lines, "; "));
  }
  return absl::StrJoin(notes, "\n");
}

}  // namespace

HeadForms FormsOf(const ArchitectureInfo& architecture, const HeadTemplate& head, std::string label) {
  HeadForms forms;
  forms.label = std::move(label);
  forms.when = head.when;
  forms.losses = &head.losses;
  const auto resolved = ResolveParams(architecture.params, {});
  ParamMap params = resolved.ok() ? *resolved : ParamMap();
  const ParamSpec* spec = ChoosingParam(architecture, head);
  if (spec == nullptr) {
    forms.forms.push_back({Chosen(head.signal, params), Chosen(head.losses.fallback, params), "", true});
    return forms;
  }
  const auto usual = params.find(spec->name);
  const std::string usual_word = usual == params.end() ? "" : ParamText(usual->second);
  for (const std::string& word : WordsOf(*spec)) {
    params[spec->name] = word;
    forms.forms.push_back({Chosen(head.signal, params), Chosen(head.losses.fallback, params),
                           absl::StrCat(spec->name, "=", word), word == usual_word});
  }
  return forms;
}

std::string WhyRefused(const LossInfo& loss, std::string_view task, const Words& signals, const LossPolicy& policy) {
  Words whys;
  const bool computes = std::any_of(signals.begin(), signals.end(),
                                    [&](const std::string& signal) { return Contains(loss.signals, signal); });
  if (!computes) {
    whys.push_back(absl::StrCat("it computes the signal ", absl::StrJoin(loss.signals, " or "),
                                ", the head's signal is ", absl::StrJoin(signals, " or ")));
  }
  if (!loss.tasks.empty() && !Contains(loss.tasks, task)) {
    whys.push_back(
        absl::StrCat("it is only for task ", absl::StrJoin(loss.tasks, " or "), ", not for ", std::string(task)));
  }
  const std::string because = policy.reason.empty() ? "" : absl::StrCat(" (", policy.reason, ")");
  if (!policy.only.empty() && !IsCalledAny(loss, policy.only)) {
    whys.push_back(absl::StrCat("the catalog allows only ", absl::StrJoin(policy.only, ", "), because));
  }
  if (IsCalledAny(loss, policy.except)) whys.push_back(absl::StrCat("the catalog excludes it", because));
  return absl::StrJoin(whys, "; ");
}

bool IsLoaded(const LossPointers& losses, std::string_view loss) {
  const Words terms = TermIds(loss);
  return std::all_of(terms.begin(), terms.end(), [&](const std::string& id) {
    return std::any_of(losses.begin(), losses.end(), [&](const auto& known) { return IsCalled(*known, id); });
  });
}

LossList ListOffers(const LossPointers& losses, std::string_view task, const std::vector<HeadForms>& heads) {
  LossList list;
  for (const auto& loss : losses) {
    Standing standing;
    for (const HeadForms& head : heads) Judge(*loss, task, head, standing);
    list.offers.push_back(Offer(loss, standing));
  }
  list.note = Note(losses, task, heads);
  return list;
}

}  // namespace gradeline
