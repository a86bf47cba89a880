// docs/catalog.md is what the shipped catalog and the built-in losses say. GRADELINE_WRITE_DOCS=1 writes it anew.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "plugins/losses/builtin.h"
#include "server/core/loss/registry.h"
#include "server/wire/catalog_files.h"

namespace gradeline {
namespace {

using Words = std::vector<std::string>;

const std::string kPage = std::string(GRADELINE_SOURCE_DIR) + "/docs/catalog.md";
constexpr char kBegin[] = "<!-- the catalog's test writes from here -->\n", kEnd[] = "<!-- to here -->\n";

std::string Join(const Words& words) { return words.empty() ? "–" : absl::StrJoin(words, ", "); }

// The signals that a head may have, each once.
Words SignalsOf(const HeadTemplate& head) {
  if (head.signal.by.empty()) return {head.signal.value};
  std::set<std::string> signals;
  for (const auto& [word, signal] : head.signal.cases) signals.insert(signal);
  return {signals.begin(), signals.end()};
}

// "default | valid | refused and why" of one head.
std::string Verdicts(const LossList& list) {
  const std::string kWith = " with ";
  Words defaults, valid, other_task, refused;
  bool other_signal = false;
  for (const LossOffer& offer : list.offers) {
    const std::string& id = offer.loss->id;
    const size_t with = offer.reason.find(kWith);
    if (offer.verdict != LossVerdict::kRefused) {
      Words& list_of = offer.verdict == LossVerdict::kDefault ? defaults : valid;
      list_of.push_back(
          with == std::string::npos ? id : absl::StrCat(id, " (", offer.reason.substr(with + kWith.size()), ")"));
    } else if (absl::StrContains(offer.reason, "computes the signal")) {
      other_signal = true;
    } else if (absl::StrContains(offer.reason, "only for task")) {
      other_task.push_back(id);
    } else {
      refused.push_back(absl::StrCat(id, ": ", offer.reason));
    }
  }
  if (!other_task.empty()) refused.push_back("for another task: " + Join(other_task));
  if (other_signal) refused.push_back("all others: for another signal");
  return absl::StrCat(Join(defaults), " | ", Join(valid), " | ", absl::StrJoin(refused, "<br>"));
}

std::string SignalsOf(const LossRegistry& registry) {
  std::map<std::string, Words> losses;
  for (const auto& loss : registry.losses()) {
    for (const std::string& signal : loss->signals) losses[signal].push_back(loss->id);
  }
  std::string text = "\n| signal | losses that compute it |\n|---|---|\n";
  for (const auto& [signal, ids] : losses) absl::StrAppend(&text, "| ", signal, " | ", Join(ids), " |\n");
  return text;
}

// One row for all heads, of whatever architecture, with the same verdicts.
std::string LossesOf(const LossRegistry& registry, const TaskInfo& task) {
  std::vector<std::pair<std::string, Words>> rows;
  for (const ArchitectureInfo& architecture : registry.catalog().architectures()) {
    if (std::find(architecture.tasks.begin(), architecture.tasks.end(), task.id) == architecture.tasks.end()) continue;
    for (const HeadTemplate& head : architecture.heads) {
      const auto list = registry.ListFor(task.id, architecture.id, head.id);
      EXPECT_TRUE(list.ok()) << list.status();
      const std::string row =
          absl::StrCat(head.id, " | ", Join(SignalsOf(head)), " | ", list.ok() ? Verdicts(*list) : "");
      const auto same =
          std::find_if(rows.begin(), rows.end(), [&row](const auto& known) { return known.first == row; });
      if (same == rows.end()) {
        rows.push_back({row, {architecture.id}});
      } else {
        same->second.push_back(architecture.id);
      }
    }
  }
  std::string text = absl::StrCat("\n### ", task.title,
                                  "\n\n| architecture | head | signal | default | valid | refused, and "
                                  "why |\n|---|---|---|---|---|---|\n");
  for (const auto& [row, architectures] : rows) absl::StrAppend(&text, "| ", Join(architectures), " | ", row, " |\n");
  return text;
}

std::string RangeOf(const ParamSpec& spec) {
  if (!spec.choices.empty()) return absl::StrJoin(spec.choices, ", ");
  if (spec.kind == GDL_BOOL) return "true, false";
  const bool least = std::isfinite(spec.min), most = std::isfinite(spec.max);
  const char* open = (spec.flags & GDL_MIN_OPEN) != 0 ? "(" : "[";
  const char* close = (spec.flags & GDL_MAX_OPEN) != 0 ? ")" : "]";
  if (spec.kind == kMeasureKind || (!least && !most)) return "";
  return absl::StrCat(least ? open : "(", least ? ParamText(spec.min) : "-∞", ", ", most ? ParamText(spec.max) : "∞",
                      most ? close : ")");
}

std::string DefaultOf(const ParamSpec& spec) {
  const auto alone = ResolveParams({&spec, 1}, {});
  return alone.ok() && alone->count(spec.name) > 0 ? ParamText(alone->at(spec.name)) : "–";
}

std::string ParametersOf(const std::vector<ParamSpec>& specs) {
  std::string text = "| parameter | default | range | |\n|---|---|---|---|\n";
  for (const ParamSpec& spec : specs) {
    Words about{spec.doc};
    if (!spec.unit.empty()) about.push_back(absl::StrCat("in ", spec.unit));
    if (!spec.when.empty()) about.push_back(absl::StrCat("only with ", spec.when));
    if (!spec.needs.empty()) about.push_back(absl::StrCat("needs ", absl::StrJoin(spec.needs, " and ")));
    absl::StrAppend(&text, "| ", spec.name, " | ", DefaultOf(spec), " | ", RangeOf(spec), " | ",
                    absl::StrJoin(about, "; "), " |\n");
  }
  return specs.empty() ? "" : absl::StrCat("\n", text);
}

std::string ChoicesOf(const char* title, const std::vector<ChoiceInfo>& choices) {
  std::string text = absl::StrCat("\n## ", title, "\n");
  for (const ChoiceInfo& choice : choices) {
    absl::StrAppend(&text, "\n### ", choice.id, "\n\n", choice.doc);
    if (choice.learning_rate) absl::StrAppend(&text, " Learning rate: ", ParamText(*choice.learning_rate), ".");
    if (!choice.labels.empty()) absl::StrAppend(&text, " Labels: ", choice.labels, ".");
    if (!choice.tasks.empty()) absl::StrAppend(&text, " For ", Join(choice.tasks), ".");
    absl::StrAppend(&text, "\n", ParametersOf(choice.params));
  }
  return text;
}

std::string Render(const LossRegistry& registry) {
  const Catalog& catalog = registry.catalog();
  std::string text = absl::StrCat("\n## Losses of every head\n", SignalsOf(registry));
  for (const TaskInfo& task : catalog.tasks()) text += LossesOf(registry, task);
  text += "\n## Architectures\n";
  for (const ArchitectureInfo& architecture : catalog.architectures()) {
    absl::StrAppend(&text, "\n### ", architecture.id, "\n\n", architecture.title, ". ", architecture.doc, " For ",
                    Join(architecture.tasks), ".");
    Words evaluations;
    for (const EvaluationInfo& evaluation : architecture.evaluations) evaluations.push_back(evaluation.id);
    if (!evaluations.empty()) absl::StrAppend(&text, " For metrics alone: ", Join(evaluations), ".");
    absl::StrAppend(&text, "\n", ParametersOf(architecture.params));
  }
  text += ChoicesOf("Solvers", catalog.offer().solvers);
  text += ChoicesOf("Schedulers", catalog.offer().schedulers);
  text += ChoicesOf("Augmentations", catalog.offer().augmentations);
  return absl::StrCat(text, "\n## Training\n", ParametersOf(catalog.offer().training));
}

TEST(CatalogPage, IsWhatTheCatalogSays) {
  auto catalog = LoadCatalog(std::string(GRADELINE_SOURCE_DIR) + "/configs/catalog");
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  LossRegistry::Builder builder;
  for (const GdlPlugin* const* plugin = BuiltinLossPlugins(); *plugin != nullptr; ++plugin) {
    auto losses = CheckPluginTables(**plugin, PluginInfo());
    ASSERT_TRUE(losses.ok() && builder.Add(*std::move(losses)).ok());
  }
  const auto registry = std::move(builder).Build(std::make_shared<const Catalog>(*std::move(catalog)));
  std::stringstream file;
  file << std::ifstream(kPage).rdbuf();
  const std::string page = file.str();
  const size_t begin = page.find(kBegin), end = page.find(kEnd);
  ASSERT_TRUE(begin != std::string::npos && end != std::string::npos) << kPage << " lacks its marks";
  const size_t inside = begin + std::string(kBegin).size();
  const std::string rendered = Render(*registry);
  if (std::getenv("GRADELINE_WRITE_DOCS") != nullptr) {
    std::ofstream(kPage) << page.substr(0, inside) << rendered << page.substr(end);
    return;
  }
  EXPECT_EQ(page.substr(inside, end - inside), rendered)
      << "docs/catalog.md is not what the catalog says; run this test once with GRADELINE_WRITE_DOCS=1";
}

}  // namespace
}  // namespace gradeline
