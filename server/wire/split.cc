#include "server/wire/split.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "server/wire/dataset.h"

namespace gradeline {

namespace {

constexpr std::array<double, 3> kDefaultPercent = {70, 10, 20};

// "datasets/{d}", one in `dataset` or any number in `datasets`.
void TakeDatasets(const v1::Split& proto, Split& split, Violations* violations) {
  if (proto.datasets().empty()) {
    split.datasets = {IdFromName("dataset", "datasets", proto.dataset(), violations)};
    return;
  }
  if (!proto.dataset().empty()) violations->Add("dataset", "is given beside `datasets`; allowed: one of the two");
  for (int i = 0; i < proto.datasets_size(); ++i) {
    split.datasets.push_back(IdFromName(absl::StrCat("datasets[", i, "]"), "datasets", proto.datasets(i), violations));
  }
}

void TakeShares(const v1::Split& proto, Split& split, Violations* violations) {
  for (int i = 0; i < proto.dataset_shares_size(); ++i) {
    const v1::DatasetShare& share = proto.dataset_shares(i);
    const std::string field = absl::StrCat("datasetShares[", i, "]");
    const absl::StatusOr<Phase> part = PartFromProto(share.part());
    violations->Merge(field, part.status());
    split.shares.push_back({IdFromName(field + ".dataset", "datasets", share.dataset(), violations),
                            part.value_or(Phase::kTrain), share.percent() == 0 ? 100 : share.percent()});
  }
}

}  // namespace

Split SplitFromProto(const v1::Split& proto, Violations* violations) {
  Split split;
  split.id = IdFromName("name", "splits", proto.name(), violations);
  TakeDatasets(proto, split, violations);
  split.task = proto.task();
  if (proto.strategy() > v1::SPLIT_STRATEGY_UNSPECIFIED && v1::SplitStrategy_IsValid(proto.strategy())) {
    split.strategy = static_cast<SplitStrategy>(proto.strategy());
  } else {
    violations->Add("strategy",
                    absl::StrCat(static_cast<int>(proto.strategy()),
                                 " is no strategy; allowed: SPLIT_STRATEGY_RANDOM, "
                                 "SPLIT_STRATEGY_STRATIFIED, SPLIT_STRATEGY_GROUP, SPLIT_STRATEGY_DATASET"));
  }
  split.percent = {proto.train_percent(), proto.validation_percent(), proto.test_percent()};
  if (split.percent == std::array<double, 3>{}) split.percent = kDefaultPercent;
  split.seed = proto.seed();
  split.classes.assign(proto.classes().begin(), proto.classes().end());
  split.tags.assign(proto.tags().begin(), proto.tags().end());
  split.subsets.assign(proto.subsets().begin(), proto.subsets().end());
  TakeShares(proto, split, violations);
  return split;
}

v1::Split ToProto(const Split& split) {
  v1::Split proto;
  proto.set_name(absl::StrCat("splits/", split.id));
  for (const std::string& dataset : split.datasets) {
    *(split.datasets.size() == 1 ? proto.mutable_dataset() : proto.add_datasets()) = absl::StrCat("datasets/", dataset);
  }
  proto.set_task(split.task);
  proto.set_strategy(static_cast<v1::SplitStrategy>(split.strategy));
  proto.set_train_percent(split.percent[0]);
  proto.set_validation_percent(split.percent[1]);
  proto.set_test_percent(split.percent[2]);
  proto.set_seed(split.seed);
  proto.set_train_count(split.count[0]);
  proto.set_validation_count(split.count[1]);
  proto.set_test_count(split.count[2]);
  *proto.mutable_create_time() = TimestampOf(split.create_ms);
  proto.mutable_classes()->Assign(split.classes.begin(), split.classes.end());
  proto.mutable_tags()->Assign(split.tags.begin(), split.tags.end());
  proto.mutable_subsets()->Assign(split.subsets.begin(), split.subsets.end());
  for (const DatasetShare& share : split.shares) {
    v1::DatasetShare& to = *proto.add_dataset_shares();
    to.set_dataset(absl::StrCat("datasets/", share.dataset));
    to.set_part(static_cast<v1::Part>(share.part));
    to.set_percent(share.percent);
  }
  proto.set_fingerprint(split.fingerprint);
  for (const ClassBalance& balance : split.class_balance) {
    v1::ClassBalance& to = *proto.add_class_balance();
    to.set_class_name(balance.name);
    to.set_train_count(balance.count[0]);
    to.set_validation_count(balance.count[1]);
    to.set_test_count(balance.count[2]);
  }
  for (const SplitWarning& warning : split.warnings) {
    v1::SplitWarning& to = *proto.add_warnings();
    to.set_reason(warning.reason);
    to.set_message(warning.text);
  }
  proto.mutable_class_names()->Assign(split.class_names.begin(), split.class_names.end());
  if (split.delete_ms != 0) *proto.mutable_delete_time() = TimestampOf(split.delete_ms);
  return proto;
}

absl::StatusOr<Phase> PartFromProto(v1::Part part) {
  if (part >= v1::PART_TRAIN && part <= v1::PART_TEST) return static_cast<Phase>(part);
  Violations violations;
  violations.Add(
      "part", absl::StrCat(static_cast<int>(part), " is no part; allowed: PART_TRAIN, PART_VALIDATION, ", "PART_TEST"));
  return violations.ToStatus();
}

}  // namespace gradeline
