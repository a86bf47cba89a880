// See findings.h.
#include "client/cli/findings.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/utf8.h"

namespace gradeline::cli {
namespace {

constexpr size_t kMostTold = 1000;

}  // namespace

void Faults::Add(absl::string_view where, absl::string_view what) {
  if (++count_ <= static_cast<int64_t>(kMostTold)) first_.push_back(absl::StrCat("  ", where, ": ", what));
}

absl::Status Faults::ToStatus(absl::string_view end) const {
  if (empty()) return absl::OkStatus();
  std::string text =
      absl::StrCat(count_, count_ == 1 ? " problem" : " problems", "; ", end, ":\n", absl::StrJoin(first_, "\n"));
  const int64_t rest = count_ - static_cast<int64_t>(first_.size());
  if (rest > 0) absl::StrAppend(&text, "\n  and ", rest, " more");
  return absl::InvalidArgumentError(text);
}

bool CheckText(absl::string_view where, absl::string_view what, absl::string_view text, size_t least, size_t most,
               Faults& faults) {
  if (text.size() < least) {
    faults.Add(where, absl::StrCat(what, " is empty"));
  } else if (text.size() > most) {
    faults.Add(where, absl::StrCat(what, " has ", text.size(), " bytes; allowed: ", least, " to ", most));
  } else if (!IsUtf8(text)) {
    faults.Add(where, absl::StrCat(what, " ", Quoted(text), " is no UTF-8"));
  } else {
    return true;
  }
  return false;
}

std::string Quoted(absl::string_view value) {
  constexpr size_t kShown = 80;
  size_t shown = std::min(value.size(), kShown);
  while (shown > 0 && shown < value.size() && (value[shown] & 0xc0) == 0x80) --shown;  // no character is cut
  const absl::string_view text = value.substr(0, shown);
  return absl::StrCat("\"", IsUtf8(value) ? absl::Utf8SafeCHexEscape(text) : absl::CHexEscape(text),
                      shown < value.size() ? "..." : "", "\"");
}

}  // namespace gradeline::cli
