// One page of a list that is in memory.
#ifndef GRADELINE_SERVER_RPC_LIST_PAGE_H_
#define GRADELINE_SERVER_RPC_LIST_PAGE_H_

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/base/status.h"
#include "server/core/loss/catalog.h"
#include "server/wire/page.h"

namespace gradeline {

/// Entries are ordered by `id_of`: calls `add` for each of the page and returns the token of the next.
template <typename T, typename IdOf, typename Add>
std::string AddPage(const PageRequest& page, std::vector<T> entries, IdOf id_of, Add add) {
  std::sort(entries.begin(), entries.end(), [&](const T& a, const T& b) { return id_of(a) < id_of(b); });
  int added = 0;
  std::string last;
  for (const T& entry : entries) {
    if (!page.after.empty() && id_of(entry) <= page.after) continue;
    if (added == page.size) return NextPageToken(page, last);
    add(entry);
    last = id_of(entry);
    ++added;
  }
  return "";
}

/// PageOf a list that may be of one task: an unknown task is named next to what is wrong with the page.
template <typename Request>
absl::StatusOr<PageRequest> PageOfTask(const Catalog& catalog, const Request& request) {
  Violations violations;
  absl::StatusOr<PageRequest> page = PageOf(request);
  if (!request.task().empty()) violations.MergeRest("task", catalog.FindTask(request.task()).status());
  violations.MergeRest("", page.status());
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  return page;
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_LIST_PAGE_H_
