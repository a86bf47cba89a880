#include "server/core/loss/sum_info.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace gradeline {
namespace {

constexpr size_t kMostTerms = 8;
constexpr char kWeight[] = "weight";

using Terms = std::vector<std::shared_ptr<const LossInfo>>;

/// A tensor of the sum and the term that brought it.
struct SumTensor {
  TensorSpec spec;
  const LossInfo* from;
};

std::string KindText(const TensorSpec& spec) { return spec.label() ? "labels" : "reals"; }

/// The words both lists have; an empty list has all if `empty_is_any`.
std::vector<std::string> Shared(const std::vector<std::string>& a, const std::vector<std::string>& b,
                                bool empty_is_any) {
  if (empty_is_any && a.empty()) return b;
  if (empty_is_any && b.empty()) return a;
  std::vector<std::string> shared;
  for (const std::string& word : a) {
    if (std::find(b.begin(), b.end(), word) != b.end()) shared.push_back(word);
  }
  return shared;
}

/// An encoding that a parameter of `term` decides, by the parameter's name in the sum: "box:{iou.format}".
std::string EncodingInSum(const LossInfo& term, std::string encoding) {
  const size_t open = encoding.find('{');
  if (open != std::string::npos) encoding.insert(open + 1, NameInSum(FamilyOf(term), ""));
  return encoding;
}

bool IsFixed(const std::string& encoding) { return encoding.find('{') == std::string::npos; }

/// Puts the tensors of the terms together.
class TensorUnion {
 public:
  absl::StatusOr<std::vector<TensorSpec>> Of(const Terms& terms) {
    for (const auto& term : terms) {
      for (const TensorSpec& spec : term->tensors) {
        if (absl::Status status = FindKinds(*term, spec); !status.ok()) return status;
      }
    }
    for (const auto& term : terms) {
      ++term_no_;
      for (const TensorSpec& spec : term->tensors) {
        if (absl::Status status = Add(*term, spec); !status.ok()) return status;
      }
    }
    std::vector<TensorSpec> tensors;
    for (const SumTensor& tensor : tensors_) {
      const auto beside = [&](const SumTensor& other) { return other.spec.one_of == tensor.spec.one_of; };
      const auto of_group = std::count_if(tensors_.begin(), tensors_.end(), beside);
      if (tensor.spec.one_of != 0 && of_group > 1 && Excluded(tensor.spec)) continue;
      tensors.push_back(tensor.spec);
      if (of_group == 1 || Needed(tensor.spec)) tensors.back().one_of = 0;
    }
    return tensors;
  }

 private:
  struct Kinds {
    std::set<uint32_t> kinds;
    const LossInfo* from;
    const TensorSpec* first;
  };

  /// Narrows what a name may be to what `term` takes too.
  absl::Status FindKinds(const LossInfo& term, const TensorSpec& spec) {
    std::set<uint32_t> own;
    for (const TensorSpec& other : term.tensors) {
      if (other.name == spec.name) own.insert(other.kind);
    }
    const auto [found, fresh] = kinds_.try_emplace(spec.name, Kinds{own, &term, &spec});
    if (fresh) return absl::OkStatus();
    Kinds& known = found->second;
    const size_t narrowed = std::erase_if(known.kinds, [&](uint32_t kind) { return own.count(kind) == 0; });
    if (known.kinds.empty()) {
      return Disagreement(*known.from, term, spec.name, KindText(*known.first), KindText(spec));
    }
    if (narrowed > 0) known.from = &term, known.first = &spec;
    return absl::OkStatus();
  }

  absl::Status Add(const LossInfo& term, const TensorSpec& spec) {
    if (kinds_.at(spec.name).kinds.count(spec.kind) == 0) return absl::OkStatus();
    if (spec.one_of == 0 && !spec.optional()) needed_.insert({spec.name, spec.kind});
    const auto same = [&](const SumTensor& t) { return t.spec.name == spec.name && t.spec.kind == spec.kind; };
    const auto found = std::find_if(tensors_.begin(), tensors_.end(), same);
    if (found != tensors_.end()) return Join(*found, term, spec);
    tensors_.push_back({spec, &term});
    TensorSpec& added = tensors_.back().spec;
    if (added.one_of != 0) added.one_of = GroupOf(added.one_of);
    added.encoding = EncodingInSum(term, spec.encoding);
    if (!added.ignore_param.empty()) added.ignore_param = NameInSum(FamilyOf(term), added.ignore_param);
    return absl::OkStatus();
  }

  static absl::Status Join(SumTensor& known, const LossInfo& term, const TensorSpec& spec) {
    TensorSpec& mine = known.spec;
    const bool given = !mine.encoding.empty() && !spec.encoding.empty();
    if (given && IsFixed(mine.encoding) && IsFixed(spec.encoding) && mine.encoding != spec.encoding) {
      return Disagreement(*known.from, term, spec.name, mine.encoding, spec.encoding);
    }
    if (mine.gradient() != spec.gradient()) {
      const std::string with = "differentiable", without = "not differentiable";
      return Disagreement(*known.from, term, spec.name, mine.gradient() ? with : without,
                          spec.gradient() ? with : without);
    }
    if (mine.encoding.empty()) mine.encoding = EncodingInSum(term, spec.encoding);
    if (mine.ignore_param.empty() && !spec.ignore_param.empty()) {
      mine.ignore_param = NameInSum(FamilyOf(term), spec.ignore_param);
    }
    if (!spec.optional()) mine.flags &= ~static_cast<uint32_t>(GDL_OPTIONAL);
    if ((spec.flags & GDL_CONSTANT) == 0) mine.flags &= ~static_cast<uint32_t>(GDL_CONSTANT);
    return absl::OkStatus();
  }

  uint32_t GroupOf(uint32_t group_of_term) {
    const auto next = static_cast<uint32_t>(groups_.size() + 1);
    return groups_.try_emplace({term_no_, group_of_term}, next).first->second;
  }
  bool Needed(const TensorSpec& spec) const { return needed_.count({spec.name, spec.kind}) > 0; }
  /// Whether it may never come, because another of its group must.
  bool Excluded(const TensorSpec& spec) const {
    return !Needed(spec) && std::any_of(tensors_.begin(), tensors_.end(), [&](const SumTensor& other) {
      return other.spec.one_of == spec.one_of && Needed(other.spec);
    });
  }

  std::map<std::string, Kinds> kinds_;
  std::vector<SumTensor> tensors_;
  std::set<std::pair<std::string, uint32_t>> needed_;
  std::map<std::pair<int, uint32_t>, uint32_t> groups_;  // (term, its group) -> group of the sum
  int term_no_ = 0;
};

void AddParams(const LossInfo& term, LossInfo& sum) {
  ParamSpec weight;
  weight.name = WeightOfTerm(term);
  weight.doc = absl::StrCat("factor of ", FamilyOf(term), " in the sum");
  weight.group = FamilyOf(term);
  weight.kind = GDL_NUMBER;
  weight.fallback = 1;
  weight.min = 0;
  weight.max = std::numeric_limits<double>::infinity();
  sum.params.push_back(std::move(weight));
  for (ParamSpec spec : term.params) {
    spec.name = NameInSum(FamilyOf(term), spec.name);
    spec.group = spec.group.empty() ? FamilyOf(term) : absl::StrCat(FamilyOf(term), " ", spec.group);
    if (!spec.when.empty()) spec.when = NameInSum(FamilyOf(term), spec.when);
    sum.params.push_back(std::move(spec));
  }
}

void AddComponents(const LossInfo& term, LossInfo& sum) {
  for (size_t k = 0; k < term.components.size(); ++k) {
    ComponentSpec component = term.components[k];
    component.name = ComponentInSum(term, k);
    if (!component.weight_param.empty()) component.weight_param = NameInSum(FamilyOf(term), component.weight_param);
    sum.components.push_back(std::move(component));
  }
}

template <typename Spec>
absl::Status CheckNames(const std::vector<Spec>& specs, const std::string& id, const std::string& what) {
  std::set<std::string> names;
  for (const Spec& spec : specs) {
    if (names.insert(spec.name).second) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(id, " cannot be summed: two ", what, " would be called ", spec.name));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Disagreement(const LossInfo& a, const LossInfo& b, const std::string& name, const std::string& of_a,
                          const std::string& of_b) {
  return absl::InvalidArgumentError(absl::StrCat("the terms of a sum share their inputs: ", a.id, " reads ", name,
                                                 " as ", of_a, ", ", b.id, " as ", of_b));
}

std::vector<std::string> TermIds(std::string_view loss) {
  return absl::StrSplit(absl::string_view(loss.data(), loss.size()), '+');
}

absl::Status CheckTerms(const std::vector<std::string>& terms) {
  if (terms.size() < 2 || terms.size() > kMostTerms) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", terms.size(), " terms; allowed in a sum of losses: 2 to ", kMostTerms));
  }
  std::set<std::string> seen;
  for (const std::string& term : terms) {
    if (term.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", absl::StrJoin(terms, "+"), "\" has an empty term; allowed: ids with + between them"));
    }
    if (!seen.insert(term).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("has the term ", term, " twice; allowed: once, with ", NameInSum(term, kWeight), "=2"));
    }
  }
  return absl::OkStatus();
}

std::string NameInSum(std::string_view term, std::string_view name) {
  return absl::StrCat(std::string(term), ".", std::string(name));
}

std::string ComponentInSum(const LossInfo& term, size_t component) {
  return term.components.size() == 1 ? FamilyOf(term) : NameInSum(FamilyOf(term), term.components[component].name);
}

std::string WeightOfTerm(const LossInfo& term) { return NameInSum(FamilyOf(term), kWeight); }

absl::StatusOr<std::shared_ptr<const LossInfo>> SumInfo(const Terms& terms) {
  auto sum = std::make_shared<LossInfo>();
  const auto id = [](std::string* out, const auto& term) { out->append(term->id); };
  sum->id = absl::StrJoin(terms, "+", id);
  sum->doc = absl::StrCat("Weighted sum of ", absl::StrJoin(terms, ", ", id), ".");
  sum->flags = GDL_ITEMS_INDEPENDENT;
  sum->signals = terms.front()->signals;
  for (const auto& term : terms) {
    sum->flags &= term->flags;
    sum->merge = std::max(sum->merge, term->merge);
    sum->signals = Shared(sum->signals, term->signals, false);
    const bool any = sum->tasks.empty() && term->tasks.empty();
    sum->tasks = Shared(sum->tasks, term->tasks, true);
    if (sum->tasks.empty() && !any) sum->signals.clear();  // no head takes it
    AddParams(*term, *sum);
    AddComponents(*term, *sum);
  }
  if (absl::Status status = CheckNames(sum->params, sum->id, "parameters"); !status.ok()) return status;
  if (absl::Status status = CheckNames(sum->components, sum->id, "components"); !status.ok()) return status;
  absl::StatusOr<std::vector<TensorSpec>> tensors = TensorUnion().Of(terms);
  if (!tensors.ok()) return tensors.status();
  sum->tensors = *std::move(tensors);
  return std::shared_ptr<const LossInfo>(std::move(sum));
}

absl::StatusOr<std::shared_ptr<const LossInfo>> InfoOf(const Terms& terms) {
  if (terms.size() == 1) return terms.front();
  return SumInfo(terms);
}

std::vector<std::optional<size_t>> TensorsInSum(const LossInfo& sum, const LossInfo& term) {
  std::vector<std::optional<size_t>> indices;
  for (const TensorSpec& spec : term.tensors) {
    indices.emplace_back();
    for (size_t t = 0; t < sum.tensors.size(); ++t) {
      if (sum.tensors[t].name == spec.name && sum.tensors[t].kind == spec.kind) indices.back() = t;
    }
  }
  return indices;
}

ParamMap ParamsOfTerm(const LossInfo& term, const ParamMap& params) {
  ParamMap own;
  for (const ParamSpec& spec : term.params) {
    const auto found = params.find(NameInSum(FamilyOf(term), spec.name));
    if (found != params.end()) own[spec.name] = found->second;
  }
  return own;
}

ParamMap ParamsInSum(const LossInfo& term, const ParamMap& params) {
  ParamMap renamed;
  for (const auto& [name, value] : params) renamed[NameInSum(FamilyOf(term), name)] = value;
  return renamed;
}

}  // namespace gradeline
