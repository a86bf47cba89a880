// What metrics count of batches: sums that do not depend on the order in which they are added.
#ifndef GRADELINE_SERVER_CORE_METRIC_COUNTS_H_
#define GRADELINE_SERVER_CORE_METRIC_COUNTS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "server/core/loss/params.h"
#include "server/core/metric/batch.h"

namespace gradeline {

/// One sum over items. Adding batches, and merging what other counts have, comes to the same value for every partition
/// and every order, bit for bit: whole numbers, exact sums, sets. Not thread-safe.
class Counts {
 public:
  virtual ~Counts() = default;
  /// Adds a batch. INVALID_ARGUMENT with all violations ("inputs.prediction"), RESOURCE_EXHAUSTED beyond the bytes that
  /// it may take; then nothing is added.
  virtual absl::Status Add(const MetricBatch& batch) = 0;
  /// Adds what Bytes() of counts of the same kind gave; they may come from anywhere. INVALID_ARGUMENT if they are no
  /// such bytes, RESOURCE_EXHAUSTED beyond the bytes that it may take; then nothing is added.
  virtual absl::Status Merge(std::string_view bytes) = 0;
  /// Everything that was added, compact; the same bytes for the same sum. Empty counts may be empty bytes.
  virtual std::string Bytes() const = 0;
};

/// What the counts of a kind are made with.
struct CountsOptions {
  ParamMap params;                 ///< of the metric, resolved; the kind's own are read
  int64_t max_bytes = 64LL << 20;  ///< of memory that they may take
};

/// One way to count. Metrics of a head whose kinds are the same, and whose parameters of the kind's, share the counts.
struct CountsKind {
  std::string name;                 ///< "confusion"
  std::vector<std::string> params;  ///< names of the metrics' parameters that it depends on
  std::unique_ptr<Counts> (*make)(const CountsOptions& options) = nullptr;
  /// Bytes of memory that it takes with `classes`, as far as they alone say; nullptr: nothing is known before.
  int64_t (*bytes_of)(int64_t classes) = nullptr;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_COUNTS_H_
