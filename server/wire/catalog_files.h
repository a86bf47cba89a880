// The catalog from its files: tasks/<id>.yaml, architectures/<id>.yaml and those of catalog_offer.h to the core's
// Catalog.
#ifndef GRADELINE_SERVER_WIRE_CATALOG_FILES_H_
#define GRADELINE_SERVER_WIRE_CATALOG_FILES_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "server/core/loss/catalog.h"

namespace gradeline {

/// Reads every *.yaml of the catalog's folders and training.yaml. The digest is that of CatalogDigest over
/// architectures, tasks, augmentations, schedulers, solvers and the training, each in the order of names. NOT_FOUND
/// without tasks or architectures; INVALID_ARGUMENT with every problem of every file, fields like
/// "architectures/u-net.yaml:9: heads[0].signal". `check` may find more in the catalog: violations with fields as of
/// Catalog::Make get their file and line too.
absl::StatusOr<Catalog> LoadCatalog(const std::string& directory,
                                    const std::function<absl::Status(const Catalog&)>& check = nullptr);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_CATALOG_FILES_H_
