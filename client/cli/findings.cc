// See findings.h.
#include "client/cli/findings.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace gradeline::cli {
namespace {

constexpr size_t kMostTold = 1000;

// Whether the text is well-formed UTF-8 (Unicode 15, table 3-7). Protos take no other text.
bool IsUtf8(absl::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    size_t more = 0;                          // bytes that follow
    unsigned char least = 0x80, most = 0xbf;  // of the first of them
    if (lead < 0x80) {
      ++i;
      continue;
    } else if (lead >= 0xc2 && lead <= 0xdf) {
      more = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead == 0xe0) least = 0xa0;
      if (lead == 0xed) most = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead == 0xf0) least = 0x90;
      if (lead == 0xf4) most = 0x8f;
    }
    if (more == 0 || more >= text.size() - i) return false;
    for (size_t k = 1; k <= more; ++k) {
      const auto byte = static_cast<unsigned char>(text[i + k]);
      if (byte < least || byte > most) return false;
      least = 0x80, most = 0xbf;
    }
    i += more + 1;
  }
  return true;
}

}  // namespace

void Faults::Add(absl::string_view where, absl::string_view what) {
  if (++count_ <= static_cast<int64_t>(kMostTold)) first_.push_back(absl::StrCat("  ", where, ": ", what));
}

absl::Status Faults::ToStatus() const {
  if (empty()) return absl::OkStatus();
  std::string text = absl::StrCat(count_, count_ == 1 ? " problem" : " problems", "; nothing was imported:\n",
                                  absl::StrJoin(first_, "\n"));
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
