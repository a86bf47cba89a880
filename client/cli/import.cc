// import dataset: reads labels on this side, checks them, and streams the items to the server.
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/idx.h"
#include "client/cli/resources.h"

namespace gradeline::cli {
namespace {

constexpr int kItemsPerMessage = 4096;

struct ImportArguments {
  std::string name, format, from, classes;
};

// Items of all pairs, one after another.
absl::StatusOr<std::vector<v1::Item>> ReadIdxItems(const std::string& folder, Context& context) {
  absl::StatusOr<std::vector<IdxPair>> pairs = FindIdxPairs(folder);
  if (!pairs.ok()) return pairs.status();
  std::vector<v1::Item> out;
  for (const IdxPair& pair : *pairs) {
    absl::StatusOr<std::vector<uint8_t>> labels = ReadIdxLabels(pair.labels_path);
    if (!labels.ok()) return labels.status();
    absl::StatusOr<int64_t> images = CountIdxImages(pair.images_path);
    if (!images.ok()) return images.status();
    if (*images != static_cast<int64_t>(labels->size())) {
      return absl::InvalidArgumentError(absl::StrCat(pair.images_path, ": it has ", *images, " images, but ",
                                                     pair.labels_path, " has ", labels->size(), " labels"));
    }
    for (size_t i = 0; i < labels->size(); ++i) {
      v1::Item& item = out.emplace_back();
      item.set_uri(absl::StrCat(pair.images_file, "#", i));
      item.set_label((*labels)[i]);
    }
    context.err << "read " << pair.images_file << ": " << *images << " images\n";
  }
  return out;
}

// The classes that were named, or "0", "1" ... up to the greatest label.
absl::StatusOr<std::vector<std::string>> ClassesFor(const std::string& given, const std::vector<v1::Item>& items) {
  std::vector<std::string> out;
  if (!given.empty()) out = absl::StrSplit(given, ',');
  const std::set<std::string> distinct(out.begin(), out.end());
  if (distinct.size() != out.size() || distinct.contains("")) {
    return absl::InvalidArgumentError(
        absl::StrCat("--classes is \"", given, "\", must be names without repetition, separated by commas"));
  }
  for (const v1::Item& item : items) {
    if (!given.empty() && item.label() >= static_cast<int>(out.size())) {
      return absl::InvalidArgumentError(absl::StrCat(item.uri(), ": its label is ", item.label(),
                                                     ", but --classes names ", out.size(),
                                                     " classes, so allowed are 0 to ", out.size() - 1));
    }
    while (given.empty() && item.label() >= static_cast<int>(out.size())) out.push_back(absl::StrCat(out.size()));
  }
  return out;
}

absl::Status Send(Context& context, const v1::Dataset& header, std::vector<v1::Item> items, v1::Dataset* made) {
  auto connection = context.Connect();
  if (!connection.ok()) return connection.status();
  grpc::ClientContext call;
  call.set_deadline(context.Deadline(absl::Minutes(10)));
  const auto writer = (*connection)->datasets().ImportDataset(&call, made);
  v1::ImportDatasetRequest message;
  *message.mutable_header()->mutable_dataset() = header;
  message.mutable_header()->set_request_id(RandomUuid());
  bool open = writer->Write(message);
  for (size_t i = 0; open && i < items.size();) {
    message.Clear();
    for (; i < items.size() && message.items().items_size() < kItemsPerMessage; ++i) {
      *message.mutable_items()->add_items() = std::move(items[i]);
    }
    open = writer->Write(message);
  }
  message.mutable_end();
  if (open) writer->WriteLast(message, grpc::WriteOptions());
  return context.Explained(client::StatusFromGrpc(writer->Finish()));
}

absl::Status Import(Context& context, const ImportArguments& arguments) {
  if (arguments.format != "idx") {
    return UsageError(absl::StrCat("--format is \"", arguments.format, "\", allowed is idx"));
  }
  absl::StatusOr<std::vector<v1::Item>> items = ReadIdxItems(arguments.from, context);
  if (!items.ok()) return items.status();
  absl::StatusOr<std::vector<std::string>> classes = ClassesFor(arguments.classes, *items);
  if (!classes.ok()) return classes.status();
  v1::Dataset header, made;
  header.set_name(ResourceName("datasets", arguments.name));
  header.mutable_classes()->Assign(classes->begin(), classes->end());
  header.set_source(absl::StrCat("idx:", arguments.from));
  if (absl::Status status = Send(context, header, *std::move(items), &made); !status.ok()) return status;
  PrintOne(made, LookOf("dataset"), context.form, false, context.out);
  return absl::OkStatus();
}

}  // namespace

void AddImport(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("import", "Register data");
  verb->require_subcommand(1);
  CLI::App* dataset = verb->add_subcommand("dataset", "Register the items and labels of a folder");
  dataset->alias("datasets");
  const auto arguments = std::make_shared<ImportArguments>();
  dataset->add_option("NAME", arguments->name, "name of the dataset")->required();
  dataset->add_option("--format", arguments->format, "idx: files of MNIST's format, plain or .gz")->required();
  dataset->add_option("--from", arguments->from, "folder of the files")->required();
  dataset->add_option("--classes", arguments->classes,
                      "names of the classes, separated by commas; absent: 0, 1, 2 ...");
  dataset->footer("Example: gradeline import dataset fashion --format idx --from /usr/share/datasets/fashion-mnist");
  dataset->callback(
      [&context, arguments] { context.action = [&context, arguments] { return Import(context, *arguments); }; });
}

}  // namespace gradeline::cli
