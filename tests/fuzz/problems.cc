#include "tests/fuzz/problems.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace gradeline {

bool NamesPlace(const std::string& field, const std::string& file, const std::string& text) {
  const std::string before = absl::StrCat(file, ":");
  if (!absl::StartsWith(field, before)) return false;
  const size_t colon = field.find(": ", before.size());
  int64_t line = 0;
  return absl::SimpleAtoi(field.substr(before.size(), colon - before.size()), &line) && line >= 1 &&
         line <= std::count(text.begin(), text.end(), '\n') + 1;
}

}  // namespace gradeline
