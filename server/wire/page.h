// Pages of lists: sizes and opaque tokens. A token goes on a list only with the same other arguments.
#ifndef GRADELINE_SERVER_WIRE_PAGE_H_
#define GRADELINE_SERVER_WIRE_PAGE_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace gradeline {

/// What a list request asks for: up to `size` entries after the key `after` (empty: from the start).
struct PageRequest {
  int size = 0;
  std::string after;
  std::string arguments;  ///< fingerprint of all other arguments, for NextPageToken
};

struct PageSizes {
  int fallback = 100;
  int most = 1000;
};

/// INVALID_ARGUMENT with fields "pageSize" and "pageToken": a negative size, a token that is none, or one that was made
/// for other arguments. Size 0 takes the default, one above the maximum is lowered.
absl::StatusOr<PageRequest> CheckPage(int size, std::string_view token, std::string arguments, PageSizes sizes);

/// The token that goes on after `after`; empty at the end (`after` empty).
std::string NextPageToken(const PageRequest& page, std::string_view after);

/// CheckPage of any list request.
template <typename Request>
absl::StatusOr<PageRequest> PageOf(const Request& request, PageSizes sizes = {}) {
  Request others = request;
  others.clear_page_size();
  others.clear_page_token();
  return CheckPage(request.page_size(), request.page_token(), others.GetTypeName() + others.SerializeAsString(), sizes);
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_PAGE_H_
