// Splits between core and gradeline.v1.
#ifndef GRADELINE_SERVER_WIRE_SPLIT_H_
#define GRADELINE_SERVER_WIRE_SPLIT_H_

#include "absl/status/statusor.h"
#include "gradeline/v1/split.pb.h"
#include "server/core/base/status.h"
#include "server/core/experiment/types.h"

namespace gradeline {

/// The split as far as it can be read, output-only fields left aside. Adds the violations: names that are none, an
/// unknown strategy.
Split SplitFromProto(const v1::Split& proto, Violations* violations);
v1::Split ToProto(const Split& split);

/// INVALID_ARGUMENT, field "part", unless it is one of the three.
absl::StatusOr<Phase> PartFromProto(v1::Part part);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_SPLIT_H_
