// What a rank keeps of its messages: numbering, what may be sent next, what must be replayed, what is durable. Pure
// bookkeeping of docs/protocol.md: no threads, no gRPC calls, no time.
#ifndef GRADELINE_CLIENT_CPP_RECORD_WINDOW_H_
#define GRADELINE_CLIENT_CPP_RECORD_WINDOW_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "gradeline/v1/training.pb.h"

namespace gradeline::client {

/// Called once per batch with its result, or with why it was refused.
using Answer = std::function<void(absl::StatusOr<v1::Result>)>;

/// Not thread-safe.
class RecordWindow {
 public:
  /// A durable batch whose answer was lost with the connection.
  struct Lost {
    int64_t seq = 0;
    std::shared_ptr<const v1::TrainRequest> request;
  };

  /// Adopts what a Welcome says and lets everything above `committed` be sent again: records that had an answer as
  /// Replay, the rest whole. Gives the batches that are durable without their answer having come. FAILED_PRECONDITION
  /// if the server has fewer or more records than this window knows of.
  absl::StatusOr<std::vector<Lost>> Reconnected(int64_t committed, int credits, int max_uncommitted);

  /// Whether AddBatch, and AddEndPhase or AddBye, stay within credits and the uncommitted limit.
  bool HasRoomForBatch() const;
  bool HasRoomForEnd() const;

  /// Appends a message; its seq is set here. ALREADY_EXISTS for a key that was added before in an open phase.
  absl::Status AddBatch(v1::Batch batch, Answer answer);
  void AddEndPhase(v1::Phase phase, int64_t epoch);
  int64_t AddBye(std::string reason);

  /// The next message to send, marked as sent; null if there is none now. EndPhase and Bye wait until every batch
  /// before them has an answer: only then is the number of records final.
  std::shared_ptr<const v1::TrainRequest> Next();

  /// The callback of the batch that `result` answers; empty if it had its answer.
  Answer TakeResult(const v1::Result& result);
  /// The same for a refusal. One without a record gives its seq back, and what was sent after it is numbered anew.
  Answer TakeRefused(const v1::Refused& refused);
  /// The callback of a Lost batch, answered in another way.
  Answer TakeLost(int64_t seq);

  void Commit(int64_t seq);
  /// The phase is sealed: its keys are forgotten.
  void Sealed(v1::Phase phase, int64_t epoch);

  /// All callbacks that are still owed, oldest first. Nothing is kept.
  std::vector<Answer> TakeAll();

  int64_t last_seq() const { return next_seq_ - 1; }
  int64_t committed() const { return committed_; }
  int unanswered() const { return unanswered_; }
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::shared_ptr<v1::TrainRequest> request;  // a Batch, later its Replay; an EndPhase or a Bye
    Answer answer;                              // of a batch without an answer
    bool awaits_answer = false;
    bool sent = false;
  };
  using PhaseKey = std::pair<int, int64_t>;
  using RecordKey = std::tuple<int64_t, std::string, int32_t>;

  void Add(Entry entry);
  Answer Settle(std::map<int64_t, Entry>::iterator entry);
  Answer GiveBack(int64_t seq);
  static void SetSeq(int64_t seq, std::shared_ptr<v1::TrainRequest>* request);

  std::map<int64_t, Entry> entries_;                   // by seq
  std::map<PhaseKey, std::set<RecordKey>> keys_;       // of phases that are not sealed
  int64_t next_seq_ = 1, committed_ = 0, cursor_ = 1;  // cursor_: the seq to send next
  int unanswered_ = 0, stale_ = 0;  // stale_: refusals still to come of batches that were sent under a seq given back
  int credits_ = 1, max_uncommitted_ = 1;
  bool joined_ = false;
};

}  // namespace gradeline::client

#endif  // GRADELINE_CLIENT_CPP_RECORD_WINDOW_H_
