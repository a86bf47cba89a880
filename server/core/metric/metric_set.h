// The metrics that were chosen for a head, and the counts that they share.
#ifndef GRADELINE_SERVER_CORE_METRIC_METRIC_SET_H_
#define GRADELINE_SERVER_CORE_METRIC_METRIC_SET_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/metric/metric.h"

namespace gradeline {

/// A metric with its parameters.
struct ChosenMetric {
  const Metric* metric = nullptr;
  ParamMap given;    ///< what was asked for
  ParamMap params;   ///< resolved
  std::string name;  ///< "f_score(beta=2)": what was asked for, without spaces, parameters in order of their names
  bool operator==(const ChosenMetric& other) const { return metric == other.metric && params == other.params; }
};

/// Reads "ID" or "ID(KEY=VALUE, KEY=VALUE)". NOT_FOUND with near names for an id that is none, INVALID_ARGUMENT with
/// all violations for the rest.
absl::StatusOr<ChosenMetric> ChooseMetric(std::string_view text);

/// `chosen` with further parameters. INVALID_ARGUMENT with all violations, also of what is given twice.
absl::StatusOr<ChosenMetric> WithParams(const ChosenMetric& chosen, const ParamMap& params);

/// Immutable, thread-safe.
class MetricSet {
 public:
  /// Those of `names` that can be computed of `signal`; names that cannot be read are left out. Each way to count may
  /// take `max_bytes`.
  MetricSet(std::string_view signal, const std::vector<std::string>& names, int64_t max_bytes);
  MetricSet() = default;

  const std::vector<ChosenMetric>& chosen() const { return chosen_; }
  bool empty() const { return chosen_.empty(); }
  /// RESOURCE_EXHAUSTED, naming the metric, if one is sure to need more bytes with `classes` than it may take.
  absl::Status CheckClasses(int64_t classes) const;
  /// What they take together; optional is what none of them needs.
  std::vector<MetricInput> inputs() const;
  /// What a record keeps of a batch. The batch has passed the loss's checks. Status as Counts::Add.
  absl::StatusOr<std::string> Count(const MetricBatch& batch) const;
  /// INVALID_ARGUMENT unless Count could have given `bytes`.
  absl::Status Check(std::string_view bytes) const;

 private:
  friend class MetricSums;
  struct Way {
    std::string key;
    const CountsKind* kind;
    CountsOptions options;
  };
  std::string signal_;
  std::vector<ChosenMetric> chosen_;
  std::vector<size_t> way_of_;  ///< of each chosen one, into ways_
  std::vector<Way> ways_;
};

/// Sums of what records keep. Not thread-safe.
class MetricSums {
 public:
  explicit MetricSums(const MetricSet& set);
  /// INVALID_ARGUMENT if Count cannot have given `bytes`: then all metrics are undefined from now on, with a note. What
  /// exceeds the bytes that counts may take makes the metrics that need it undefined.
  absl::Status Merge(std::string_view bytes);
  /// One for each chosen metric.
  std::vector<MetricResult> Results() const;

 private:
  absl::Status MergeEach(std::string_view bytes);

  MetricSet set_;
  std::vector<std::unique_ptr<Counts>> counts_;
  std::vector<std::string> notes_;  ///< of each of counts_: why it is of no use; empty: it is good
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_METRIC_SET_H_
