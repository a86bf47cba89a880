#include "server/core/loss/dims.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace gradeline {
namespace {

bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsWord(std::string_view word) {
  return std::all_of(word.begin(), word.end(), [](char c) { return IsUpper(c) || IsLower(c) || IsDigit(c); });
}

absl::Status Refuse(std::string_view dims, std::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", std::string(dims), "\" ", std::string(why),
                   "; allowed: names apart by one space, capitals number the items, small "
                   "letters and numbers lie within an item, * (last) is any tail of axes"));
}

absl::StatusOr<Dim> ParseDim(std::string_view dims, std::string_view word) {
  Dim dim;
  dim.name = std::string(word);
  if (word == "*") {
    dim.kind = Dim::Kind::kTail;
    return dim;
  }
  if (!word.empty() && word.back() == '?') {
    dim.optional = true;
    dim.name.pop_back();
  }
  if (dim.name.empty() || !IsWord(dim.name))
    return Refuse(dims, absl::StrCat("has the word \"", std::string(word), "\""));
  if (IsUpper(dim.name[0])) {
    dim.kind = Dim::Kind::kItem;
  } else if (IsLower(dim.name[0])) {
    dim.kind = Dim::Kind::kSmall;
  } else if (absl::SimpleAtoi(dim.name, &dim.number) && dim.number >= 1) {
    dim.kind = Dim::Kind::kNumber;
  } else {
    return Refuse(dims, absl::StrCat("has the number \"", dim.name, "\""));
  }
  if (dim.optional && dim.kind != Dim::Kind::kItem) return Refuse(dims, "has a ? behind what is not a capital");
  return dim;
}

}  // namespace

absl::StatusOr<std::vector<Dim>> ParseDims(std::string_view dims) {
  if (dims.empty()) return Refuse(dims, "names no axis");
  std::vector<Dim> parsed;
  for (const absl::string_view word : absl::StrSplit(absl::string_view(dims.data(), dims.size()), ' ')) {
    const auto dim = ParseDim(dims, std::string_view(word.data(), word.size()));
    if (!dim.ok()) return dim.status();
    if (!parsed.empty() && parsed.back().kind == Dim::Kind::kTail) return Refuse(dims, "goes on behind *");
    if (!parsed.empty() && parsed.back().optional && dim->kind != Dim::Kind::kTail) {
      return Refuse(dims, "has an axis behind one that may be missing");
    }
    const bool named = dim->kind == Dim::Kind::kItem || dim->kind == Dim::Kind::kSmall;
    const auto same = [&](const Dim& other) { return other.name == dim->name; };
    if (named && std::any_of(parsed.begin(), parsed.end(), same)) return Refuse(dims, "names an axis twice");
    parsed.push_back(*dim);
  }
  // The axes within an item lie next to each other: [outer][small][inner].
  int runs = 0;
  for (size_t i = 0; i < parsed.size(); ++i) runs += !parsed[i].item() && (i == 0 || parsed[i - 1].item()) ? 1 : 0;
  if (runs > 1) return Refuse(dims, "has an item axis between small ones");
  return parsed;
}

std::vector<Dim> ItemDims(const std::vector<Dim>& dims) {
  std::vector<Dim> items;
  std::copy_if(dims.begin(), dims.end(), std::back_inserter(items), [](const Dim& dim) { return dim.item(); });
  return items;
}

bool HasSmallAxes(const std::vector<Dim>& dims) {
  const auto items =
      static_cast<size_t>(std::count_if(dims.begin(), dims.end(), [](const Dim& dim) { return dim.item(); }));
  return items > 0 && items < dims.size();
}

size_t OuterAxes(const std::vector<Dim>& dims) {
  size_t outer = 0;
  while (outer < dims.size() && dims[outer].kind == Dim::Kind::kItem) ++outer;
  return outer;
}

}  // namespace gradeline
