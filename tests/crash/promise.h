// What clients were told, and may rely on.
#ifndef GRADELINE_TESTS_CRASH_PROMISE_H_
#define GRADELINE_TESTS_CRASH_PROMISE_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

namespace gradeline {

struct Promise {
  enum Kind : uint8_t {
    kMade,       ///< a call that makes something succeeded; `bytes` names it
    kCommitted,  ///< every message of `rank` up to `seq` is durable
    kSealed,     ///< `bytes` is a seal
  } kind = kMade;
  int32_t rank = 0;
  int64_t seq = 0;
  std::string bytes;
};

/// Hears each promise at once. Called from several threads.
using Witness = std::function<void(const Promise&)>;

/// All promises so far.
struct Promises {
  std::set<std::string> made, seals;
  std::map<int32_t, int64_t> committed;  ///< by rank

  void Add(const Promise& promise) {
    if (promise.kind == Promise::kMade) made.insert(promise.bytes);
    if (promise.kind == Promise::kSealed) seals.insert(promise.bytes);
    if (promise.kind == Promise::kCommitted) committed[promise.rank] = std::max(committed[promise.rank], promise.seq);
  }
};

}  // namespace gradeline

#endif  // GRADELINE_TESTS_CRASH_PROMISE_H_
