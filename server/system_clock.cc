#include "server/system_clock.h"

#include <chrono>

namespace gradeline {
namespace {

template <typename ChronoClock>
int64_t Millis() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(ChronoClock::now().time_since_epoch()).count();
}

}  // namespace

int64_t SystemClock::UnixMillis() const { return Millis<std::chrono::system_clock>(); }
int64_t SystemClock::MonotonicMillis() const { return Millis<std::chrono::steady_clock>(); }

}  // namespace gradeline
