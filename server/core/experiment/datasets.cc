// Experiments' verbs on datasets.
#include <algorithm>
#include <set>

#include "absl/strings/str_join.h"
#include "server/core/experiment/dataset.h"
#include "server/core/experiment/impl.h"
#include "server/core/experiment/users.h"

namespace gradeline {
namespace {

constexpr size_t kMostItemViolations = 10;

absl::Status CheckImport(const Dataset& dataset, const std::vector<Item>& items) {
  Violations violations;
  violations.Merge("", CheckDataset(dataset));
  if (items.empty()) violations.Add("items", "is empty, at least one item is needed");
  const size_t most = violations.list().size() + kMostItemViolations;
  for (size_t i = 0; i < items.size() && violations.list().size() < most; ++i) {
    CheckItem(items[i], dataset, violations);
  }
  return violations.ToStatus();
}

// What an import finds under its name: the same content is its answer.
absl::StatusOr<Dataset> Found(Dataset there, const Dataset& imported) {
  if (there.delete_ms != 0) return NameTaken("dataset", there.id, true);
  if (there.fingerprint == imported.fingerprint) return there;
  return absl::AlreadyExistsError(absl::StrCat("dataset ", there.id, " exists, with other content"));
}

// The refusal of a deletion, with what it would break.
absl::Status InUse(Transaction& store, const std::string& id, const std::vector<std::string>& splits, bool purge) {
  GRADELINE_ASSIGN_OR_RETURN(const auto experiments, store.ListExperimentsOver(id));
  std::string text = absl::StrCat("dataset ", id, " is used by ", Named("split", splits));
  if (!experiments.empty()) absl::StrAppend(&text, " and, through them, by ", Named("experiment", experiments));
  absl::StrAppend(&text, purge ? "; their items would be lost: delete those first"
                               : "; with force it is deleted all the same, and its items stay for them");
  return WithReason(
      absl::FailedPreconditionError(text), "DATASET_IN_USE",
      {{"dataset", id}, {"splits", absl::StrCat(splits.size())}, {"experiments", absl::StrCat(experiments.size())}});
}

}  // namespace

absl::StatusOr<Dataset> ShownDataset(absl::StatusOr<Dataset> dataset, bool show_deleted) {
  if (!dataset.ok() || show_deleted || dataset->delete_ms == 0) return dataset;
  return WithReason(absl::NotFoundError(absl::StrCat("dataset ", dataset->id, " is deleted")), "DATASET_DELETED",
                    {{"dataset", dataset->id}});
}

absl::StatusOr<Dataset> Experiments::ImportDataset(Dataset dataset, std::vector<Item> items,
                                                   const std::string& request_id) {
  for (size_t i = 0; i < items.size(); ++i) items[i].index = static_cast<int64_t>(i);
  GRADELINE_RETURN_IF_ERROR(CheckImport(dataset, items));
  GRADELINE_RETURN_IF_ERROR(DescribeItems(items, dataset));
  dataset.create_ms = 0;
  dataset.delete_ms = 0;
  const Digest digest = DigestOf("ImportDataset", Encode(dataset));
  return impl_->WriteOnce<Dataset>(Command::kAlone, request_id, digest, [&](Group& group) -> absl::StatusOr<Dataset> {
    absl::StatusOr<Dataset> there = group.store().GetDataset(dataset.id);
    if (there.ok()) return Found(*std::move(there), dataset);
    if (!absl::IsNotFound(there.status())) return there.status();
    dataset.create_ms = group.now_ms();
    GRADELINE_RETURN_IF_ERROR(group.store().InsertDataset(dataset, items));
    return dataset;
  });
}

absl::StatusOr<Dataset> Experiments::GetDataset(const std::string& id, bool show_deleted) const {
  return ShownDataset(impl_->store->GetDataset(id), show_deleted);
}

absl::StatusOr<Page<Dataset>> Experiments::ListDatasets(int page_size, const std::string& after,
                                                        const DatasetFilter& filter) const {
  return MakePage<Dataset>(
      page_size, [&](int limit) { return impl_->store->ListDatasets(limit, after, filter); },
      [](const Dataset& dataset) { return dataset.id; });
}

absl::StatusOr<Dataset> Experiments::DeleteDataset(const std::string& id, DeleteHow how) {
  return impl_->Write<Dataset>(Command::kAlone, [&](Group& group) -> absl::StatusOr<Dataset> {
    GRADELINE_ASSIGN_OR_RETURN(Dataset dataset, ShownDataset(group.store().GetDataset(id), how.purge));
    GRADELINE_ASSIGN_OR_RETURN(const auto splits, group.store().ListSplitsOf(id));
    if (!splits.empty() && (how.purge || !how.force)) return InUse(group.store(), id, splits, how.purge);
    if (how.purge) {
      if (dataset.delete_ms == 0) return NotPurgeable("dataset", id);
      GRADELINE_RETURN_IF_ERROR(group.store().RemoveDataset(id));
      return dataset;
    }
    dataset.delete_ms = std::max<int64_t>(group.now_ms(), 1);  // 0 would mean: not deleted
    GRADELINE_RETURN_IF_ERROR(group.store().MarkDataset(id, dataset.delete_ms));
    return dataset;
  });
}

absl::StatusOr<Dataset> Experiments::UndeleteDataset(const std::string& id) {
  return impl_->Write<Dataset>(Command::kAlone, [&](Group& group) -> absl::StatusOr<Dataset> {
    GRADELINE_ASSIGN_OR_RETURN(Dataset dataset, group.store().GetDataset(id));
    if (dataset.delete_ms == 0) return NotDeleted("dataset", id);
    GRADELINE_RETURN_IF_ERROR(group.store().MarkDataset(id, 0));
    dataset.delete_ms = 0;
    return dataset;
  });
}

}  // namespace gradeline
