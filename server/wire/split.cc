#include "server/wire/split.h"

#include "absl/strings/str_cat.h"
#include "server/wire/dataset.h"

namespace gradeline {

Split SplitFromProto(const v1::Split& proto, Violations* violations) {
  Split split;
  split.id = IdFromName("name", "splits", proto.name(), violations);
  split.dataset = IdFromName("dataset", "datasets", proto.dataset(), violations);
  split.task = proto.task();
  if (proto.strategy() == v1::SPLIT_STRATEGY_RANDOM || proto.strategy() == v1::SPLIT_STRATEGY_STRATIFIED) {
    split.strategy = static_cast<SplitStrategy>(proto.strategy());
  } else {
    violations->Add("strategy",
                    absl::StrCat(static_cast<int>(proto.strategy()),
                                 " is no strategy; allowed: SPLIT_STRATEGY_RANDOM, SPLIT_STRATEGY_STRATIFIED"));
  }
  split.percent = {proto.train_percent(), proto.validation_percent(), proto.test_percent()};
  split.seed = proto.seed();
  return split;
}

v1::Split ToProto(const Split& split) {
  v1::Split proto;
  proto.set_name(absl::StrCat("splits/", split.id));
  proto.set_dataset(absl::StrCat("datasets/", split.dataset));
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
