// The idx files of MNIST and its kin, plain or compressed with gzip. Reads labels and checks images; pixels stay in the
// files.
#ifndef GRADELINE_CLIENT_CLI_IDX_H_
#define GRADELINE_CLIENT_CLI_IDX_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace gradeline::cli {

/// The labels of an idx1 file of unsigned bytes. INVALID_ARGUMENT names the file, what was found and what is allowed.
absl::StatusOr<std::vector<uint8_t>> ReadIdxLabels(const std::string& path);

/// The number of images in an idx3 file of unsigned bytes, after reading it to its end: a cut or longer file is an
/// error.
absl::StatusOr<int64_t> CountIdxImages(const std::string& path);

/// A file of images and the labels of the same items.
struct IdxPair {
  std::string images_path, labels_path;
  std::string images_file;  ///< without the folder
};
/// The pairs PREFIX-images-idx3-ubyte[.gz] and PREFIX-labels-idx1-ubyte[.gz] of a folder: "train" first, the others by
/// name.
absl::StatusOr<std::vector<IdxPair>> FindIdxPairs(const std::string& folder);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_IDX_H_
