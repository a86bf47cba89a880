// NumPy's .npy files as tensors of the wire: a reader with a fixed grammar and a writer. Deliberately reads only what
// the wire can carry (no pickles, no Fortran order, no foreign byte order) and never evaluates anything.
#ifndef GRADELINE_CLIENT_CLI_NPY_H_
#define GRADELINE_CLIENT_CLI_NPY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gradeline/v1/tensor.pb.h"

namespace gradeline::cli {

/// The tensor in the content of a .npy file (versions 1.0, 2.0, 3.0; f2, f4, f8, u1, i4, i8, and bool as u1); `name` of
/// the result is empty. INVALID_ARGUMENT says what was found and what is allowed.
absl::StatusOr<v1::Tensor> ParseNpy(absl::string_view content);

/// The content of a .npy file that numpy.load reads back as `tensor`. bf16, which NumPy lacks, is widened to f4.
/// INVALID_ARGUMENT if the data does not fit the shape.
absl::StatusOr<std::string> FormatNpy(const v1::Tensor& tensor);

/// The same from and to files; errors name the file.
absl::StatusOr<v1::Tensor> ReadNpyFile(const std::string& path);
absl::Status WriteNpyFile(const std::string& path, const v1::Tensor& tensor);

/// Bytes of one element; 0 for an unknown type.
int ElementBytes(v1::DataType type);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_NPY_H_
