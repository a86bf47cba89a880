// Narrow floating-point numbers that NumPy files lack or that people ask for: f16 and bf16 from wider ones.
#ifndef GRADELINE_CLIENT_CLI_NARROW_H_
#define GRADELINE_CLIENT_CLI_NARROW_H_

#include <cstdint>

#include "absl/status/status.h"
#include "gradeline/v1/tensor.pb.h"

namespace gradeline::cli {

/// The nearest number of the format, ties to even; too large ones become infinite, NaN stays NaN.
uint16_t NarrowToF16(double value);
uint16_t NarrowToBf16(double value);

/// Replaces the data of an f32 or f64 tensor by f16 or bf16. INVALID_ARGUMENT for any other pair of types.
absl::Status CastTensor(v1::DataType to, v1::Tensor* tensor);

/// Replaces bf16 data by the equal f32 numbers.
void WidenBf16(v1::Tensor* tensor);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_NARROW_H_
