#include "server/core/experiment/ledger.h"

#include <algorithm>
#include <utility>

#include "server/core/base/status.h"

namespace gradeline {

Ledger::Ledger(Store* store, const Clock* clock, Hooks hooks)
    : store_(store), clock_(clock), hooks_(std::move(hooks)), thread_([this] { Loop(); }) {}

Ledger::~Ledger() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void Ledger::Post(Command command) {
  absl::MutexLock lock(&mutex_);
  if (own_ != std::this_thread::get_id()) {
    mutex_.Await(absl::Condition(
        +[](std::deque<Command>* queue) { return queue->size() < kQueueCommands; }, &queue_));
  }
  queue_.push_back(std::move(command));
}

std::vector<Command> Ledger::Take(bool* idle) {
  std::vector<Command> taken;
  absl::MutexLock lock(&mutex_);
  const auto ready = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stopping_ || !queue_.empty(); };
  absl::Duration longest = tick_;
  if (wants_care_) longest = std::min(longest, absl::Milliseconds(200));
  mutex_.AwaitWithTimeout(absl::Condition(&ready), longest);
  while (!queue_.empty() && taken.size() < kGroupCommands) {
    const bool alone = queue_.front().kind == Command::kAlone;
    if (alone && !taken.empty()) break;
    taken.push_back(std::move(queue_.front()));
    queue_.pop_front();
    if (alone) break;
  }
  *idle = queue_.empty();
  return taken;
}

void Ledger::Loop() {
  {
    absl::MutexLock lock(&mutex_);
    own_ = std::this_thread::get_id();
  }
  while (true) {
    bool idle = false;
    std::vector<Command> commands = Take(&idle);
    if (commands.empty()) {
      absl::MutexLock lock(&mutex_);
      if (stopping_ && queue_.empty()) return;
    } else {
      RunGroup(std::move(commands));
      wants_care_ = true;
    }
    if (wants_care_) {
      // A checkpoint that fails costs disk space, nothing else, unless the store is broken for good.
      const absl::Status cared = store_->Maintain(idle);
      wants_care_ = !cared.ok();
      if (absl::IsDataLoss(cared)) hooks_.failed(cared);
    }
    tick_ = hooks_.tick(idle);
  }
}

// Runs the commands in one transaction and commits it. Not OK: nothing of it happened.
absl::Status Ledger::Attempt(std::vector<Command>& commands, std::vector<absl::Status>& statuses,
                             std::unique_ptr<Transaction>& transaction, Group& group) {
  std::vector<RecordPlace> records;
  for (const Command& command : commands) {
    if (command.record) records.push_back(*command.record);
  }
  if (!records.empty()) GRADELINE_RETURN_IF_ERROR(transaction->Foresee(records));
  for (size_t i = 0; i < commands.size(); ++i) {
    Command& command = commands[i];
    if (command.kind == Command::kNotice) continue;
    if (command.kind == Command::kRecord) {
      GRADELINE_RETURN_IF_ERROR(command.run(group));
    } else {
      // What was staged must be in the database before a savepoint, and what is read inside it must not outlive its
      // undoing.
      GRADELINE_RETURN_IF_ERROR(group.WriteBack());
      const size_t effects = group.effects().size();
      statuses[i] = transaction->Nested([&] {
        GRADELINE_RETURN_IF_ERROR(command.run(group));
        return group.WriteBack();
      });
      group.Forget();
      if (!statuses[i].ok()) group.effects().resize(effects);
    }
    GRADELINE_RETURN_IF_ERROR(transaction->failure());
  }
  GRADELINE_RETURN_IF_ERROR(group.WriteBack());
  return transaction->Commit();
}

void Ledger::RunGroup(std::vector<Command> commands) {
  std::vector<absl::Status> statuses(commands.size());
  absl::StatusOr<std::unique_ptr<Transaction>> transaction = store_->Begin();
  absl::Status failure = transaction.status();
  if (failure.ok()) {
    Group group(transaction->get(), clock_);
    failure = Attempt(commands, statuses, *transaction, group);
    if (failure.ok()) {
      for (size_t i = 0; i < commands.size(); ++i) {
        if (commands[i].kind != Command::kNotice) commands[i].done(statuses[i]);
      }
      hooks_.committed(group);
      for (Command& command : commands) {
        if (command.kind == Command::kNotice) command.done(absl::OkStatus());
      }
      return;
    }
    transaction->reset();
  }
  hooks_.failed(failure);
  for (Command& command : commands) command.done(command.kind == Command::kNotice ? absl::OkStatus() : failure);
}

}  // namespace gradeline
