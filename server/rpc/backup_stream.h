// BackupDatabase: takes a snapshot and sends its bytes, one chunk at a time as the client takes them. The snapshot's
// room on the disk is held until the call ends, so a client that takes nothing is cut.
#ifndef GRADELINE_SERVER_RPC_BACKUP_STREAM_H_
#define GRADELINE_SERVER_RPC_BACKUP_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>

#include "gradeline/v1/admin.pb.h"
#include "server/core/base/sha256.h"
#include "server/core/experiment/experiments.h"
#include "server/rpc/calls.h"

namespace gradeline {

class BackupStream final : public LongStream, public std::enable_shared_from_this<BackupStream> {
 public:
  static grpc::ServerWriteReactor<v1::BackupDatabaseResponse>* Open(Experiments* experiments, Calls* calls,
                                                                    grpc::CallbackServerContext* context);
  BackupStream(Experiments* experiments, Calls* calls, grpc::CallbackServerContext* context);
  void Drain() override;
  void CutIfStalled(std::chrono::milliseconds limit) override;

 private:
  class Reactor;

  void Begin();  // on the pool
  void Fetch();  // on the pool
  void OnWritten(bool ok);
  void OnDone();
  /// Ends the call, after the message that is being written.
  void End(absl::Status status);
  void FinishLocked();

  Experiments* const experiments_;
  Calls* const calls_;
  const CallTimer timer_;

  // One step at a time: the pool's, then the write's.
  std::unique_ptr<Snapshot> snapshot_;
  int64_t sent_ = 0;
  Sha256 digest_;
  v1::BackupDatabaseResponse writing_;

  std::atomic<bool> ending_{false};
  std::mutex mutex_;
  grpc::CallbackServerContext* context_;  // null once gRPC is done
  Reactor* reactor_ = nullptr;
  bool working_ = true;  // a step runs: whoever ends it finishes the call
  bool write_outstanding_ = false, finished_ = false;
  std::chrono::steady_clock::time_point write_began_;
  absl::Status final_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_BACKUP_STREAM_H_
