// Random choices that are the same on every machine and in every version.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_SHUFFLE_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_SHUFFLE_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace gradeline {

/// SplitMix64 (Steele, Lea, Flood 2014) with Lemire's unbiased choice below a bound.
class Generator {
 public:
  explicit Generator(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  uint64_t Below(uint64_t bound) {
    __extension__ using Wide = unsigned __int128;
    const uint64_t rejected_below = -bound % bound;
    while (true) {
      const Wide product = static_cast<Wide>(Next()) * bound;
      if (static_cast<uint64_t>(product) >= rejected_below) return static_cast<uint64_t>(product >> 64);
    }
  }

 private:
  uint64_t state_;
};

/// Fisher-Yates.
template <typename T>
void Shuffle(std::vector<T>& items, Generator& generator) {
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[generator.Below(i)]);
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_SHUFFLE_H_
