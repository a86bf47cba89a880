// See record_window.h.
#include "client/cpp/record_window.h"

#include "absl/strings/str_cat.h"

namespace gradeline::client {

absl::StatusOr<std::vector<RecordWindow::Lost>> RecordWindow::Reconnected(int64_t committed, int credits,
                                                                          int max_uncommitted) {
  if (!joined_) {
    next_seq_ = committed + 1;
    joined_ = true;
  }
  if (committed < committed_ || committed >= next_seq_) {
    return absl::FailedPreconditionError(absl::StrCat("the server has records up to seq ", committed,
                                                      " of this rank; this worker knows that ", committed_,
                                                      " were durable and has numbered ", next_seq_ - 1));
  }
  credits_ = credits;
  max_uncommitted_ = max_uncommitted;
  stale_ = 0;
  Commit(committed);
  cursor_ = committed + 1;
  std::vector<Lost> out;
  for (auto& [seq, entry] : entries_) {
    if (seq <= committed) {
      out.push_back({seq, entry.request});
    } else {
      entry.sent = false;
    }
  }
  return out;
}

bool RecordWindow::HasRoomForBatch() const { return unanswered_ < credits_ && HasRoomForEnd(); }

bool RecordWindow::HasRoomForEnd() const { return static_cast<int>(entries_.size()) < max_uncommitted_; }

void RecordWindow::Add(Entry entry) {
  SetSeq(next_seq_, &entry.request);
  entries_.emplace(next_seq_++, std::move(entry));
}

absl::Status RecordWindow::AddBatch(v1::Batch batch, Answer answer) {
  const v1::RecordKey& key = batch.key();
  if (!keys_[{key.phase(), key.epoch()}].emplace(key.step(), key.head(), key.part()).second) {
    return absl::AlreadyExistsError(absl::StrCat("key: phase ", v1::Phase_Name(key.phase()), ", epoch ", key.epoch(),
                                                 ", step ", key.step(), ", head ", key.head(), ", part ", key.part(),
                                                 " was submitted before"));
  }
  Entry entry;
  entry.request = std::make_shared<v1::TrainRequest>();
  *entry.request->mutable_batch() = std::move(batch);
  entry.answer = std::move(answer);
  entry.awaits_answer = true;
  ++unanswered_;
  Add(std::move(entry));
  return absl::OkStatus();
}

void RecordWindow::AddEndPhase(v1::Phase phase, int64_t epoch) {
  Entry entry;
  entry.request = std::make_shared<v1::TrainRequest>();
  entry.request->mutable_end_phase()->set_phase(phase);
  entry.request->mutable_end_phase()->set_epoch(epoch);
  Add(std::move(entry));
}

int64_t RecordWindow::AddBye(std::string reason) {
  Entry entry;
  entry.request = std::make_shared<v1::TrainRequest>();
  entry.request->mutable_bye()->set_reason(std::move(reason));
  Add(std::move(entry));
  return last_seq();
}

std::shared_ptr<const v1::TrainRequest> RecordWindow::Next() {
  const auto found = entries_.lower_bound(cursor_);
  if (found == entries_.end()) return nullptr;
  Entry& entry = found->second;
  if (entry.request->has_end_phase() || entry.request->has_bye()) {
    if (unanswered_ > 0) return nullptr;
    if (entry.request->has_end_phase()) {
      v1::EndPhase& end = *entry.request->mutable_end_phase();
      const auto keys = keys_.find({end.phase(), end.epoch()});
      end.set_records(keys == keys_.end() ? 0 : static_cast<int64_t>(keys->second.size()));
    }
  }
  entry.sent = true;
  cursor_ = found->first + 1;
  return entry.request;
}

Answer RecordWindow::Settle(std::map<int64_t, Entry>::iterator entry) {
  Answer answer = std::move(entry->second.answer);
  entry->second.answer = nullptr;
  entry->second.awaits_answer = false;
  --unanswered_;
  if (entry->first <= committed_) entries_.erase(entry);
  return answer;
}

Answer RecordWindow::TakeResult(const v1::Result& result) {
  const auto found = entries_.find(result.seq());
  if (found == entries_.end() || !found->second.awaits_answer) return nullptr;
  // The tensors may go: from now on the record is enough.
  found->second.request = std::make_shared<v1::TrainRequest>();
  *found->second.request->mutable_replay()->mutable_record() = result.record();
  return Settle(found);
}

Answer RecordWindow::TakeRefused(const v1::Refused& refused) {
  if (!refused.seq_taken()) return GiveBack(refused.seq());
  const auto found = entries_.find(refused.seq());
  if (found == entries_.end() || !found->second.awaits_answer) return nullptr;
  if (refused.has_record()) {
    found->second.request = std::make_shared<v1::TrainRequest>();
    *found->second.request->mutable_replay()->mutable_record() = refused.record();
  }
  return Settle(found);
}

Answer RecordWindow::TakeLost(int64_t seq) {
  const auto found = entries_.find(seq);
  return found == entries_.end() || !found->second.awaits_answer ? nullptr : Settle(found);
}

// The server still expects `seq` and refuses, in order, every batch that is on its way after it.
Answer RecordWindow::GiveBack(int64_t seq) {
  if (stale_ > 0) {
    --stale_;
    return nullptr;
  }
  const auto found = entries_.find(seq);
  if (found == entries_.end() || !found->second.awaits_answer) return nullptr;
  const v1::RecordKey key = found->second.request->batch().key();
  keys_[{key.phase(), key.epoch()}].erase({key.step(), key.head(), key.part()});
  Answer answer = std::move(found->second.answer);
  --unanswered_;
  std::vector<Entry> later;
  for (auto it = std::next(found); it != entries_.end(); ++it) {
    stale_ += it->second.sent ? 1 : 0;
    later.push_back(std::move(it->second));
  }
  entries_.erase(found, entries_.end());
  next_seq_ = seq;
  cursor_ = seq;
  for (Entry& entry : later) {
    entry.sent = false;
    Add(std::move(entry));
  }
  return answer;
}

// A request that is being written belongs to the writer too; then this window goes on with a copy.
void RecordWindow::SetSeq(int64_t seq, std::shared_ptr<v1::TrainRequest>* request) {
  if (request->use_count() > 1) *request = std::make_shared<v1::TrainRequest>(**request);
  if ((*request)->has_batch()) (*request)->mutable_batch()->set_seq(seq);
  if ((*request)->has_end_phase()) (*request)->mutable_end_phase()->set_seq(seq);
  if ((*request)->has_bye()) (*request)->mutable_bye()->set_seq(seq);
}

void RecordWindow::Commit(int64_t seq) {
  committed_ = std::max(committed_, seq);
  for (auto it = entries_.begin(); it != entries_.end() && it->first <= committed_;) {
    it = it->second.awaits_answer ? std::next(it) : entries_.erase(it);
  }
}

void RecordWindow::Sealed(v1::Phase phase, int64_t epoch) { keys_.erase({phase, epoch}); }

std::vector<Answer> RecordWindow::TakeAll() {
  std::vector<Answer> out;
  for (auto& [seq, entry] : entries_) {
    if (entry.awaits_answer) out.push_back(std::move(entry.answer));
  }
  entries_.clear();
  unanswered_ = 0;
  return out;
}

}  // namespace gradeline::client
