#include "server/core/experiment/users.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"
#include "server/core/experiment/resolve.h"

namespace gradeline {
namespace {

constexpr size_t kMostNamed = 10;

}  // namespace

std::string Named(const char* kind, const std::vector<std::string>& ids) {
  const size_t named = std::min(ids.size(), kMostNamed);
  std::string text = absl::StrCat(ids.size(), " ", kind, ids.size() == 1 ? " (" : "s (",
                                  absl::StrJoin(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(named), ", "));
  if (named < ids.size()) absl::StrAppend(&text, " and ", ids.size() - named, " more");
  return text + ")";
}

absl::Status CheckUsable(const Split& split, const std::vector<std::string>& deleted_datasets) {
  Violations violations;
  if (split.delete_ms != 0) {
    violations.Add("split", absl::StrCat("split ", split.id, " is deleted; undelete it, or take another"));
    return WithReason(ToPrecondition(violations.ToStatus()), "SPLIT_DELETED", {{"split", split.id}});
  }
  if (deleted_datasets.empty()) return absl::OkStatus();
  violations.Add("split", absl::StrCat("split ", split.id, " draws on ", Named("deleted dataset", deleted_datasets),
                                       "; undelete what is deleted, or take another split"));
  return WithReason(ToPrecondition(violations.ToStatus()), "DATASET_DELETED",
                    {{"split", split.id}, {"datasets", absl::StrJoin(deleted_datasets, ",")}});
}

absl::Status NameTaken(const char* kind, const std::string& id, bool deleted) {
  if (!deleted) return absl::AlreadyExistsError(absl::StrCat(kind, " ", id, " exists"));
  return WithReason(absl::AlreadyExistsError(absl::StrCat(
                        kind, " ", id, " exists and is deleted; undelete it, or purge it to free its name")),
                    "DELETED", {{kind, id}});
}

absl::Status NotPurgeable(const char* kind, const std::string& id) {
  return WithReason(
      absl::FailedPreconditionError(absl::StrCat(kind, " ", id, " is not deleted; only a deleted one can be purged")),
      "NOT_DELETED", {{kind, id}});
}

absl::Status NotDeleted(const char* kind, const std::string& id) {
  return WithReason(absl::AlreadyExistsError(absl::StrCat(kind, " ", id, " is not deleted")), "NOT_DELETED",
                    {{kind, id}});
}

}  // namespace gradeline
