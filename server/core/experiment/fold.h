// The sums of a phase: records in, totals out. Added in key order it gives a seal's value, the same bits for every
// history; added as records come it gives provisional values.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_FOLD_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_FOLD_H_

#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "server/core/experiment/rank_session.h"
#include "server/core/experiment/types.h"

namespace gradeline {

/// The largest magnitude of a record's numerator and denominator: 2^31 records of it add up without an overflow.
inline constexpr double kLargestInRecord = 1e298;

/// A sum that carries the rounding error of every addition along (Neumaier 1974).
class CompensatedSum {
 public:
  void Add(double x);
  /// Infinite once the sum has overflowed.
  double value() const { return std::isfinite(sum_) ? sum_ + lost_ : sum_; }

 private:
  double sum_ = 0, lost_ = 0;
};

/// Not thread-safe.
class Fold {
 public:
  /// Without `metrics` they are left out: provisional values need none of what may be large.
  explicit Fold(std::shared_ptr<const std::vector<SessionHead>> heads, bool metrics = true);

  /// `record.key.head` must be one of the heads; values beyond the head's components are not looked at.
  void Add(int32_t rank, const Record& record);

  /// Fills loss, average, components, metrics, batches, items, refused and, of records added in key order,
  /// first_refused. Metrics are those of heads that had a batch that counts. RATIO components: sum of numerators / sum
  /// of denominators. Others: the item-weighted mean of the batches' values, flagged. 0 where the denominator is 0.
  void Fill(Seal& seal) const;
  double Loss() const;
  double Average() const;  ///< the loss / the number of components
  int64_t batches() const { return batches_; }
  int64_t items() const { return items_; }
  /// Records of a rank, refused ones too.
  int64_t RecordsOf(int32_t rank) const;

 private:
  struct Component {
    CompensatedSum numerator, denominator;
  };
  struct OfHead {
    std::vector<Component> components;
    std::optional<MetricSums> metrics;  // from the first record on
  };
  std::vector<ComponentTotal> Totals() const;

  std::shared_ptr<const std::vector<SessionHead>> heads_;
  bool metrics_;
  std::vector<OfHead> sums_;
  int64_t batches_ = 0, items_ = 0;
  std::map<int32_t, int64_t> refused_, records_of_rank_;
  std::optional<RefusedBatch> first_refused_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_FOLD_H_
