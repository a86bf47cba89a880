// The promise that all counts make of bytes that come from anywhere.
#ifndef GRADELINE_SERVER_CORE_METRIC_TEST_COUNTS_BYTES_H_
#define GRADELINE_SERVER_CORE_METRIC_TEST_COUNTS_BYTES_H_

#include <random>
#include <string>

#include "server/core/metric/test_batch.h"

namespace gradeline {

/// Merges mutations of `good` bytes. Each is refused, and then nothing was added; or it is a sum: its bytes give the
/// same sum again, and the metric can be computed.
inline void ExpectGarbageIsRefusedOrASum(const std::string& id, const std::string& signal, const std::string& good,
                                         std::mt19937_64& random, const ParamMap& params = {}) {
  const Metric& metric = **FindMetric(id);
  const ParamMap resolved = *ResolveParams(metric.params, params);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = good;
    for (uint64_t change = 0; change < 1 + random() % 4; ++change) {
      const size_t at = bytes.empty() ? 0 : random() % bytes.size();
      const auto byte = static_cast<char>(random() % 3 == 0 ? 0xff : random());
      switch (random() % 3) {
        case 0:
          if (!bytes.empty()) bytes[at] = byte;
          break;
        case 1:
          bytes.insert(at, 1 + random() % 10, byte);
          break;
        default:
          bytes.resize(at);
      }
    }
    const std::unique_ptr<Counts> counts = NewCounts(id, signal, params, 1 << 20);
    const absl::Status merged = counts->Merge(bytes);
    const std::string sum = counts->Bytes();
    metric.compute(*counts, resolved);
    if (!merged.ok()) {
      ASSERT_TRUE(absl::IsInvalidArgument(merged) || absl::IsResourceExhausted(merged)) << merged;
      ASSERT_EQ(sum, "");
    }
    const std::unique_ptr<Counts> again = NewCounts(id, signal, params, 1 << 20);
    ASSERT_TRUE(again->Merge(sum).ok());
    ASSERT_EQ(again->Bytes(), sum);
  }
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_TEST_COUNTS_BYTES_H_
