// Datasets and items between core and gradeline.v1.
#ifndef GRADELINE_SERVER_WIRE_DATASET_H_
#define GRADELINE_SERVER_WIRE_DATASET_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "google/protobuf/timestamp.pb.h"
#include "gradeline/v1/dataset.pb.h"
#include "server/core/experiment/types.h"

namespace gradeline {

/// Milliseconds since the epoch.
google::protobuf::Timestamp TimestampOf(int64_t unix_ms);

/// The id of a resource name, or INVALID_ARGUMENT with `field`.
absl::StatusOr<std::string> IdFromName(std::string_view field, std::string_view collection, std::string_view name);

/// OK if `id` is empty or a UUID in its usual text form; else INVALID_ARGUMENT with `field`.
absl::Status CheckRequestId(std::string_view field, std::string_view id);

/// Output-only fields are ignored. INVALID_ARGUMENT, field "name", for a name that is none.
absl::StatusOr<Dataset> DatasetFromProto(const v1::Dataset& proto);
v1::Dataset ToProto(const Dataset& dataset);
v1::Item ToProto(const Item& item);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_DATASET_H_
