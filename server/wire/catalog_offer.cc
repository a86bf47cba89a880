#include "server/wire/catalog_offer.h"

#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "server/wire/catalog_params.h"

namespace gradeline {
namespace {

namespace pb = config::v1;

constexpr char kTrainingFile[] = "training.yaml";

template <typename Message>
ChoiceInfo ToChoice(const Parsed<Message>& source, Violations& violations) {
  const Message& from = source.message;
  ChoiceInfo choice;
  choice.id = from.id();
  choice.title = from.title();
  choice.doc = from.help();
  choice.link = from.link();
  choice.params = SpecsFromProto(from.parameters(), [&](const std::string& path, std::string description) {
    violations.Add(source.At(path), std::move(description));
  });
  return choice;
}

template <typename Message>
absl::StatusOr<std::vector<Parsed<Message>>> ReadAll(const std::string& directory, const std::string& folder,
                                                     OfferSource& source, Violations& violations) {
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<SourceFile> files, ReadCatalogFolder(directory, folder, true));
  source.files.insert(source.files.end(), files.begin(), files.end());
  return ParseAll<Message>(files, violations);
}

template <typename Message>
std::optional<std::string> FieldAmong(const std::string& field, const std::string& kind,
                                      const std::vector<Parsed<Message>>& files) {
  for (const Parsed<Message>& file : files) {
    const std::string prefix = absl::StrCat(kind, ".", file.message.id(), ".");
    if (absl::StartsWith(field, prefix)) return file.At(field.substr(prefix.size()));
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<OfferSource> ReadOffer(const std::string& directory, Violations& violations) {
  OfferSource source;
  GRADELINE_ASSIGN_OR_RETURN(source.augmentations,
                             ReadAll<pb::AugmentationFile>(directory, "augmentations", source, violations));
  GRADELINE_ASSIGN_OR_RETURN(source.schedulers,
                             ReadAll<pb::SchedulerFile>(directory, "schedulers", source, violations));
  GRADELINE_ASSIGN_OR_RETURN(source.solvers, ReadAll<pb::SolverFile>(directory, "solvers", source, violations));
  std::error_code error;
  if (const std::string path = absl::StrCat(directory, "/", kTrainingFile); std::filesystem::exists(path, error)) {
    SourceFile& file = source.files.emplace_back();
    file.name = kTrainingFile;
    GRADELINE_RETURN_IF_ERROR(ReadTextFile(path, file.text));
    source.training = ParseFile<pb::TrainingFile>(file, violations);
  }
  return source;
}

TrainingOffer ToOffer(const OfferSource& source, Violations& violations) {
  TrainingOffer offer;
  for (const auto& file : source.solvers) {
    ChoiceInfo& solver = offer.solvers.emplace_back(ToChoice(file, violations));
    if (file.message.has_learning_rate()) solver.learning_rate = file.message.learning_rate();
  }
  for (const auto& file : source.schedulers) offer.schedulers.push_back(ToChoice(file, violations));
  for (const auto& file : source.augmentations) {
    ChoiceInfo& augmentation = offer.augmentations.emplace_back(ToChoice(file, violations));
    augmentation.tasks = {file.message.tasks().begin(), file.message.tasks().end()};
    augmentation.labels = file.message.labels();
  }
  if (source.training) {
    offer.training =
        SpecsFromProto(source.training->message.parameters(), [&](const std::string& path, std::string description) {
          violations.Add(source.training->At(path), std::move(description));
        });
  }
  return offer;
}

std::optional<std::string> FieldInFiles(const std::string& field, const OfferSource& source) {
  if (auto found = FieldAmong(field, "solvers", source.solvers)) return found;
  if (auto found = FieldAmong(field, "schedulers", source.schedulers)) return found;
  if (auto found = FieldAmong(field, "augmentations", source.augmentations)) return found;
  constexpr char kPrefix[] = "training.";
  if (source.training && absl::StartsWith(field, kPrefix)) {
    return source.training->At(std::string(absl::StripPrefix(field, kPrefix)));
  }
  return std::nullopt;
}

}  // namespace gradeline
