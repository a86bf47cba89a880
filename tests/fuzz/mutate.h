// Inputs for fuzzing without an instrumented compiler: good inputs, changed at random places by bits, bytes, pieces of
// themselves and words of their format. The same seed gives the same inputs.
#ifndef GRADELINE_TESTS_FUZZ_MUTATE_H_
#define GRADELINE_TESTS_FUZZ_MUTATE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace gradeline {

struct FuzzCorpus {
  std::vector<std::string> good;   ///< where inputs begin
  std::vector<std::string> words;  ///< of the format, put in anywhere
  int64_t share = 1;               ///< one run for so many that are asked for: of what is slow
  size_t longest = 4096;           ///< bytes of an input
};

/// The words between the spaces of `plain`, and those that have some themselves.
std::vector<std::string> Words(const std::string& plain, const std::vector<std::string>& others);

/// Calls `run` with the good inputs, then with changed ones, GRADELINE_FUZZ_RUNS times in all (20,000 if that is not
/// set), GRADELINE_FUZZ_SEED added to the seed; prints how many and how fast. `run` gives whether the input was taken:
/// those that were, and are new in length, are changed further. Ends at the first input for which the test has failed,
/// or that does not end, and prints it escaped.
void Fuzz(const FuzzCorpus& corpus, uint64_t seed, const std::function<bool(const std::string&)>& run);

}  // namespace gradeline

#endif  // GRADELINE_TESTS_FUZZ_MUTATE_H_
