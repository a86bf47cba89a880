// Resource ids and names: the grammar of "datasets/{d}", and random tokens.
#ifndef GRADELINE_SERVER_CORE_BASE_IDS_H_
#define GRADELINE_SERVER_CORE_BASE_IDS_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace gradeline {

/// OK if `id` is 1 to 63 characters of [a-z0-9-], beginning with a letter and not ending with a dash. The message of
/// the error names the value and what is allowed.
absl::Status CheckId(std::string_view id);

/// The id of a resource name of `collection`: ("datasets", "datasets/fashion") gives "fashion". INVALID_ARGUMENT names
/// the expected form.
absl::StatusOr<std::string> IdOfName(std::string_view collection, std::string_view name);

/// Whether `id` may be that of a loss: a-z, 0-9 and _ . / -, at least one.
bool IsLossId(std::string_view id);
/// Whether `text` has only the letters of such ids, and + between them: what names a loss or a sum of losses.
bool IsLossExpression(std::string_view text);

/// `bytes` bytes from the system's random source, hexadecimal.
std::string RandomHex(int bytes);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_BASE_IDS_H_
