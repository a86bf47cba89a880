// Batches of random inputs for any loss, made from what the loss says of its tensors.
#ifndef GRADELINE_TESTS_BENCH_LOSS_BATCH_H_
#define GRADELINE_TESTS_BENCH_LOSS_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/engine/engine.h"
#include "server/core/loss/registry.h"
#include "tests/bench/loss_cases.h"

namespace gradeline::bench {

/// Zeroed memory in huge pages where the machine gives them, aligned to a page and rounded up to whole ones.
class Pages {
 public:
  explicit Pages(size_t bytes);
  Pages(Pages&& other) noexcept;
  ~Pages();
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  size_t bytes_;
  void* data_;
};

struct BatchTensor {
  size_t spec;  ///< index of the loss's tensor spec
  DType dtype;  ///< f32 or i32
  std::vector<int64_t> shape;
  std::vector<Pages> copies;  ///< one per batch, with equal content
  int64_t elements() const { return *ElementCount(shape); }
  size_t bytes() const { return static_cast<size_t>(elements()) * 4; }
};

/// A case at one size: batches that are used in turns. Immutable once made.
class LossBatch {
 public:
  /// NOT_FOUND and INVALID_ARGUMENT as LossRegistry::ResolveAlone: the loss is not built, or has other parameters.
  static absl::StatusOr<std::unique_ptr<LossBatch>> Make(const LossRegistry& registry, const LossCase& which,
                                                         std::string_view size);
  LossBatch(const LossBatch&) = delete;

  /// Points into *this.
  LossCall Call(int64_t turn, bool gradient) const;

  const LossHandle& loss() const { return loss_; }
  const std::vector<BatchTensor>& tensors() const { return tensors_; }
  const BatchTensor& prediction() const { return tensors_.front(); }  ///< the differentiable one
  const BatchTensor* other_like_prediction() const;                   ///< of equal size; nullptr if there is none
  int64_t batches() const { return batches_; }
  int64_t groups() const { return groups_; }  ///< classes, or images without classes: what a sorting loss sorts by

 private:
  LossBatch() = default;
  LossHandle loss_;
  std::vector<BatchTensor> tensors_;
  int64_t batches_ = 1, groups_ = 1;
};

}  // namespace gradeline::bench

#endif  // GRADELINE_TESTS_BENCH_LOSS_BATCH_H_
