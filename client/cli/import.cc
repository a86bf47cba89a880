// import dataset: reads annotations on this side, checks them, and streams the items to the server.
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/import_coco.h"
#include "client/cli/import_csv.h"
#include "client/cli/import_folder.h"
#include "client/cli/import_idx.h"
#include "client/cli/import_send.h"
#include "client/cli/progress.h"
#include "client/cli/resources.h"

namespace gradeline::cli {
namespace {

struct ImportArguments {
  std::string name, format, from, classes, subset;
};

absl::StatusOr<std::vector<std::string>> NamedClasses(const ImportArguments& arguments) {
  std::vector<std::string> out;
  if (arguments.classes.empty()) return out;
  if (arguments.format != "idx" && arguments.format != "csv") {
    return UsageError(absl::StrCat("--classes goes with --format idx and csv; with ", arguments.format,
                                   " the classes are those of the data"));
  }
  out = absl::StrSplit(arguments.classes, ',');
  const std::set<std::string> distinct(out.begin(), out.end());
  if (distinct.size() != out.size() || distinct.contains("")) {
    return absl::InvalidArgumentError(absl::StrCat("--classes is \"", arguments.classes,
                                                   "\", must be names without repetition, separated by commas"));
  }
  return out;
}

// Reads a file as a stream and shows how far it has come.
absl::StatusOr<Findings> ReadFile(const std::string& path, Context& context,
                                  const std::function<absl::StatusOr<Findings>(ByteSource*)>& read) {
  std::error_code unknown;
  const auto size = std::filesystem::file_size(path, unknown);
  Progress progress(context.err, absl::StrCat("reading ", path), unknown ? 0 : static_cast<int64_t>(size));
  const auto source = OpenSource(path, [&progress](int64_t done) { progress.At(done); });
  return source.ok() ? read(source->get()) : absl::StatusOr<Findings>(source.status());
}

absl::StatusOr<Findings> Read(Context& context, const ImportArguments& arguments) {
  const absl::StatusOr<std::vector<std::string>> classes = NamedClasses(arguments);
  if (!classes.ok()) return classes.status();
  absl::StatusOr<Findings> found;
  if (arguments.format == "idx") {
    found = ReadIdxFolder(arguments.from, *classes);
  } else if (arguments.format == "folder") {
    found = ReadFolder(arguments.from);
  } else if (arguments.format == "csv") {
    found = ReadFile(arguments.from, context, [&](ByteSource* source) { return ReadCsv(source, *classes); });
  } else if (arguments.format == "coco") {
    found = ReadFile(arguments.from, context, ReadCoco);
  } else {
    return UsageError(absl::StrCat("--format is \"", arguments.format, "\", allowed are coco, csv, folder, idx"));
  }
  if (!found.ok()) {
    return absl::Status(found.status().code(), absl::StrCat("--from ", arguments.from, ": ", found.status().message()));
  }
  for (v1::Item& item : found->items) {
    if (item.subset().empty()) item.set_subset(arguments.subset);
  }
  return found;
}

// Ids of the datasets of this content.
absl::StatusOr<std::vector<std::string>> TwinsOf(Context& context, const v1::Dataset& dataset) {
  v1::ListDatasetsRequest request;
  request.set_fingerprint(dataset.fingerprint());
  v1::ListDatasetsResponse response;
  const absl::Status status =
      context.CallAllPages(&client::Connection::datasets, &v1::DatasetService::Stub::ListDatasets, request, &response);
  if (!status.ok()) return status;
  std::vector<std::string> ids;
  for (const v1::Dataset& twin : response.datasets()) {
    if (twin.name() != dataset.name()) ids.emplace_back(IdOf(twin.name()));
  }
  return ids;
}

absl::Status Import(Context& context, const ImportArguments& arguments) {
  absl::StatusOr<Findings> found = Read(context, arguments);
  if (!found.ok()) return found.status();
  for (const std::string& note : found->notes) context.err << note << '\n';
  v1::Dataset header, before, made;
  header.set_name(ResourceName("datasets", arguments.name));
  header.set_source(absl::StrCat(arguments.format, ":", arguments.from));
  v1::GetDatasetRequest get;
  get.set_name(header.name());
  // Whether the answer is the dataset that was there already.
  const bool there =
      context.Call(&client::Connection::datasets, &v1::DatasetService::Stub::GetDataset, get, &before).ok();
  if (absl::Status status = SendDataset(context, std::move(header), *std::move(found), &made); !status.ok()) {
    return status;
  }
  if (there) context.err << "dataset " << arguments.name << " has this content already; nothing was imported\n";
  const absl::StatusOr<std::vector<std::string>> twins = TwinsOf(context, made);
  if (!twins.ok()) return twins.status();
  if (!twins->empty()) context.err << "the same content has dataset " << absl::StrJoin(*twins, ", ") << '\n';
  PrintOne(made, LookOf("dataset"), context.form, false, context.out);
  if (context.form == OutputForm::kTable) PrintCounts(made, context.out);
  return absl::OkStatus();
}

}  // namespace

void AddImport(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("import", "Register data");
  verb->require_subcommand(1);
  CLI::App* dataset = verb->add_subcommand("dataset", "Register items with their labels; pixels stay where they are");
  dataset->alias("datasets");
  const auto arguments = std::make_shared<ImportArguments>();
  dataset->add_option("NAME", arguments->name, "name of the dataset")->required();
  dataset
      ->add_option(
          "--format", arguments->format,
          "coco: a JSON file with images, annotations, categories; csv: a file whose header names path, label or "
          "labels, and, if wanted, group, tags, subset, labels and tags separated by semicolons; folder: a "
          "folder of images for each class, below train, val, test if wanted; idx: a folder of MNIST's files")
      ->required();
  dataset
      ->add_option("--from", arguments->from,
                   "the file or folder; files may be compressed with gzip, - is standard input")
      ->required();
  dataset->add_option(
      "--classes", arguments->classes,
      "with idx, names of the classes, separated by commas; with csv, those that are allowed, in order");
  dataset->add_option("--subset", arguments->subset, "subset of the items that the data gives none");
  dataset->footer(R"(Every broken row is told, and nothing is imported then. The same content again is recognised.
Example: gradeline import dataset fashion --format idx --from /usr/share/datasets/fashion-mnist)");
  dataset->callback(
      [&context, arguments] { context.action = [&context, arguments] { return Import(context, *arguments); }; });
}

}  // namespace gradeline::cli
