// Bytes of the nouns, as stores keep them and as answers to repeated requests are kept. Little-endian, a version first;
// not a wire format. A noun grows by fields at its end: bytes from before leave them at their defaults.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_CODEC_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_CODEC_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/experiment/experiments.h"
#include "server/core/experiment/types.h"

namespace gradeline {

std::string Encode(const Dataset& dataset);
std::string Encode(const Split& split);
std::string Encode(const Experiment& experiment);
std::string Encode(const Seal& seal);
std::string Encode(const Refusal& refusal);
std::string Encode(const Experiments::Started& started);

/// T is one of the types above. INTERNAL if the bytes are not one whole T of a known version.
template <typename T>
absl::StatusOr<T> Decode(std::string_view bytes);

/// 16 bytes over a request: its method and encoded content.
Digest DigestOf(std::string_view method, std::string_view bytes);
/// Goes on from an earlier digest, for contents that are too large to encode at once.
Digest DigestOf(const Digest& before, std::string_view bytes);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_CODEC_H_
