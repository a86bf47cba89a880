// Batches that own their memory, and the promise that every metric makes: the same result for every partition.
#ifndef GRADELINE_SERVER_CORE_METRIC_TEST_BATCH_H_
#define GRADELINE_SERVER_CORE_METRIC_TEST_BATCH_H_

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/core/metric/metric.h"
#include "server/core/tensor/convert.h"

namespace gradeline {

struct OwnedTensor {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;

  OwnedTensor(std::string n, DType type, std::vector<int64_t> sizes, const std::vector<double>& values)
      : name(std::move(n)), dtype(type), shape(std::move(sizes)) {
    for (const double value : values) Append(value);
  }
  void Append(double value) {
    switch (dtype) {
      case DType::kF32:
        return Store(static_cast<float>(value));
      case DType::kF64:
        return Store(value);
      case DType::kF16:
        return Store(NarrowToF16(value));
      case DType::kBF16:
        return Store(NarrowToBF16(value));
      case DType::kU8:
        return Store(static_cast<uint8_t>(value));
      case DType::kI32:
        return Store(static_cast<int32_t>(value));
      case DType::kI64:
        return Store(static_cast<int64_t>(value));
    }
  }
  template <typename T>
  void Store(T stored) {
    const auto* data = reinterpret_cast<const std::byte*>(&stored);
    bytes.insert(bytes.end(), data, data + sizeof(stored));
  }
};

struct OwnedBatch {
  std::string signal;
  std::vector<OwnedTensor> tensors;
  int64_t ignore_index = -100;

  /// Borrows; must not outlive this.
  MetricBatch view() const {
    std::vector<NamedTensor> named;
    for (const OwnedTensor& tensor : tensors) {
      named.push_back({tensor.name, {tensor.dtype, tensor.shape, tensor.bytes.data()}});
    }
    return MetricBatch(signal, std::move(named), ignore_index);
  }
};

/// The metric's counts with nothing in them. The id must exist, the parameters must be good.
inline std::unique_ptr<Counts> NewCounts(const std::string& id, const std::string& signal, const ParamMap& params = {},
                                         int64_t max_bytes = 64LL << 20) {
  const Metric& metric = **FindMetric(id);
  return metric.counts(signal).make({*ResolveParams(metric.params, params), max_bytes});
}

/// The metric of batches of one signal.
inline absl::StatusOr<MetricResult> Evaluate(const std::string& id, const std::vector<OwnedBatch>& batches,
                                             const ParamMap& params = {}) {
  const Metric& metric = **FindMetric(id);
  const std::unique_ptr<Counts> counts = NewCounts(id, batches.at(0).signal, params);
  for (const OwnedBatch& batch : batches) {
    if (absl::Status status = counts->Add(batch.view()); !status.ok()) return status;
  }
  return metric.compute(*counts, *ResolveParams(metric.params, params));
}

/// Adds `pieces` one after another to one sum; and in random order to several ranks' sums, whose bytes are merged in
/// random order. Expects the same bytes and the same result.
inline void ExpectSameForEveryPartition(const std::string& id, const std::vector<OwnedBatch>& pieces,
                                        std::mt19937_64& random, const ParamMap& params = {},
                                        int64_t max_bytes = 64LL << 20) {
  const Metric& metric = **FindMetric(id);
  const std::string& signal = pieces.at(0).signal;
  const std::unique_ptr<Counts> whole = NewCounts(id, signal, params, max_bytes);
  for (const OwnedBatch& piece : pieces) ASSERT_TRUE(whole->Add(piece.view()).ok());
  std::vector<const OwnedBatch*> order;
  for (const OwnedBatch& piece : pieces) order.push_back(&piece);
  std::shuffle(order.begin(), order.end(), random);
  std::vector<std::unique_ptr<Counts>> ranks;
  for (size_t r = 0; r < 1 + random() % 4; ++r) ranks.push_back(NewCounts(id, signal, params, max_bytes));
  for (const OwnedBatch* piece : order) {
    // As a record does: counts of its own, merged by their bytes.
    const std::unique_ptr<Counts> one = NewCounts(id, signal, params, max_bytes);
    ASSERT_TRUE(one->Add(piece->view()).ok());
    ASSERT_TRUE(ranks[random() % ranks.size()]->Merge(one->Bytes()).ok());
  }
  const std::unique_ptr<Counts> merged = NewCounts(id, signal, params, max_bytes);
  for (const auto& rank : ranks) ASSERT_TRUE(merged->Merge(rank->Bytes()).ok());
  EXPECT_EQ(merged->Bytes(), whole->Bytes()) << id;
  const ParamMap resolved = *ResolveParams(metric.params, params);
  EXPECT_TRUE(metric.compute(*merged, resolved) == metric.compute(*whole, resolved)) << id;
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_TEST_BATCH_H_
