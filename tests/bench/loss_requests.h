// What losses.py asks of loss_bench, a line each way. A request is words between tabs, an answer one JSON object;
// {"error": "..."} when a request cannot be done.
#ifndef GRADELINE_TESTS_BENCH_LOSS_REQUESTS_H_
#define GRADELINE_TESTS_BENCH_LOSS_REQUESTS_H_

#include <iosfwd>

#include "tests/bench/loss_work.h"

namespace gradeline::bench {

/// One JSON object a line: every case with its sizes and goals, and whether its loss is built. Returns the exit code.
int ListCases(std::ostream& out);

/// Serves until the input ends:
///   open NAME SIZE FOLDER      the first batch's tensors and the gradient as files of raw numbers, the loss
///   time SIDE CALLS REPETITIONS
///   close
int Serve(LossWork& work, std::istream& in, std::ostream& out);

}  // namespace gradeline::bench

#endif  // GRADELINE_TESTS_BENCH_LOSS_REQUESTS_H_
