// Which losses are measured, on what, and the goals: one line per loss and layout.
#ifndef GRADELINE_TESTS_BENCH_LOSS_CASES_H_
#define GRADELINE_TESTS_BENCH_LOSS_CASES_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gradeline::bench {

/// What the machine could do at best: the work that a row's time is compared with, on equally many bytes.
enum class Limit {
  kNone,
  kCopy,   ///< prediction read, gradient written
  kTriad,  ///< prediction and target read, gradient written
  kSort    ///< VQSort of as many 64-bit keys in as many groups as the loss sorts
};

struct LossCase {
  std::string_view loss;
  /// "type=giou;beta=1", as on the command line; "cycle" stands for a vector along the classes: 1 + 37 k mod 1000.
  std::string_view params;
  std::string_view layout;  ///< what items are: see loss_batch.cc
  int64_t classes;          ///< size of every axis called c, C or b; 0: there is none
  /// "L2 64MiB 1GiB": of predictions. L2: 256 KiB, which with the gradient fit one core's. 1GiB: 16 batches of 64 MiB
  /// in turns. "N=1000": items; "N=4" measures the host. "E=1e6": elements of the prediction.
  std::string_view sizes;
  Limit limit;
  double limit_goal, peer_goal;  ///< least speed next to the limit, next to PyTorch eager; 0: none stated
};

std::span<const LossCase> LossCases();

/// The sizes of a case, each; views of static text.
std::vector<std::string_view> SizesOf(const LossCase& which);

/// "focal:activation=softmax/rows-1000": names a case; "/<size>" follows.
std::string NameOf(const LossCase& which);

}  // namespace gradeline::bench

#endif  // GRADELINE_TESTS_BENCH_LOSS_CASES_H_
