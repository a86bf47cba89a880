// How large a campaign is: small by default, as large as the environment says.
#ifndef GRADELINE_TESTS_CAMPAIGN_H_
#define GRADELINE_TESTS_CAMPAIGN_H_

#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace gradeline {

inline int64_t FromEnvironment(const char* name, int64_t fallback) {
  const char* text = getenv(name);
  return text == nullptr ? fallback : atoll(text);
}

/// Files of tests that make a disk's failures themselves lie in memory, if they can.
inline void UseDiskInMemory() {
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
}

}  // namespace gradeline

#endif  // GRADELINE_TESTS_CAMPAIGN_H_
