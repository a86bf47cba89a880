// Private to the probe: tiny batches that fit a loss's tensor specs, and numbers in them that can be changed one by
// one.
#ifndef GRADELINE_SERVER_PLUGIN_HOST_PROBE_BATCH_H_
#define GRADELINE_SERVER_PLUGIN_HOST_PROBE_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/core/engine/engine.h"
#include "server/core/loss/registry.h"

namespace gradeline {

/// One tensor: reals are kept in double, labels as i64.
struct ProbeTensor {
  bool label = false;
  std::vector<int64_t> shape;
  std::vector<double> reals;
  std::vector<int64_t> labels;
};

/// One entry per tensor spec of the loss.
struct ProbeBatch {
  std::string name;  ///< for messages: "[3, 3], hard targets, weights"
  std::vector<std::optional<ProbeTensor>> tensors;
};

/// How a batch is to look.
struct ProbeForm {
  int64_t items = 3;      ///< size of the first item axis
  bool tail = false;      ///< whether * stands for two axes of 2
  bool optional = false;  ///< whether optional tensors come
  size_t choice = 0;      ///< which tensor of every one_of group comes, counted from 0 and round
};

/// A batch of deterministic numbers that the specs allow: small axes of 3, item axes of 2 behind the first; logits and
/// values of size one, boxes with x2 > x1, probabilities inside (0, 1), weights about 1.
ProbeBatch MakeProbeBatch(const LossInfo& loss, const ProbeForm& form);

/// Most tensors in one one_of group of the loss; 1 if there is none.
size_t ChoicesOf(const LossInfo& loss);
bool HasTail(const LossInfo& loss);
bool HasOptional(const LossInfo& loss);

/// Runs `batch` in f64 or f32.
absl::StatusOr<LossResult> RunProbeBatch(Engine& engine, const LossHandle& loss, const ProbeBatch& batch, bool gradient,
                                         DType dtype = DType::kF64);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_PLUGIN_HOST_PROBE_BATCH_H_
