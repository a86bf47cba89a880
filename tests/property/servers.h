// The servers of a history: one at a time works, and ends in many ways. Each kind of store has its own ways.
#ifndef GRADELINE_TESTS_PROPERTY_SERVERS_H_
#define GRADELINE_TESTS_PROPERTY_SERVERS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "server/store/test_world.h"

namespace gradeline {

class Servers {
 public:
  /// What each rank was told to be committed, by now.
  using Acknowledged = std::function<std::vector<int64_t>()>;

  virtual ~Servers() = default;
  /// The one that works.
  virtual TestWorld& now() = 0;

  // After each of these another one works, with what the store held, and knows of the ranks.
  /// Ends as it should. The streams to it are gone.
  virtual void Stop() = 0;
  /// Ends at some moment, while it may be writing. Gives what had been acknowledged before.
  virtual std::vector<int64_t> Crash(const Acknowledged& acknowledged) = 0;
  /// Ends in the middle of `work`, which makes it write.
  virtual std::vector<int64_t> CrashAtWork(const Acknowledged& acknowledged, const std::function<void()>& work) = 0;

  /// Another server, if there is one, must refuse to run an experiment that has not ended.
  virtual void TryElsewhere(const JoinRequest& request) = 0;
  /// A server to watch at.
  virtual Experiments& lookout() = 0;
};

/// Of the kind that this binary tests.
std::unique_ptr<Servers> MakeServers();

}  // namespace gradeline

#endif  // GRADELINE_TESTS_PROPERTY_SERVERS_H_
