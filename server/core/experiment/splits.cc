// Experiments' verbs on splits.
#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/core/base/ids.h"
#include "server/core/experiment/impl.h"
#include "server/core/experiment/split.h"
#include "server/core/experiment/split_gather.h"
#include "server/core/experiment/split_report.h"
#include "server/core/experiment/users.h"

namespace gradeline {
namespace {

SplitRules RulesOf(const Split& split) {
  SplitRules rules = {split.strategy, split.percent, split.seed, {}};
  rules.sources.resize(split.datasets.size());
  for (const DatasetShare& share : split.shares) {
    const auto at = std::find(split.datasets.begin(), split.datasets.end(), share.dataset) - split.datasets.begin();
    rules.sources[static_cast<size_t>(at)] = SourceShare{share.part, share.percent};
  }
  return rules;
}

// Over the parts' lists: whose contents, and which of its items.
std::string FingerprintOf(const SplitSource& source) {
  constexpr size_t kChunkBytes = 1 << 20;
  Digest digest = DigestOf("split", "");
  for (uint8_t part = 1; part <= 3; ++part) {
    std::string chunk(1, static_cast<char>(part));
    int32_t dataset = -1;
    for (const PartedItem& place : source.places) {
      if (place.part != part) continue;
      if (place.source != dataset) {
        const Dataset& of = source.datasets[static_cast<size_t>(dataset = place.source)];
        chunk += of.fingerprint.empty() ? of.id : of.fingerprint;  // from before there were fingerprints
      }
      chunk.append(reinterpret_cast<const char*>(&place.index), sizeof(place.index));
      if (chunk.size() < kChunkBytes) continue;
      digest = DigestOf(digest, chunk);
      chunk.clear();
    }
    digest = DigestOf(digest, chunk);
  }
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

// Checks everything about a split and parts its items; fills in what comes out.
absl::StatusOr<SplitSource> PartSplit(Store& store, const LossRegistry& registry, Split& split) {
  Violations violations;
  violations.Merge("name", CheckId(split.id));
  violations.Merge("task", registry.catalog().FindTask(split.task).status());
  GRADELINE_ASSIGN_OR_RETURN(SplitSource source, GatherItems(store, split, violations));
  const bool whole = source.datasets.size() == split.datasets.size();
  if (!violations.empty() || !whole) {
    violations.Merge("", CheckPercent(split.percent));
    GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
    return source;  // a dataset's name has no form, as who asked was told
  }
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<uint8_t> parts, PartItems(RulesOf(split), source.items));
  for (size_t i = 0; i < parts.size(); ++i) source.places[i].part = parts[i];
  ReportSplit(source.items, source.classes, source.content, parts, split);
  split.fingerprint = FingerprintOf(source);
  const bool differ = std::any_of(source.datasets.begin(), source.datasets.end(),
                                  [&](const Dataset& dataset) { return dataset.classes != source.classes; });
  split.class_names = differ ? source.classes : std::vector<std::string>();
  return source;
}

// Labels as a list shows them: indices into the split's classes, where it has some of its own; no label where an item
// has labels.
absl::Status ShowLabels(Store& store, const Split& split, std::vector<PlacedItem>& items) {
  struct Source {
    bool multi_label = false;
    std::vector<int32_t> numbers;  // of its classes in the split's; empty: the same
  };
  absl::flat_hash_map<std::string_view, int32_t> numbers;
  for (const std::string& name : split.class_names) numbers.emplace(name, static_cast<int32_t>(numbers.size()));
  absl::flat_hash_map<std::string, Source> sources;
  for (const std::string& id : split.datasets) {
    GRADELINE_ASSIGN_OR_RETURN(const Dataset dataset, store.GetDataset(id));
    Source& source = sources[id];
    source.multi_label = dataset.multi_label;
    if (numbers.empty()) continue;
    for (const std::string& name : dataset.classes) source.numbers.push_back(numbers[name]);
  }
  for (auto& [position, item] : items) {
    const Source& source = sources[item.dataset];
    if (!source.numbers.empty()) {
      item.label = source.numbers[static_cast<size_t>(item.label)];
      for (int32_t& label : item.labels) label = source.numbers[static_cast<size_t>(label)];
      std::sort(item.labels.begin(), item.labels.end());
    }
    if (source.multi_label) item.label = kNoLabel;
  }
  return absl::OkStatus();
}

absl::Status InUse(const std::string& id, const std::vector<std::string>& users, bool purge) {
  return WithReason(absl::FailedPreconditionError(absl::StrCat(
                        "split ", id, " is used by ", Named("experiment", users),
                        purge ? "; its lists would be lost: delete those first"
                              : "; with force it is deleted all the same, and those that run can no longer read its "
                                "items")),
                    "SPLIT_IN_USE", {{"split", id}, {"experiments", absl::StrCat(users.size())}});
}

}  // namespace

absl::StatusOr<Split> ShownSplit(absl::StatusOr<Split> split, bool show_deleted) {
  if (!split.ok() || show_deleted || split->delete_ms == 0) return split;
  return WithReason(absl::NotFoundError(absl::StrCat("split ", split->id, " is deleted")), "SPLIT_DELETED",
                    {{"split", split->id}});
}

absl::StatusOr<Split> Experiments::CreateSplit(Split split, const std::string& request_id, bool validate_only) {
  const Digest digest = DigestOf("CreateSplit", Encode(split));
  auto source = PartSplit(*impl_->store, *impl_->registry, split);
  if (validate_only) {
    GRADELINE_RETURN_IF_ERROR(source.status());
    const absl::StatusOr<Split> there = impl_->store->GetSplit(split.id);
    if (there.ok()) return NameTaken("split", there->id, there->delete_ms != 0);
    if (!absl::IsNotFound(there.status())) return there.status();
    return split;
  }
  // A repeat is answered even if the dataset is gone by now.
  return impl_->WriteOnce<Split>(Command::kAlone, request_id, digest, [&](Group& group) -> absl::StatusOr<Split> {
    GRADELINE_RETURN_IF_ERROR(source.status());
    if (const auto there = group.store().GetSplit(split.id); there.ok()) {
      return NameTaken("split", there->id, there->delete_ms != 0);
    }
    split.create_ms = group.now_ms();
    GRADELINE_RETURN_IF_ERROR(group.store().InsertSplit(split, source->datasets, source->places));
    return split;
  });
}

absl::StatusOr<Split> Experiments::GetSplit(const std::string& id, bool show_deleted) const {
  return ShownSplit(impl_->store->GetSplit(id), show_deleted);
}

absl::StatusOr<Page<Split>> Experiments::ListSplits(int page_size, const std::string& after, bool show_deleted) const {
  return MakePage<Split>(
      page_size, [&](int limit) { return impl_->store->ListSplits(limit, after, show_deleted); },
      [](const Split& split) { return split.id; });
}

absl::StatusOr<Split> Experiments::DeleteSplit(const std::string& id, DeleteHow how) {
  return impl_->Write<Split>(Command::kAlone, [&](Group& group) -> absl::StatusOr<Split> {
    GRADELINE_ASSIGN_OR_RETURN(Split split, ShownSplit(group.store().GetSplit(id), how.purge));
    GRADELINE_ASSIGN_OR_RETURN(const auto users, group.store().ListExperimentsOf(id));
    if (!users.empty() && (how.purge || !how.force)) return InUse(id, users, how.purge);
    if (how.purge) {
      if (split.delete_ms == 0) return NotPurgeable("split", id);
      GRADELINE_RETURN_IF_ERROR(group.store().RemoveSplit(id));
      return split;
    }
    split.delete_ms = std::max<int64_t>(group.now_ms(), 1);  // 0 would mean: not deleted
    GRADELINE_RETURN_IF_ERROR(group.store().UpdateSplit(split));
    return split;
  });
}

absl::StatusOr<Split> Experiments::UndeleteSplit(const std::string& id) {
  return impl_->Write<Split>(Command::kAlone, [&](Group& group) -> absl::StatusOr<Split> {
    GRADELINE_ASSIGN_OR_RETURN(Split split, group.store().GetSplit(id));
    if (split.delete_ms == 0) return NotDeleted("split", id);
    split.delete_ms = 0;
    GRADELINE_RETURN_IF_ERROR(group.store().UpdateSplit(split));
    return split;
  });
}

absl::StatusOr<Page<PlacedItem>> Experiments::ListItems(const std::string& id, Phase part, int32_t rank,
                                                        int32_t world_size, int page_size,
                                                        const std::string& after) const {
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
  GRADELINE_ASSIGN_OR_RETURN(const Split split, GetSplit(id));
  auto page = MakePage<PlacedItem>(
      page_size, [&](int limit) { return impl_->store->ListItems(id, part, rank, ranks, limit, last); },
      [](const PlacedItem& placed) { return absl::StrCat(placed.position); });
  if (page.ok()) GRADELINE_RETURN_IF_ERROR(ShowLabels(*impl_->store, split, page->items));
  return page;
}

}  // namespace gradeline
