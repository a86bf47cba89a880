// See import_send.h.
#include "client/cli/import_send.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/output.h"
#include "client/cli/progress.h"

namespace gradeline::cli {
namespace {

constexpr int kItemsPerMessage = 4096;
constexpr int64_t kBytesPerMessage = int64_t{4} << 20;  // where items are long
constexpr int kMostRows = 200;                          // of a table for people

}  // namespace

absl::Status SendDataset(Context& context, v1::Dataset header, Findings found, v1::Dataset* made) {
  auto connection = context.Connect();
  if (!connection.ok()) return connection.status();
  header.mutable_classes()->Assign(found.classes.begin(), found.classes.end());
  header.set_multi_label(found.multi_label);
  grpc::ClientContext call;
  call.set_deadline(context.Deadline(absl::Minutes(10)));
  const auto writer = (*connection)->datasets().ImportDataset(&call, made);
  Progress progress(context.err, "sending items", static_cast<int64_t>(found.items.size()));
  v1::ImportDatasetRequest message;
  *message.mutable_header()->mutable_dataset() = std::move(header);
  message.mutable_header()->set_request_id(RandomUuid());
  bool open = writer->Write(message);
  for (size_t i = 0; open && i < found.items.size();) {
    message.Clear();
    int64_t bytes = 0;
    auto& items = *message.mutable_items();
    while (i < found.items.size() && items.items_size() < kItemsPerMessage && bytes < kBytesPerMessage) {
      bytes += static_cast<int64_t>(found.items[i].ByteSizeLong());
      *items.add_items() = std::move(found.items[i++]);
    }
    open = writer->Write(message);
    progress.At(static_cast<int64_t>(i));
  }
  message.mutable_end();
  if (open) writer->WriteLast(message, grpc::WriteOptions());
  return context.Explained(client::StatusFromGrpc(writer->Finish()));
}

void PrintCounts(const v1::Dataset& dataset, std::ostream& out) {
  std::vector<std::vector<std::string>> rows;
  for (const v1::ClassCount& count : dataset.class_counts()) {
    if (rows.size() == kMostRows) {
      rows.push_back({absl::StrCat("... and ", dataset.class_counts_size() - kMostRows, " more"), "", ""});
      break;
    }
    rows.push_back({count.class_(), absl::StrCat(count.items()), absl::StrCat(count.annotations())});
  }
  if (!rows.empty()) out << '\n';
  PrintTable({"CLASS", "ITEMS", "ANNOTATIONS"}, rows, out);
  rows.clear();
  for (const v1::SubsetCount& count : dataset.subset_counts())
    rows.push_back({count.subset(), absl::StrCat(count.items())});
  if (!rows.empty()) out << '\n';
  PrintTable({"SUBSET", "ITEMS"}, rows, out);
}

}  // namespace gradeline::cli
