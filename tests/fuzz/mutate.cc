#include "tests/fuzz/mutate.h"

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>
#include <set>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace gradeline {
namespace {

constexpr size_t kLongest = 4096;
constexpr size_t kMostKept = 500;

int64_t Runs() {
  const char* given = std::getenv("GRADELINE_FUZZ_RUNS");
  return given == nullptr ? 20'000 : std::atoll(given);
}

class Mutator {
 public:
  Mutator(const std::vector<std::string>& words, uint64_t seed) : words_(words), random_(seed) {}

  size_t Below(size_t bound) { return bound == 0 ? 0 : random_() % bound; }

  void Change(std::string& input, const std::string& other) {
    const size_t at = Below(input.size() + 1);
    switch (Below(9)) {
      case 0:
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << Below(8)));
        break;
      case 1:
        if (at < input.size()) input[at] = static_cast<char>(random_());
        break;
      case 2:
        input.insert(at, 1, static_cast<char>(random_()));
        break;
      case 3:
        input.erase(at, 1 + Below(8));
        break;
      case 4:
        input.insert(at, words_[Below(words_.size())]);
        break;
      case 5: {  // a word in the place of some bytes
        const std::string& word = words_[Below(words_.size())];
        input.replace(at, std::min(Below(word.size() + 4), input.size() - at), word);
        break;
      }
      case 6:  // a piece of itself, elsewhere
        input.insert(at, input.substr(Below(input.size()), 1 + Below(64)));
        break;
      case 7:  // the end of another
        input = input.substr(0, at) + other.substr(Below(other.size() + 1));
        break;
      default:
        input.resize(at);
    }
    if (input.size() > kLongest) input.resize(kLongest);
  }

 private:
  const std::vector<std::string>& words_;
  std::mt19937_64 random_;
};

}  // namespace

void Fuzz(const FuzzCorpus& corpus, uint64_t seed, const std::function<bool(const std::string&)>& run) {
  std::vector<std::string> kept = corpus.good;
  std::set<size_t> lengths;
  Mutator mutator(corpus.words, seed);
  const auto begin = std::chrono::steady_clock::now();
  const int64_t runs = Runs();
  int64_t done = 0, taken = 0;
  for (; done < runs && !testing::Test::HasFailure(); ++done) {
    std::string input =
        kept[done < static_cast<int64_t>(kept.size()) ? static_cast<size_t>(done) : mutator.Below(kept.size())];
    if (done >= static_cast<int64_t>(corpus.good.size())) {
      for (size_t changes = 1 + mutator.Below(4); changes > 0; --changes) {
        mutator.Change(input, kept[mutator.Below(kept.size())]);
      }
    }
    const bool took = run(input);
    taken += took ? 1 : 0;
    if (took && kept.size() < kMostKept && lengths.insert(input.size()).second) kept.push_back(input);
    if (testing::Test::HasFailure()) std::cerr << "input: \"" << absl::CHexEscape(input) << "\"\n";
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::cerr << done << " runs, " << taken << " taken, in " << seconds.count() << " s\n";
}

}  // namespace gradeline
