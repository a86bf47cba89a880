// The dims grammar of the plugin ABI ("N c *", "N C? *"): parsing, and how a loss's tensors share one set of items.
// Knows no sizes: binding.h meets the shapes.
#ifndef GRADELINE_SERVER_CORE_LOSS_DIMS_H_
#define GRADELINE_SERVER_CORE_LOSS_DIMS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace gradeline {

/// One axis, or the tail "*".
struct Dim {
  enum class Kind { kItem, kSmall, kNumber, kTail };
  Kind kind = Kind::kItem;
  std::string name;       ///< "N", "c", "4", "*"
  int64_t number = 0;     ///< of kNumber
  bool optional = false;  ///< "C?"
  bool item() const { return kind == Kind::kItem || kind == Kind::kTail; }
  bool operator==(const Dim&) const = default;
};

/// The axes of a tensor in order. INVALID_ARGUMENT says what the grammar allows.
absl::StatusOr<std::vector<Dim>> ParseDims(std::string_view dims);

/// The item axes (capitals and the tail) of parsed dims.
std::vector<Dim> ItemDims(const std::vector<Dim>& dims);

/// Whether it has axes within an item and items too: such a tensor says where outer ends and inner begins.
bool HasSmallAxes(const std::vector<Dim>& dims);

/// Number of item axes before the first small one; of a tensor without small axes, before the tail.
size_t OuterAxes(const std::vector<Dim>& dims);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_LOSS_DIMS_H_
