// Random content for a tensor of any loss, by what the loss says of it: equal on every machine.
#ifndef GRADELINE_TESTS_BENCH_RANDOM_INPUTS_H_
#define GRADELINE_TESTS_BENCH_RANDOM_INPUTS_H_

#include <vector>

#include "server/core/loss/dims.h"
#include "server/core/loss/loss_info.h"
#include "tests/bench/loss_batch.h"
#include "tests/bench/loss_cases.h"

namespace gradeline::bench {

/// Fills the tensor's first copy: logits around 0, labels of every class, probabilities that add up to 1 over classes,
/// boxes near those of equal number in the other tensor, counts of classes, distances in bins.
void FillRandom(const TensorSpec& spec, const std::vector<Dim>& dims, const LossCase& which, const BatchTensor& tensor);

}  // namespace gradeline::bench

#endif  // GRADELINE_TESTS_BENCH_RANDOM_INPUTS_H_
