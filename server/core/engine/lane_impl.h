// A lane's queue: one piece of work at a time, in order, each a step of the executor of its own.
#ifndef GRADELINE_SERVER_CORE_ENGINE_LANE_IMPL_H_
#define GRADELINE_SERVER_CORE_ENGINE_LANE_IMPL_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "server/core/engine/batch_run.h"
#include "server/core/engine/engine.h"

namespace gradeline {

struct Lane::Impl {
  explicit Impl(EngineParts& shared) : parts(shared) {}

  void RunNext();  ///< a step: the next piece of work
  void EndWork();  ///< starts the computation that the work asked for, or ends it

  EngineParts& parts;
  std::mutex mutex;
  std::condition_variable idle;
  std::deque<std::function<void()>> queue;
  bool busy = false, closed = false;
  std::optional<std::pair<LossCall, BatchRun::Done>> asked;  ///< touched by the running piece of work only
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_ENGINE_LANE_IMPL_H_
