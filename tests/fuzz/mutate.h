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
};

/// Calls `run` with the good inputs, then with changed ones, GRADELINE_FUZZ_RUNS times in all (20,000 if that is not
/// set); prints how many and how fast. `run` gives whether the input was taken: those that were, and are new in length,
/// are changed further. Ends at the first input for which the test has failed, and prints it escaped.
void Fuzz(const FuzzCorpus& corpus, uint64_t seed, const std::function<bool(const std::string&)>& run);

}  // namespace gradeline

#endif  // GRADELINE_TESTS_FUZZ_MUTATE_H_
