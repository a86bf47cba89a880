// One rank's training stream: what its messages mean. Parses and computes on the engine's lane, in the order the
// messages came; order and durability are the session's, reading and writing the pipe's.
#ifndef GRADELINE_SERVER_RPC_TRAIN_STREAM_H_
#define GRADELINE_SERVER_RPC_TRAIN_STREAM_H_

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/core/engine/engine.h"
#include "server/core/experiment/experiments.h"
#include "server/core/experiment/rank_session.h"
#include "server/rpc/calls.h"
#include "server/rpc/stream_pipe.h"
#include "server/wire/train_request.h"

namespace gradeline {

class TrainStream final : public RankListener, public LongStream, public std::enable_shared_from_this<TrainStream> {
 public:
  /// Begins a stream; gives the reactor for gRPC.
  static grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Open(Experiments* experiments, Engine* engine,
                                                                           Calls* calls,
                                                                           grpc::CallbackServerContext* context);
  TrainStream(Experiments* experiments, Engine* engine, Calls* calls);

  void OnCommitted(int64_t seq) override;
  void OnSealed(const Seal& seal) override;
  void OnRanks(const std::vector<LateRank>& suspect, const std::vector<LateRank>& gone) override;
  bool Listens() const override { return pipe_->Listens(); }
  void OnStop(ExperimentState state, const std::string& reason) override;
  void OnSuperseded() override;
  void Drain() override;
  void CutIfStalled(std::chrono::milliseconds limit) override;

 private:
  struct Computation;  // one batch from its parsing to its answer

  // On the lane, one message at a time.
  void Handle(grpc::ByteBuffer bytes, StreamPipe::SlotRef slot);
  void HandleOther(const v1::TrainRequest& request, StreamPipe::SlotRef slot);
  void HandleHello(const v1::Hello& hello, StreamPipe::SlotRef slot);
  void HandleBatch(StreamPipe::SlotRef slot);
  void HandleReplay(const v1::Replay& replay, const StreamPipe::SlotRef& slot);
  void HandleEndPhase(const v1::EndPhase& end, const StreamPipe::SlotRef& slot);
  void HandleBye(const v1::Bye& bye, const StreamPipe::SlotRef& slot);
  /// A message that was not parsed, because of `why`: refused if it is a Batch with a seq, else the stream ends.
  void HandleUnread(grpc::ByteBuffer bytes, const absl::Status& why, StreamPipe::SlotRef slot);
  /// True if `seq` is the next one; otherwise it has been answered or the stream ended. `slot` is the message's.
  bool IsNext(int64_t seq, const StreamPipe::SlotRef& slot);
  /// Takes the next seq.
  void Begin(int64_t seq);
  void Compute(const std::shared_ptr<Computation>& work);
  void Evaluate(const std::shared_ptr<Computation>& work);
  void Computed(const std::shared_ptr<Computation>& batch, absl::StatusOr<LossResult> result);
  void ReportResult(const std::shared_ptr<Computation>& batch, LossResult result);
  void ReportRefused(const std::shared_ptr<Computation>& batch, const absl::Status& status);
  /// Reports the record; the answer goes out now (training) or after the commit.
  void Answer(const std::shared_ptr<Computation>& batch, Record record, grpc::ByteBuffer answer);
  void RefuseUnrecorded(int64_t seq, const absl::Status& status, StreamPipe::SlotRef slot);

  // On the pool.
  void Join(const JoinRequest& request, StreamPipe::SlotRef slot);
  /// Runs `event`, or keeps it until the Welcome was sent.
  void AfterWelcome(std::function<void()> event);
  // On the ledger thread. True if the record is stored. Otherwise the worker is told: in `reply`, if one waits.
  bool Settled(int64_t seq, RecordFate fate, const absl::Status& status, StreamPipe::ReplyRef reply = nullptr);

  void Done();

  Experiments* const experiments_;
  Engine* const engine_;
  Calls* const calls_;
  std::shared_ptr<StreamPipe> pipe_;
  std::unique_ptr<Lane> lane_;
  std::vector<ResolvedHead> resolved_heads_;  // set by Join; for seals, which come on the ledger's thread
  std::atomic<bool> cut_{false};              // nothing will be sent any more
  std::atomic<int64_t> committed_{0};
  std::mutex welcome_mutex_;
  bool welcomed_ = false;                       // guarded by welcome_mutex_
  std::vector<std::function<void()>> waiting_;  // events before the Welcome; guarded by welcome_mutex_

  // The lane's.
  std::shared_ptr<RankSession> session_;  // set after Join, before the next message
  TrainRequestReader reader_;
  bool hello_seen_ = false;
  int64_t unrecorded_ = 0;  // a seq that was refused without a record and is expected again; 0: none
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_TRAIN_STREAM_H_
