#include "server/core/base/ids.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/core/base/utf8.h"

namespace gradeline {
namespace {

constexpr size_t kLongestId = 63;

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

absl::Status CheckId(std::string_view id) {
  const bool good = !id.empty() && id.size() <= kLongestId && IsLower(id.front()) && id.back() != '-' &&
                    std::all_of(id.begin(), id.end(), [](char c) { return IsLower(c) || IsDigit(c) || c == '-'; });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(Quoted(id), " is no id: 1 to ", kLongestId,
                   " characters of a-z, 0-9 and dash, beginning with a letter, not ending with a dash"));
}

absl::StatusOr<std::string> IdOfName(std::string_view collection, std::string_view name) {
  const bool has_prefix = name.size() > collection.size() && name.substr(0, collection.size()) == collection &&
                          name[collection.size()] == '/';
  const std::string_view id = has_prefix ? name.substr(collection.size() + 1) : std::string_view();
  if (has_prefix && CheckId(id).ok()) return std::string(id);
  const std::string form =
      absl::StrCat(Quoted(name), " is no resource name of the form \"", std::string(collection), "/{id}\"");
  if (!has_prefix) return absl::InvalidArgumentError(form);
  return absl::InvalidArgumentError(absl::StrCat(form, ": ", CheckId(id).message()));
}

bool IsLossId(std::string_view id) { return IsLossExpression(id) && id.find('+') == std::string_view::npos; }

bool IsLossExpression(std::string_view text) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789_./-+";
  return !text.empty() && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

std::string RandomHex(int bytes) {
  std::string raw(static_cast<size_t>(std::max(bytes, 0)), '\0');
  for (size_t have = 0; have < raw.size();) {
    const ssize_t got = getrandom(raw.data() + have, raw.size() - have, 0);
    if (got > 0) {
      have += static_cast<size_t>(got);
    } else if (errno != EINTR) {
      std::abort();  // a kernel without a random source: every token would be guessable
    }
  }
  return absl::BytesToHexString(raw);
}

}  // namespace gradeline
