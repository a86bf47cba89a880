#include "server/core/loss/registry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"
#include "server/core/loss/offers.h"
#include "server/core/loss/sum_info.h"

namespace gradeline {
namespace {

std::string SourceText(const PluginInfo& plugin) {
  return absl::StrCat("plugin ", plugin.name, " (", plugin.source, ")");
}

std::string RepetitionId(const HeadTemplate& head, size_t i) { return absl::StrCat(head.id, "@", i + 1); }

/// Whether `name` means the head, all repetitions of it or one.
bool IsNamed(const HeadTemplate& head, std::string_view name) {
  if (name.empty() || name == head.id) return true;
  for (size_t i = 0; i < head.repeat_weights.size(); ++i) {
    if (name == RepetitionId(head, i)) return true;
  }
  return false;
}

absl::Status UnknownHead(const std::vector<const ArchitectureInfo*>& architectures, std::string_view head) {
  std::vector<std::string> known;
  for (const ArchitectureInfo* architecture : architectures) {
    for (const HeadTemplate& candidate : architecture->heads) {
      if (std::find(known.begin(), known.end(), candidate.id) == known.end()) known.push_back(candidate.id);
    }
  }
  const std::string word(head), of = architectures.size() == 1 ? architectures[0]->id : "any architecture of the task";
  return WithReason(absl::NotFoundError(absl::StrCat("there is no head \"", word, "\" of ", of,
                                                     "; known: ", known.empty() ? "none" : absl::StrJoin(known, ", "))),
                    "UNKNOWN_NAME", {{"kind", "head"}, {"name", word}});
}

}  // namespace

absl::Status LossRegistry::Builder::Add(std::vector<LossInfo> losses) {
  for (size_t i = 0; i < losses.size(); ++i) {
    const LossInfo& loss = losses[i];
    const auto same = [&](const auto& other) { return other->id == loss.id; };
    const auto found = std::find_if(losses_.begin(), losses_.end(), same);
    if (found != losses_.end()) {
      return absl::AlreadyExistsError(absl::StrCat("loss ", loss.id, " of ", SourceText(*loss.plugin),
                                                   " is already there from ", SourceText(*(*found)->plugin)));
    }
  }
  if (!losses.empty()) plugins_.push_back(losses.front().plugin);
  for (LossInfo& loss : losses) losses_.push_back(std::make_shared<const LossInfo>(std::move(loss)));
  return absl::OkStatus();
}

void LossRegistry::Builder::AddRefused(PluginInfo plugin) {
  plugins_.push_back(std::make_shared<const PluginInfo>(std::move(plugin)));
}

std::shared_ptr<const LossRegistry> LossRegistry::Builder::Build(std::shared_ptr<const Catalog> catalog) && {
  auto registry = std::make_shared<LossRegistry>();
  registry->catalog_ = std::move(catalog);
  registry->losses_ = std::move(losses_);
  registry->plugins_ = std::move(plugins_);
  std::sort(registry->losses_.begin(), registry->losses_.end(),
            [](const auto& a, const auto& b) { return a->id < b->id; });
  return registry;
}

std::shared_ptr<const LossInfo> LossRegistry::FindCalled(std::string_view word, std::string_view signal) const {
  std::shared_ptr<const LossInfo> named;
  for (const auto& loss : losses_) {
    if (!IsCalled(*loss, word)) continue;
    const bool computes = std::find(loss->signals.begin(), loss->signals.end(), signal) != loss->signals.end();
    if (computes) return loss;
    if (loss->id == word) named = loss;
  }
  return named;
}

std::vector<std::string> LossRegistry::Family(std::string_view loss) const {
  std::vector<std::string> family = {std::string(loss)};
  for (const auto& other : losses_) {
    if (other->family == loss && other->id != loss) family.push_back(other->id);
  }
  return family;
}

absl::StatusOr<LossPointers> LossRegistry::FindTerms(std::string_view loss, std::string_view signal) const {
  const std::vector<std::string> ids = TermIds(loss);
  if (ids.size() > 1) GRADELINE_RETURN_IF_ERROR(CheckTerms(ids));
  LossPointers found;
  std::vector<std::string> known, missing, texts;
  for (const auto& candidate : losses_) known.push_back(candidate->id);
  for (const std::string& id : ids) {
    if (auto at = FindCalled(id, signal); at != nullptr) {
      found.push_back(std::move(at));
      continue;
    }
    const std::vector<std::string> near = NearNames(id, known);
    std::string hint = absl::StrCat("loaded: ", known.empty() ? "none" : absl::StrJoin(known, ", "));
    if (!near.empty()) hint = absl::StrCat("did you mean ", absl::StrJoin(near, ", "), "?");
    missing.push_back(id);
    texts.push_back(absl::StrCat("there is no loss \"", id, "\"; ", hint));
  }
  if (missing.empty()) return found;
  return WithReason(absl::NotFoundError(absl::StrJoin(texts, "; ")), "UNKNOWN_NAME",
                    {{"kind", "loss"}, {"name", absl::StrJoin(missing, ",")}});
}

absl::StatusOr<std::shared_ptr<const LossInfo>> LossRegistry::Find(std::string_view id) const {
  GRADELINE_ASSIGN_OR_RETURN(const LossPointers terms, FindTerms(id, ""));
  return InfoOf(terms);
}

absl::StatusOr<LossList> LossRegistry::ListFor(std::string_view task, std::string_view architecture,
                                               std::string_view head) const {
  GRADELINE_RETURN_IF_ERROR(catalog_->FindTask(task).status());
  std::vector<const ArchitectureInfo*> architectures;
  if (!architecture.empty()) {
    GRADELINE_ASSIGN_OR_RETURN(const ArchitectureInfo* found, catalog_->FindArchitecture(task, architecture));
    architectures.push_back(found);
  } else {
    for (const ArchitectureInfo& candidate : catalog_->architectures()) {
      const auto& tasks = candidate.tasks;
      if (std::find(tasks.begin(), tasks.end(), task) != tasks.end()) architectures.push_back(&candidate);
    }
  }
  std::vector<HeadForms> heads;
  for (const ArchitectureInfo* candidate : architectures) {
    for (const HeadTemplate& from : candidate->heads) {
      if (!IsNamed(from, head)) continue;
      const std::string id = head.empty() ? from.id : std::string(head);
      heads.push_back(FormsOf(*candidate, from, architecture.empty() ? absl::StrCat(candidate->id, "/", id) : id));
    }
  }
  if (heads.empty() && !head.empty()) return UnknownHead(architectures, head);
  return ListOffers(losses_, task, heads);
}

double LossRegistry::WeightOf(const Head& head, const LossHandle& handle) {
  for (const auto& [rule, weight] : head.losses.weight_for) {
    if (RuleHolds(rule, handle.params())) return weight;
  }
  return head.weight;
}

}  // namespace gradeline
