// The transport half of a bidirectional stream of raw messages: reads only while there is a credit and room in the
// memory budget, writes answers in the order of their requests, ends the stream. Deliberately knows nothing of what the
// messages say.
#ifndef GRADELINE_SERVER_RPC_STREAM_PIPE_H_
#define GRADELINE_SERVER_RPC_STREAM_PIPE_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "absl/status/status.h"
#include "server/core/engine/engine.h"
#include "server/rpc/calls.h"

namespace gradeline {

/// Thread-safe. Made by Open; lives on while anybody holds it, and does nothing once gRPC is done with the call.
class StreamPipe : public std::enable_shared_from_this<StreamPipe> {
 public:
  /// A message that was read: takes a credit and its bytes of the budget until destroyed, on any thread.
  class Slot {
   public:
    Slot(std::shared_ptr<StreamPipe> pipe, int64_t bytes) : pipe_(std::move(pipe)), bytes_(bytes) {}
    ~Slot() { pipe_->Free(bytes_); }
    Slot(const Slot&) = delete;

   private:
    std::shared_ptr<StreamPipe> pipe_;
    int64_t bytes_;
  };
  using SlotRef = std::shared_ptr<Slot>;

  /// An answer that has its place in the order but may not be ready yet.
  struct Reply {
    int64_t seq = 0;
    bool ready = false;
    grpc::ByteBuffer bytes;
    SlotRef slot;
  };
  using ReplyRef = std::shared_ptr<Reply>;

  struct Handlers {
    /// A message came. gRPC's threads or whoever gave memory back: hand over and return.
    std::function<void(grpc::ByteBuffer, SlotRef)> message;
    /// The stream is being cut: nothing will be sent any more. Once or never; under a lock, so only set a flag.
    std::function<void()> cut;
    /// gRPC is done with the call. Once.
    std::function<void()> done;
    /// The bytes of Committed{seq}.
    std::function<grpc::ByteBuffer(int64_t)> committed;
  };

  /// The pipe and the reactor to give to gRPC. Reads the first message with a single credit. `context` is the call's.
  static std::pair<std::shared_ptr<StreamPipe>, grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>*> Open(
      Engine* engine, grpc::CallbackServerContext* context, CallTimer timer, Handlers handlers);

  /// From now on so many messages may be unanswered, and so many seqs begun but not committed.
  void SetWindow(int credits, int32_t max_uncommitted, int64_t committed);
  /// The newest seq that was begun.
  void Begun(int64_t seq);

  /// Whether the next message is being waited for: not while a limit holds the client back.
  bool Listens() const;

  /// Takes the next place in the order of answers.
  ReplyRef Promise(int64_t seq, SlotRef slot);
  void Fulfil(const ReplyRef& reply, grpc::ByteBuffer bytes);
  /// Promise and Fulfil in one, of a message that answers nothing.
  void Send(grpc::ByteBuffer bytes);
  /// Everything up to `seq` is durable. Sent after the answers up to it, several at once if they come faster than they
  /// are written; with `answer` even if it says nothing new.
  void Committed(int64_t seq, bool answer);

  /// Ends the stream when everything that was read has been answered; reads no more.
  void End(absl::Status status);
  /// Ends the stream now: writes the answers that are ready, what is committed, and `last` unless it is empty; drops
  /// the other answers.
  void Close(absl::Status status, grpc::ByteBuffer last = {});

  /// Cuts the stream, with ABORTED and reason STALLED, if nobody has taken the message being written for `limit`: what
  /// the stream holds of the budget is others' then.
  void CutIfStalled(std::chrono::milliseconds limit);

 private:
  class Reactor;
  class Locked;
  StreamPipe(Engine* engine, grpc::CallbackServerContext* context, CallTimer timer, Handlers handlers);

  void OnRead(bool ok);
  void OnWritten(bool ok);
  void OnCancelled();
  void OnDone();
  void AdmitRead();
  void Admitted(int64_t bytes);
  void Free(int64_t bytes);

  // With the mutex held.
  void ReadMore();
  void WriteMore();
  int64_t SendableCommit() const;
  void Write(grpc::ByteBuffer bytes);
  void CutNow();

  Engine* const engine_;
  grpc::CallbackServerContext* const context_;  // valid until gRPC is done
  const CallTimer timer_;
  std::shared_ptr<const Handlers> handlers_;  // null once gRPC is done

  mutable std::mutex mutex_;
  Reactor* reactor_ = nullptr;  // null once gRPC is done
  grpc::ByteBuffer incoming_, outgoing_, last_;
  SlotRef writing_;
  std::deque<ReplyRef> replies_;
  int credits_ = 1, used_ = 0;
  int64_t held_ = 0;             // of the budget
  std::optional<int64_t> read_;  // bytes to ask for, of the message that was read
  std::chrono::steady_clock::time_point write_began_;
  int32_t max_uncommitted_ = 1;
  int64_t begun_ = 0, committed_ = 0, committed_sent_ = 0;
  bool committed_wanted_ = false;
  bool reading_ = false, admitting_ = false, write_outstanding_ = false;
  bool ending_ = false, cut_ = false, finished_ = false;
  absl::Status final_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_STREAM_PIPE_H_
