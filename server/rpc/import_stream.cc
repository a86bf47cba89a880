#include "server/rpc/import_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/experiment/dataset.h"
#include "server/wire/dataset.h"
#include "server/wire/status.h"

namespace gradeline {
namespace {

constexpr int64_t kMostBytes = int64_t{1} << 30;  // of items in memory
constexpr size_t kMostViolations = 100;

int64_t BytesOf(const Item& item) {
  size_t bytes = sizeof(Item) + item.uri.size() + item.labels.size() * sizeof(item.labels[0]) + item.group.size() +
                 item.subset.size();
  for (const std::string& tag : item.tags) bytes += sizeof(tag) + tag.size();
  return static_cast<int64_t>(bytes);
}

}  // namespace

ImportStream* ImportStream::Open(Experiments* experiments, Calls* calls, v1::Dataset* response) {
  auto* stream = new ImportStream(experiments, calls, response);
  stream->StartRead(&stream->message_);
  return stream;
}

ImportStream::ImportStream(Experiments* experiments, Calls* calls, v1::Dataset* response)
    : experiments_(experiments),
      calls_(calls),
      timer_(calls->Timer("DatasetService/ImportDataset")),
      response_(response) {}

void ImportStream::OnReadDone(bool ok) {
  if (finished_) return;
  absl::Status status;
  if (ok) {
    status = calls_->CheckSize(static_cast<int64_t>(message_.ByteSizeLong()));
    if (status.ok()) status = Take(message_);
    if (status.ok() && !end_seen_) return StartRead(&message_);
  } else if (!header_seen_) {
    violations_.Add("header", "is missing: it is the first message of an import");
  } else {
    // A call that was cancelled or lost its connection looks the same as one that its client ended here.
    violations_.Add("end", "is missing: it is the last message of an import; nothing was kept");
  }
  if (status.ok()) status = violations_.ToStatus();
  finished_ = true;
  if (!status.ok()) return Finish(timer_.End(status));
  calls_->pool().Post([this] {
    absl::StatusOr<v1::Dataset> dataset = Import();
    const absl::Status imported = dataset.status();
    if (imported.ok()) *response_ = *std::move(dataset);
    Finish(timer_.End(imported));
  });
}

absl::Status ImportStream::Take(const v1::ImportDatasetRequest& message) {
  const bool header = message.part_case() == v1::ImportDatasetRequest::kHeader;
  Violations violations;
  if (header == std::exchange(header_seen_, true)) {
    violations.Add("header", header ? "comes twice: only the first message has it"
                                    : "is missing: it is the first message of an import");
    return violations.ToStatus();
  }
  if (message.part_case() == v1::ImportDatasetRequest::PART_NOT_SET) {
    violations.Add("part", "is missing in a message; allowed: items, or end in the last one");
    return violations.ToStatus();
  }
  if (message.has_items()) return TakeItems(message.items());
  if (header) {
    TakeHeader(message.header());
  } else {
    end_seen_ = true;
    if (next_index_ == 0) violations_.Add("items", "is empty; allowed: at least one item");
  }
  return absl::OkStatus();
}

void ImportStream::TakeHeader(const v1::ImportDatasetRequest::Header& header) {
  Violations form;
  dataset_ = DatasetFromProto(header.dataset(), &form);
  form.MergeRest("", CheckDataset(*dataset_));
  violations_.Merge("header.dataset", form.ToStatus());
  violations_.Merge("", CheckRequestId("header.requestId", header.request_id()));
  request_id_ = header.request_id();
}

absl::Status ImportStream::TakeItems(const v1::ImportDatasetRequest::Items& items) {
  for (const v1::Item& proto : items.items()) {
    Item item = ItemFromProto(proto, next_index_);
    CheckItem(item, *dataset_, violations_);
    if (violations_.list().size() >= kMostViolations) return violations_.ToStatus();
    bytes_ += BytesOf(item);
    if (violations_.empty()) items_.push_back(std::move(item));
    ++next_index_;
  }
  if (bytes_ <= kMostBytes) return absl::OkStatus();
  return WithReason(absl::ResourceExhaustedError(absl::StrCat("the import has more than ", kMostBytes,
                                                              " bytes of items, at item ", next_index_)),
                    "IMPORT_TOO_LARGE", {{"limit", absl::StrCat(kMostBytes)}});
}

absl::StatusOr<v1::Dataset> ImportStream::Import() {
  const auto imported = experiments_->ImportDataset(*std::move(dataset_), std::move(items_), request_id_);
  if (!imported.ok()) return imported.status();
  return ToProto(*imported);
}

}  // namespace gradeline
