#include "tests/fuzz/mutate.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <random>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace gradeline {
namespace {

constexpr size_t kMostKept = 500;
// So many short inputs take so long only if one does not end.
constexpr int64_t kRunsOfAnAlarm = 64;
constexpr unsigned kLongestSeconds = 60;

std::string current;  // input, for the alarm

[[noreturn]] void TellEndless(int /*signal*/) {
  std::cerr << "does not end: \"" << absl::CHexEscape(current) << "\"\n";
  std::_Exit(1);
}

int64_t Given(const char* variable, int64_t otherwise) {
  const char* given = std::getenv(variable);
  return given == nullptr ? otherwise : std::atoll(given);
}

class Mutator {
 public:
  Mutator(const FuzzCorpus& corpus, uint64_t seed) : words_(corpus.words), longest_(corpus.longest), random_(seed) {}

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
    if (input.size() > longest_) input.resize(longest_);
  }

 private:
  const std::vector<std::string>& words_;
  const size_t longest_;
  std::mt19937_64 random_;
};

}  // namespace

std::vector<std::string> Words(const std::string& plain, const std::vector<std::string>& others) {
  std::vector<std::string> words = absl::StrSplit(plain, ' ', absl::SkipEmpty());
  words.insert(words.end(), others.begin(), others.end());
  return words;
}

void Fuzz(const FuzzCorpus& corpus, uint64_t seed, const std::function<bool(const std::string&)>& run) {
  std::vector<std::string> kept = corpus.good;
  std::set<size_t> lengths;
  Mutator mutator(corpus, seed + static_cast<uint64_t>(Given("GRADELINE_FUZZ_SEED", 0)));
  using Clock = std::chrono::steady_clock;
  using Seconds = std::chrono::duration<double>;
  const auto begin = Clock::now();
  const int64_t runs = Given("GRADELINE_FUZZ_RUNS", 20'000) / corpus.share;
  Seconds slowest{0};
  std::signal(SIGALRM, TellEndless);
  int64_t done = 0, taken = 0;
  for (; done < runs && !testing::Test::HasFailure(); ++done) {
    std::string input =
        kept[done < static_cast<int64_t>(kept.size()) ? static_cast<size_t>(done) : mutator.Below(kept.size())];
    if (done >= static_cast<int64_t>(corpus.good.size())) {
      for (size_t changes = 1 + mutator.Below(4); changes > 0; --changes) {
        mutator.Change(input, kept[mutator.Below(kept.size())]);
      }
    }
    current = input;
    if (done % kRunsOfAnAlarm == 0) alarm(kLongestSeconds);
    const auto started = Clock::now();
    const bool took = run(input);
    slowest = std::max<Seconds>(slowest, Clock::now() - started);
    taken += took ? 1 : 0;
    if (took && kept.size() < kMostKept && lengths.insert(input.size()).second) kept.push_back(input);
    if (testing::Test::HasFailure()) std::cerr << "input: \"" << absl::CHexEscape(input) << "\"\n";
  }
  alarm(0);
  const Seconds seconds = Clock::now() - begin;
  std::cerr << done << " runs, " << taken << " taken, in " << seconds.count() << " s, the slowest in "
            << slowest.count() * 1e3 << " ms\n";
}

}  // namespace gradeline
