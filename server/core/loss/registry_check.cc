// LossRegistry::Builder's second half: what a catalog says of the losses that there are.
#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"
#include "server/core/loss/offers.h"
#include "server/core/loss/registry.h"
#include "server/core/loss/sum_info.h"

namespace gradeline {
namespace {

/// The losses that a head names as what it takes; of a sum its terms.
std::set<std::string> NamedLosses(const HeadForms& head) {
  std::set<std::string> named(head.losses->only.begin(), head.losses->only.end());
  for (const HeadForms::Form& form : head.forms) {
    for (std::string& term : TermIds(form.default_loss)) named.insert(std::move(term));
  }
  return named;
}

/// Checks what one head says of losses.
class PolicyCheck {
 public:
  PolicyCheck(const LossPointers& losses, const std::vector<std::string>& tasks, const HeadForms& head,
              std::string path, Violations& violations)
      : losses_(losses), tasks_(tasks), head_(head), path_(std::move(path)), violations_(violations) {}

  void Run() {
    CheckDefaults();
    std::vector<std::string> signals;
    for (const HeadForms::Form& form : head_.forms) signals.push_back(form.signal);
    for (const std::string& id : head_.losses->only) {
      if (const auto loss = Loaded(id, signals); loss != nullptr) AddRefusal(path_ + ".only", *loss, signals);
    }
    CheckParams(".params", head_.losses->params);
    CheckParams(".fixed", head_.losses->fixed);
  }

 private:
  /// Of the losses that are called `word`, one that computes a signal of these; else any; NULL: none is loaded.
  std::shared_ptr<const LossInfo> Loaded(const std::string& word, const std::vector<std::string>& signals) const {
    std::shared_ptr<const LossInfo> named;
    for (const auto& loss : losses_) {
      if (!IsCalled(*loss, word)) continue;
      for (const std::string& signal : signals) {
        if (std::find(loss->signals.begin(), loss->signals.end(), signal) != loss->signals.end()) return loss;
      }
      if (named == nullptr || loss->id == word) named = loss;
    }
    return named;
  }

  void AddRefusal(const std::string& field, const LossInfo& loss, const std::vector<std::string>& signals) {
    for (const std::string& task : tasks_) {
      const std::string why = WhyRefused(loss, task, signals, *head_.losses);
      if (why.empty()) continue;
      violations_.Add(field, absl::StrCat("is ", loss.id, ", which is not valid here: ", why));
      return;
    }
  }

  void CheckDefaults() {
    for (const HeadForms::Form& form : head_.forms) {
      LossPointers terms;
      const std::vector<std::string> ids = TermIds(form.default_loss);
      for (const std::string& id : ids) {
        const auto loss = Loaded(id, {form.signal});
        if (loss == nullptr) continue;
        AddRefusal(path_ + ".default", *loss, {form.signal});
        terms.push_back(loss);
      }
      if (ids.size() == 1) continue;
      absl::Status sum = CheckTerms(ids);
      if (sum.ok() && terms.size() == ids.size()) sum = SumInfo(terms).status();
      violations_.Merge(path_ + ".default", sum);
    }
  }

  /// The named losses that are loaded, and the sums of them that are defaults.
  LossPointers LoadedAndSums(const std::set<std::string>& named) const {
    LossPointers infos;
    for (const auto& loss : losses_) {
      const auto is = [&](const std::string& word) { return IsCalled(*loss, word); };
      if (std::any_of(named.begin(), named.end(), is)) infos.push_back(loss);
    }
    for (const HeadForms::Form& form : head_.forms) {
      LossPointers terms;
      const std::vector<std::string> ids = TermIds(form.default_loss);
      for (const std::string& id : ids) {
        if (auto loss = Loaded(id, {form.signal}); loss != nullptr) terms.push_back(std::move(loss));
      }
      if (ids.size() == 1 || terms.size() != ids.size()) continue;
      if (auto sum = SumInfo(terms); sum.ok()) infos.push_back(*std::move(sum));
    }
    return infos;
  }

  /// A value holds for the named losses that have the parameter. While some of these are not loaded, a name that is
  /// unknown may be theirs.
  void CheckParams(const std::string& part, const ParamMap& params) {
    const std::set<std::string> named = NamedLosses(head_);
    const bool all_loaded =
        std::all_of(named.begin(), named.end(), [&](const auto& id) { return Loaded(id, {}) != nullptr; });
    const LossPointers infos = LoadedAndSums(named);
    for (const auto& [name, value] : params) {
      bool known = false;
      std::vector<std::string> names;
      const std::string field = absl::StrCat(path_, part, ".", name);
      for (const auto& loss : infos) {
        for (const ParamSpec& spec : loss->params) {
          names.push_back(spec.name);
          if (spec.name != name) continue;
          known = true;
          for (const FieldViolation& bad : FieldViolationsOf(ResolveParams({&spec, 1}, {{name, value}}).status())) {
            violations_.Add(field, absl::StrCat(bad.description, " (parameter of ", loss->id, ")"));
          }
        }
      }
      if (known || !all_loaded) continue;
      const std::vector<std::string> near = NearNames(name, names);
      violations_.Add(field, absl::StrCat("is no parameter of ", absl::StrJoin(named, ", "), "; ",
                                          near.empty() ? "known: " : "did you mean ",
                                          absl::StrJoin(near.empty() ? names : near, ", "), near.empty() ? "" : "?"));
    }
  }

  const LossPointers& losses_;
  const std::vector<std::string>& tasks_;
  const HeadForms& head_;
  const std::string path_;
  Violations& violations_;
};

}  // namespace

absl::Status LossRegistry::Builder::CheckCatalog(const Catalog& catalog) const {
  Violations violations;
  for (const ArchitectureInfo& architecture : catalog.architectures()) {
    for (size_t i = 0; i < architecture.heads.size(); ++i) {
      const HeadForms head = FormsOf(architecture, architecture.heads[i], architecture.heads[i].id);
      const std::string path = absl::StrCat("architectures.", architecture.id, ".heads[", i, "].losses");
      PolicyCheck(losses_, architecture.tasks, head, path, violations).Run();
    }
  }
  return violations.ToStatus();
}

std::vector<std::string> LossRegistry::Builder::MissingLosses(const Catalog& catalog) const {
  std::set<std::string> missing;
  for (const ArchitectureInfo& architecture : catalog.architectures()) {
    for (const HeadTemplate& head : architecture.heads) {
      missing.merge(NamedLosses(FormsOf(architecture, head, head.id)));
      missing.insert(head.losses.except.begin(), head.losses.except.end());
    }
  }
  for (const auto& loss : losses_) missing.erase(loss->id);
  return {missing.begin(), missing.end()};
}

}  // namespace gradeline
