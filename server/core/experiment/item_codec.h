// Bytes of what few items have, as stores keep them beside uri and label: labels, group, tags, subset. A million of
// them are read for one split, so the form is short: none for a plain item.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_ITEM_CODEC_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_ITEM_CODEC_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "server/core/experiment/types.h"

namespace gradeline {

std::string EncodeMore(const Item& item);
/// Sets labels, group, tags and subset. INTERNAL if the bytes are not what EncodeMore gave.
absl::Status DecodeMore(std::string_view bytes, Item& item);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_ITEM_CODEC_H_
