// Experiments' verbs on splits, and on all that is stored.
#include <algorithm>

#include "absl/strings/numbers.h"
#include "server/core/base/ids.h"
#include "server/core/experiment/impl.h"
#include "server/core/experiment/split.h"

namespace gradeline {
namespace {

// Checks everything about a split; fills its counts and gives each item's part.
absl::StatusOr<std::vector<uint8_t>> PartSplit(Store& store, const LossRegistry& registry, Split& split) {
  Violations violations;
  violations.Merge("name", CheckId(split.id));
  violations.Merge("task", registry.catalog().FindTask(split.task).status());
  std::vector<int32_t> labels;
  absl::Status scanned = ShownDataset(store.GetDataset(split.dataset), false).status();
  if (scanned.ok()) {
    scanned = store.ScanItems(split.dataset, [&labels](const Item& item) { labels.push_back(item.label); });
  }
  if (!scanned.ok() && !absl::IsNotFound(scanned)) return scanned;
  std::vector<uint8_t> parts;
  if (scanned.ok()) {
    absl::StatusOr<std::vector<uint8_t>> parted = PartItems(split.strategy, split.percent, split.seed, labels);
    violations.Merge("", parted.status());
    if (parted.ok()) parts = *std::move(parted);
  } else {
    violations.Merge("dataset", absl::InvalidArgumentError(scanned.message()));
    violations.Merge("", CheckPercent(split.percent));
  }
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  split.count = {};
  for (const uint8_t part : parts) ++split.count[part - 1];
  return parts;
}

}  // namespace

absl::StatusOr<Split> Experiments::CreateSplit(Split split, const std::string& request_id, bool validate_only) {
  split.create_ms = 0;
  split.count = {};
  const Digest digest = DigestOf("CreateSplit", Encode(split));
  const auto parts = PartSplit(*impl_->store, *impl_->registry, split);
  if (validate_only) {
    GRADELINE_RETURN_IF_ERROR(parts.status());
    if (impl_->store->GetSplit(split.id).ok()) {
      return absl::AlreadyExistsError(absl::StrCat("split ", split.id, " exists"));
    }
    return split;
  }
  // A repeat is answered even if the dataset is gone by now.
  return impl_->WriteOnce<Split>(Command::kAlone, request_id, digest, [&](Group& group) -> absl::StatusOr<Split> {
    GRADELINE_RETURN_IF_ERROR(parts.status());
    split.create_ms = group.now_ms();
    GRADELINE_RETURN_IF_ERROR(group.store().InsertSplit(split, *parts));
    return split;
  });
}

absl::StatusOr<Split> Experiments::GetSplit(const std::string& id) const { return impl_->store->GetSplit(id); }

absl::StatusOr<Page<Split>> Experiments::ListSplits(int page_size, const std::string& after) const {
  return MakePage<Split>(
      page_size, [&](int limit) { return impl_->store->ListSplits(limit, after); },
      [](const Split& split) { return split.id; });
}

absl::StatusOr<Page<Item>> Experiments::ListItems(const std::string& split, Phase part, int32_t rank,
                                                  int32_t world_size, int page_size, const std::string& after) const {
  Violations violations;
  const int32_t ranks = std::max(world_size, 1);
  if (world_size < 0) {
    violations.Add("worldSize", absl::StrCat(world_size, " is negative; allowed: 0 (all items) and above"));
  } else if (rank < 0 || rank >= ranks) {
    violations.Add("rank", absl::StrCat(rank, "; allowed: 0 to ", ranks - 1));
  }
  int64_t last = -1;
  if (!after.empty() && !absl::SimpleAtoi(after, &last)) {
    violations.Add("pageToken", absl::StrCat("\"", after, "\" is not a page token"));
  }
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  GRADELINE_RETURN_IF_ERROR(impl_->store->GetSplit(split).status());
  return MakePage<Item>(
      page_size, [&](int limit) { return impl_->store->ListItems(split, part, rank, ranks, limit, last); },
      [](const Item& item) { return absl::StrCat(item.index); });
}

absl::StatusOr<std::unique_ptr<Snapshot>> Experiments::TakeSnapshot(const std::function<bool()>& go_on) const {
  return impl_->store->TakeSnapshot(go_on);
}

}  // namespace gradeline
