#include "server/wire/dataset.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/core/base/ids.h"

namespace gradeline {

google::protobuf::Timestamp TimestampOf(int64_t unix_ms) {
  google::protobuf::Timestamp time;
  const int64_t seconds = (unix_ms >= 0 ? unix_ms : unix_ms - 999) / 1000;
  time.set_seconds(seconds);
  time.set_nanos(static_cast<int32_t>((unix_ms - seconds * 1000) * 1'000'000));
  return time;
}

absl::StatusOr<std::string> IdFromName(std::string_view field, std::string_view collection, std::string_view name) {
  absl::StatusOr<std::string> id = IdOfName(collection, name);
  if (id.ok()) return id;
  Violations violations;
  violations.Merge(field, id.status());
  return violations.ToStatus();
}

std::string IdFromName(std::string_view field, std::string_view collection, std::string_view name,
                       Violations* violations) {
  absl::StatusOr<std::string> id = IdFromName(field, collection, name);
  violations->Merge("", id.status());
  return id.ok() ? *std::move(id) : std::string();
}

absl::Status CheckRequestId(std::string_view field, std::string_view id) {
  if (id.empty()) return absl::OkStatus();
  bool good = id.size() == 36;
  for (size_t i = 0; good && i < id.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    good = dash ? id[i] == '-' : absl::ascii_isxdigit(static_cast<unsigned char>(id[i]));
  }
  if (good) return absl::OkStatus();
  Violations violations;
  violations.Add(std::string(field), absl::StrCat("\"", std::string(id.substr(0, 80)),
                                                  "\" is no UUID of the form 123e4567-e89b-12d3-a456-426614174000"));
  return violations.ToStatus();
}

Dataset DatasetFromProto(const v1::Dataset& proto, Violations* violations) {
  Dataset dataset;
  dataset.id = IdFromName("name", "datasets", proto.name(), violations);
  dataset.source = proto.source();
  dataset.classes.assign(proto.classes().begin(), proto.classes().end());
  dataset.multi_label = proto.multi_label();
  return dataset;
}

v1::Dataset ToProto(const Dataset& dataset) {
  v1::Dataset proto;
  proto.set_name(absl::StrCat("datasets/", dataset.id));
  proto.mutable_classes()->Assign(dataset.classes.begin(), dataset.classes.end());
  proto.set_source(dataset.source);
  proto.set_item_count(dataset.item_count);
  *proto.mutable_create_time() = TimestampOf(dataset.create_ms);
  proto.set_multi_label(dataset.multi_label);
  proto.set_fingerprint(dataset.fingerprint);
  for (size_t i = 0; i < dataset.class_counts.size() && i < dataset.classes.size(); ++i) {
    v1::ClassCount* count = proto.add_class_counts();
    count->set_class_(dataset.classes[i]);
    count->set_items(dataset.class_counts[i].items);
    count->set_annotations(dataset.class_counts[i].annotations);
  }
  for (const SubsetCount& subset : dataset.subset_counts) {
    v1::SubsetCount* count = proto.add_subset_counts();
    count->set_subset(subset.subset);
    count->set_items(subset.items);
  }
  if (dataset.delete_ms != 0) *proto.mutable_delete_time() = TimestampOf(dataset.delete_ms);
  return proto;
}

Item ItemFromProto(const v1::Item& proto, int64_t index) {
  Item item{index, proto.uri(), proto.label()};
  item.labels.assign(proto.labels().begin(), proto.labels().end());
  item.group = proto.group();
  item.tags.assign(proto.tags().begin(), proto.tags().end());
  item.subset = proto.subset();
  return item;
}

v1::Item ToProto(const Item& item, bool full) {
  v1::Item proto;
  proto.set_index(item.index);
  if (item.label != kNoLabel) proto.set_label(item.label);
  proto.mutable_labels()->Assign(item.labels.begin(), item.labels.end());
  if (!item.dataset.empty()) proto.set_dataset(absl::StrCat("datasets/", item.dataset));
  if (!full) return proto;
  proto.set_uri(item.uri);
  proto.set_group(item.group);
  proto.mutable_tags()->Assign(item.tags.begin(), item.tags.end());
  proto.set_subset(item.subset);
  return proto;
}

}  // namespace gradeline
