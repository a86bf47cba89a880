// The machine's clocks behind the core's interface. Deliberately outside the core, which reads no clock of its own.
#ifndef GRADELINE_SERVER_SYSTEM_CLOCK_H_
#define GRADELINE_SERVER_SYSTEM_CLOCK_H_

#include "server/core/base/clock.h"

namespace gradeline {

/// Thread-safe and without state.
class SystemClock final : public Clock {
 public:
  int64_t UnixMillis() const override;
  int64_t MonotonicMillis() const override;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_SYSTEM_CLOCK_H_
