// See near_names.h.
#include "client/cli/near_names.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace gradeline::cli {
namespace {

// Least number of inserted, deleted and replaced characters.
size_t Distance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::vector<std::string> NearNames(absl::string_view word, const std::vector<std::string>& known) {
  std::vector<std::pair<size_t, std::string>> near;
  const size_t allowed = word.size() < 4 ? 1 : word.size() < 9 ? 2 : word.size() / 3;
  for (const std::string& name : known) {
    const bool begins = word.size() >= 3 && absl::StartsWith(name, word);
    const size_t distance = begins ? 1 : Distance(word, name);
    if (distance <= allowed) {
      near.emplace_back(distance, name);
    }
  }
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  near.resize(std::min<size_t>(near.size(), 3));
  std::vector<std::string> out;
  for (auto& [distance, name] : near) {
    out.push_back(std::move(name));
  }
  return out;
}

std::string Suggestion(absl::string_view word, const std::vector<std::string>& known) {
  const std::vector<std::string> near = NearNames(word, known);
  if (!near.empty()) {
    return absl::StrCat("; did you mean \"", absl::StrJoin(near, "\" or \""), "\"?");
  }
  return known.empty() ? "" : absl::StrCat("; known are ", absl::StrJoin(known, ", "));
}

}  // namespace gradeline::cli
