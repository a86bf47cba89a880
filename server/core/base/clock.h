// Time as an interface, so that leases and time stamps can be tested. The core reads no clock but this one.
#ifndef GRADELINE_SERVER_CORE_BASE_CLOCK_H_
#define GRADELINE_SERVER_CORE_BASE_CLOCK_H_

#include <cstdint>

namespace gradeline {

class Clock {
 public:
  virtual ~Clock() = default;
  /// Milliseconds since the Unix epoch; for display only, may jump.
  virtual int64_t UnixMillis() const = 0;
  /// Monotonic milliseconds since an arbitrary start; for leases and durations.
  virtual int64_t MonotonicMillis() const = 0;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_BASE_CLOCK_H_
