// The ledger thread: every write of the process goes through it, in groups, each one transaction. Knows order,
// durability and failure; the rules of what is written are in rules.h.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_LEDGER_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_LEDGER_H_

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/core/base/clock.h"
#include "server/core/experiment/group.h"
#include "server/core/experiment/store.h"

namespace gradeline {

/// One write.
struct Command {
  enum Kind {
    kRecord,  ///< runs without a savepoint, so that its failure loses the group; what it refuses it must not call a
              ///< failure
    kAtomic,  ///< its failure undoes what it wrote
    kAlone,   ///< as kAtomic, and large: a group of its own, so that its failure takes no other along
    kNotice,  ///< writes nothing: only `done`, after everything of its group
  };
  Kind kind = kAtomic;
  std::optional<RecordPlace> record;              ///< what it will insert
  std::function<absl::Status(Group&)> run;        ///< in the transaction; its status goes to done
  std::function<void(const absl::Status&)> done;  ///< after the commit, or with the failure of the whole group
};

/// Groups form by themselves: while one commits, the next gathers. A lone command is committed at once, so nothing ever
/// waits for a timer.
class Ledger {
 public:
  struct Hooks {
    std::function<void(Group&)> committed;            ///< after a commit and its commands' done
    std::function<void(const absl::Status&)> failed;  ///< a group was lost
    /// At the start, after each group, and while there are none after as long as it said the last time. `idle`: nothing
    /// waits.
    std::function<absl::Duration(bool idle)> tick;
  };
  static constexpr size_t kGroupCommands = 256;
  static constexpr size_t kQueueCommands = 1 << 16;

  Ledger(Store* store, const Clock* clock, Hooks hooks);
  ~Ledger();  ///< commits what is queued

  /// Blocks while the queue is full, except on the ledger thread.
  void Post(Command command);

 private:
  void Loop();
  /// What is to be done next; empty when it is time for a tick or for care, or to stop.
  std::vector<Command> Take(bool* idle);
  void RunGroup(std::vector<Command> commands);
  absl::Status Attempt(std::vector<Command>& commands, std::vector<absl::Status>& statuses,
                       std::unique_ptr<Transaction>& transaction, Group& group);

  Store* const store_;
  const Clock* const clock_;
  const Hooks hooks_;
  absl::Mutex mutex_;
  std::deque<Command> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread::id own_ ABSL_GUARDED_BY(mutex_);
  absl::Duration tick_ = absl::ZeroDuration();
  bool wants_care_ = false;  // the store is to be maintained again soon
  std::thread thread_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_LEDGER_H_
