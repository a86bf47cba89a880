// What trainings are made of, from its files: solvers/<id>.yaml, schedulers/<id>.yaml, augmentations/<id>.yaml and
// training.yaml.
#ifndef GRADELINE_SERVER_WIRE_CATALOG_OFFER_H_
#define GRADELINE_SERVER_WIRE_CATALOG_OFFER_H_

#include <optional>
#include <string>
#include <vector>

#include "gradeline/config/v1/catalog.pb.h"
#include "server/core/loss/offer.h"
#include "server/wire/catalog_source.h"

namespace gradeline {

struct OfferSource {
  std::vector<SourceFile> files;  ///< all of them, in the order of the digest
  std::vector<Parsed<config::v1::SolverFile>> solvers;
  std::vector<Parsed<config::v1::SchedulerFile>> schedulers;
  std::vector<Parsed<config::v1::AugmentationFile>> augmentations;
  std::optional<Parsed<config::v1::TrainingFile>> training;
};

/// Folders and files that are not there offer nothing. Problems of form go to `violations`.
absl::StatusOr<OfferSource> ReadOffer(const std::string& directory, Violations& violations);

TrainingOffer ToOffer(const OfferSource& source, Violations& violations);

/// The field of a violation of CheckOffer ("solvers.sgd.parameters.momentum") with the file and line it is about;
/// nullopt if it is about something else.
std::optional<std::string> FieldInFiles(const std::string& field, const OfferSource& source);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_CATALOG_OFFER_H_
