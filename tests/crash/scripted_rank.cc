#include "tests/crash/scripted_rank.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/experiment/codec.h"
#include "server/store/sqlite/test_sqlite.h"

namespace gradeline {
namespace {

// Longer than the ledger may ever be busy.
constexpr absl::Duration kPatience = absl::Seconds(10);

RecordFate FateOf(Message::Kind kind) {
  if (kind == Message::kDuplicate) return RecordFate::kDuplicate;
  return kind == Message::kConflict ? RecordFate::kConflict : RecordFate::kCommitted;
}

Record RandomRecord(std::mt19937_64& random, const RecordKey& key) {
  const auto value = 1.0 + static_cast<double>(random() % 100'000) / 7e3;
  Record record = TestRecord(0, key, value, 1 + static_cast<int64_t>(random() % 40));
  for (uint8_t& byte : record.digest) byte = static_cast<uint8_t>(random());
  if (random() % 8 != 0) return record;
  record.code = static_cast<int32_t>(absl::StatusCode::kInvalidArgument);
  record.items = 0;
  record.values.clear();
  record.metrics.clear();
  return record;
}

}  // namespace

Plan ScriptOf(std::mt19937_64& random, int32_t rank) {
  Plan plan;
  const auto add = [&plan](Message message) {
    message.record.seq = static_cast<int64_t>(plan.size()) + 1;
    plan.push_back(std::move(message));
  };
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    for (const Phase phase : {Phase::kTrain, Phase::kValidation}) {
      Message end{Message::kEnd, {}, {phase, epoch}, 0};
      for (int64_t step = 0, steps = 4 + rank + static_cast<int64_t>(random() % 4); step < steps; ++step) {
        Message message{Message::kRecord, RandomRecord(random, {phase, epoch, step, 0, 0}), end.phase, 0};
        add(message);
        ++end.count;
        if (random() % 6 != 0) continue;
        message.kind = random() % 2 == 0 ? Message::kDuplicate : Message::kConflict;
        if (message.kind == Message::kConflict) message.record.digest[0] ^= 1;
        add(message);
      }
      add(end);
    }
  }
  add({Message::kBye, {}, {}, 0});
  return plan;
}

absl::Status ScriptedRank::Join(Experiments& experiments, const std::string& token,
                                const std::shared_ptr<RankListener>& self) {
  JoinRequest request;
  request.experiment = "e";
  request.token = token;
  request.rank = rank_;
  request.world_size = kRanks;
  request.instance = std::string(16, static_cast<char>('a' + rank_));
  auto joined = experiments.Join(request, self);
  if (absl::IsFailedPrecondition(joined.status())) {
    next_ = plan_.size();  // its goodbye is committed
    return absl::OkStatus();
  }
  GRADELINE_RETURN_IF_ERROR(joined.status());
  session_ = *std::move(joined);
  next_ = static_cast<size_t>(session_->welcome().committed_seq);
  return absl::OkStatus();
}

bool ScriptedRank::Through(int64_t epoch) const {
  if (next_ == plan_.size()) return true;
  const bool last = epoch + 1 == kEpochs;
  return !last && (plan_[next_].kind == Message::kBye || plan_[next_].phase.epoch > epoch);
}

bool ScriptedRank::Send(int64_t epoch, uint64_t most) {
  bool sent = false;
  for (; most > 0 && !Through(epoch) && SendNext(); --most) sent = true;
  return sent;
}

bool ScriptedRank::SendNext() {
  const Message& message = plan_[next_];
  const auto seq = static_cast<int64_t>(next_) + 1;
  if (message.kind != Message::kBye && !session_->CheckKey({message.phase.phase, message.phase.epoch}).ok()) {
    return false;
  }
  if (!session_->Begin(seq).ok()) return false;
  const auto done = [this, seq](RecordFate fate, const absl::Status& status) { Answered(seq, fate, status); };
  if (message.kind == Message::kBye) {
    session_->Bye(seq, "", done);
  } else if (message.kind == Message::kEnd) {
    if (!session_->EndPhase(seq, message.phase.phase, message.phase.epoch, message.count, done).ok()) return false;
  } else {
    session_->Report(message.record, done);
  }
  ++next_;
  return true;
}

void ScriptedRank::Answered(int64_t seq, RecordFate fate, const absl::Status& status) {
  if (fate == FateOf(plan_[static_cast<size_t>(seq - 1)].kind)) {
    witness_({Promise::kCommitted, rank_, seq, ""});
    return;
  }
  const absl::MutexLock lock(&mutex_);
  if (!failure_.ok()) return;
  failure_ = fate == RecordFate::kFailed
                 ? status
                 : absl::InternalError(absl::StrCat("rank ", rank_, ", seq ", seq, " ended as ", static_cast<int>(fate),
                                                    ": ", status.ToString()));
}

absl::Status ScriptedRank::failure() {
  const absl::MutexLock lock(&mutex_);
  return failure_;
}

void ScriptedRank::Hold(absl::Notification* held, absl::Notification* released) {
  {
    const absl::MutexLock lock(&mutex_);
    held_ = held;
    released_ = released;
  }
  session_->Flush();
  held->WaitForNotificationWithTimeout(kPatience);
}

void ScriptedRank::OnCommitted(int64_t seq) {
  witness_({Promise::kCommitted, rank_, seq, ""});
  absl::Notification *held = nullptr, *released = nullptr;
  {
    const absl::MutexLock lock(&mutex_);
    held = std::exchange(held_, nullptr);
    released = released_;
  }
  if (held == nullptr) return;
  held->Notify();
  released->WaitForNotificationWithTimeout(kPatience);
}

void ScriptedRank::OnSealed(const Seal& seal) { witness_({Promise::kSealed, rank_, 0, Encode(seal)}); }

}  // namespace gradeline
