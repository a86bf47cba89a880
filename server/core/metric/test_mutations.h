// Bytes that nobody made: what counts must survive.
#ifndef GRADELINE_SERVER_CORE_METRIC_TEST_MUTATIONS_H_
#define GRADELINE_SERVER_CORE_METRIC_TEST_MUTATIONS_H_

#include <functional>
#include <memory>
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "server/core/metric/counts.h"

namespace gradeline {

/// `bytes` with a few bytes changed, inserted, removed, doubled or cut off.
inline std::string Mutated(std::string bytes, std::mt19937_64& random) {
  for (size_t change = 0; change < 1 + random() % 4; ++change) {
    const size_t at = random() % (bytes.size() + 1);
    const auto byte = static_cast<char>(random() % 3 == 0 ? 0xff : random());
    switch (random() % 5) {
      case 0:
        if (at < bytes.size()) bytes[at] = byte;
        break;
      case 1:
        bytes.insert(at, 1, byte);
        break;
      case 2:
        bytes.erase(at, 1);
        break;
      case 3:
        bytes.insert(at, bytes.substr(at, random() % 16));
        break;
      default:
        bytes.resize(at);
    }
  }
  return bytes;
}

/// Merges mutations of good bytes into counts that hold the good ones: each is refused and changes nothing, or gives
/// counts whose own bytes are good and mean the same. `use` is called with what came of it.
inline void ExpectSafeMerges(const std::function<std::unique_ptr<Counts>()>& make, const std::string& good,
                             std::mt19937_64& random, const std::function<void(const Counts&)>& use, int times = 2000) {
  int refused = 0;
  for (int i = 0; i < times; ++i) {
    const std::string bytes = Mutated(good, random);
    const std::unique_ptr<Counts> counts = make();
    ASSERT_TRUE(counts->Merge(good).ok());
    if (!counts->Merge(bytes).ok()) {
      ++refused;
      ASSERT_EQ(counts->Bytes(), good);
      continue;
    }
    const std::string sum = counts->Bytes();
    const std::unique_ptr<Counts> again = make();
    ASSERT_TRUE(again->Merge(sum).ok());
    ASSERT_EQ(again->Bytes(), sum);
    use(*again);
  }
  EXPECT_GT(refused, 0);
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_TEST_MUTATIONS_H_
