#include "server/wire/page.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

// A token is base64url of: version, 16 hexadecimal digits of the arguments' hash, key.
constexpr char kVersion = '1';
constexpr size_t kPrefix = 17;

std::string Prefix(std::string_view arguments) {
  return absl::StrCat(std::string(1, kVersion),
                      absl::Hex(XXH3_64bits(arguments.data(), arguments.size()), absl::kZeroPad16));
}

}  // namespace

absl::StatusOr<PageRequest> CheckPage(int size, std::string_view token, std::string arguments, PageSizes sizes) {
  Violations violations;
  PageRequest page{size == 0 ? sizes.fallback : std::min(size, sizes.most), "", std::move(arguments)};
  if (size < 0) {
    violations.Add("pageSize", absl::StrCat(size, " is negative; allowed: 0 (the default of ", sizes.fallback, ") to ",
                                            sizes.most));
  }
  if (!token.empty()) {
    std::string plain;
    if (!absl::WebSafeBase64Unescape(std::string(token), &plain) || plain.size() <= kPrefix || plain[0] != kVersion) {
      violations.Add("pageToken", "is no token of this server; take next_page_token of the page before");
    } else if (plain.compare(0, kPrefix, Prefix(page.arguments)) != 0) {
      violations.Add("pageToken", "was made for other arguments; only page_size may change between pages");
    } else {
      page.after = plain.substr(kPrefix);
    }
  }
  if (!violations.empty()) return violations.ToStatus();
  return page;
}

std::string NextPageToken(const PageRequest& page, std::string_view after) {
  if (after.empty()) return "";
  return absl::WebSafeBase64Escape(Prefix(page.arguments) + std::string(after));
}

}  // namespace gradeline
