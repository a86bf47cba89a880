// Records, loss values and the welcome of the training stream between core and gradeline.v1.
#ifndef GRADELINE_SERVER_WIRE_TRAINING_H_
#define GRADELINE_SERVER_WIRE_TRAINING_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "gradeline/v1/training.pb.h"
#include "server/core/engine/engine.h"
#include "server/core/experiment/rank_session.h"
#include "server/core/experiment/types.h"

namespace gradeline {

/// INVALID_ARGUMENT with all violations: "experiment" that is no name, "rank", "worldSize", "instance" not of 16 bytes.
absl::StatusOr<JoinRequest> JoinFromProto(const v1::Hello& hello);

/// INVALID_ARGUMENT with all violations: an unknown phase, a head that is none of `heads` (they are named), negative
/// numbers. Whether the key fits the attempt is the session's to say.
absl::StatusOr<RecordKey> KeyFromProto(const v1::RecordKey& proto, const std::vector<SessionHead>& heads);

/// A replayed record: as KeyFromProto (fields below "key"), besides "digest" not of 16 bytes.
/// Whether it fits the attempt is the session's to say.
absl::StatusOr<Record> RecordFromProto(const v1::Record& proto, const std::vector<SessionHead>& heads);
v1::Record ToProto(const Record& record, const std::vector<SessionHead>& heads);

/// XXH3 of 128 bits over all that determines the record of a batch: key, tensors (name, type, shape, bytes),
/// normalisers, gradient scale.
Digest DigestOf(const v1::Batch& batch);

/// `components`: names in the order of the result's.
v1::LossValue LossValueToProto(const LossResult& result, const std::vector<ComponentSpec>& components);

v1::Welcome WelcomeToProto(const WelcomeInfo& info, const std::vector<SessionHead>& heads, int64_t max_message_bytes);

/// One per component, each finite and above 0; else INVALID_ARGUMENT with "normalisers" or "normalisers[i]".
absl::StatusOr<std::vector<double>> NormalisersFromProto(const google::protobuf::RepeatedField<double>& proto,
                                                         size_t components);

/// INVALID_ARGUMENT, "phase", unless it is one of the three.
absl::StatusOr<Phase> PhaseFromProto(v1::Phase phase);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_TRAINING_H_
