// Datasets and items between core and gradeline.v1.
#ifndef GRADELINE_SERVER_WIRE_DATASET_H_
#define GRADELINE_SERVER_WIRE_DATASET_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "google/protobuf/timestamp.pb.h"
#include "gradeline/v1/dataset.pb.h"
#include "server/core/base/status.h"
#include "server/core/experiment/types.h"

namespace gradeline {

/// Milliseconds since the epoch.
google::protobuf::Timestamp TimestampOf(int64_t unix_ms);

/// The id of a resource name, or INVALID_ARGUMENT with `field`.
absl::StatusOr<std::string> IdFromName(std::string_view field, std::string_view collection, std::string_view name);
/// As above, with the violation added to others; then empty.
std::string IdFromName(std::string_view field, std::string_view collection, std::string_view name,
                       Violations* violations);

/// OK if `id` is empty or a UUID in its usual text form; else INVALID_ARGUMENT with `field`.
absl::Status CheckRequestId(std::string_view field, std::string_view id);

/// The dataset as far as it can be read, output-only fields left aside. Adds a violation of "name" if it is none.
Dataset DatasetFromProto(const v1::Dataset& proto, Violations* violations);
v1::Dataset ToProto(const Dataset& dataset);
/// With this index; output-only fields left aside.
Item ItemFromProto(const v1::Item& proto, int64_t index);
/// Without `full` its index, dataset and labels only.
v1::Item ToProto(const Item& item, bool full);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_DATASET_H_
