// The idx files of MNIST and its kin. Reads labels and checks images; pixels stay in the files.
#ifndef GRADELINE_CLIENT_CLI_IDX_H_
#define GRADELINE_CLIENT_CLI_IDX_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/byte_source.h"

namespace gradeline::cli {

/// The labels of an idx1 file of unsigned bytes. INVALID_ARGUMENT says what was found and what is allowed.
absl::StatusOr<std::vector<uint8_t>> ReadIdxLabels(ByteSource* source);

/// The number of images in an idx3 file of unsigned bytes, after reading it to its end: a cut or longer file is an
/// error.
absl::StatusOr<int64_t> CountIdxImages(ByteSource* source);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_IDX_H_
