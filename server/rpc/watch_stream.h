// WatchExperiment: sends what happens to an experiment. The queue is bounded: of Progress only the newest waits, and a
// watcher that does not keep up is ended with the revision to go on from.
#ifndef GRADELINE_SERVER_RPC_WATCH_STREAM_H_
#define GRADELINE_SERVER_RPC_WATCH_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gradeline/v1/experiment.pb.h"
#include "server/core/experiment/experiments.h"
#include "server/rpc/calls.h"

namespace gradeline {

class WatchStream final : public LongStream, public std::enable_shared_from_this<WatchStream> {
 public:
  static grpc::ServerWriteReactor<v1::WatchExperimentResponse>* Open(Experiments* experiments, Calls* calls,
                                                                     const v1::WatchExperimentRequest& request);
  WatchStream(Experiments* experiments, Calls* calls);
  void Drain() override;

 private:
  class Reactor;

  void Subscribe(const v1::WatchExperimentRequest& request);
  bool Queue(const Event& event);
  void End(absl::Status status);
  void OnWritten(bool ok);
  void OnDone();
  void WriteMore();  // with the mutex held

  Experiments* const experiments_;
  Calls* const calls_;
  const CallTimer timer_;

  std::mutex mutex_;
  Reactor* reactor_ = nullptr;  // null once gRPC is done
  std::unique_ptr<Subscription> subscription_;
  std::vector<ResolvedHead> heads_;
  std::deque<v1::WatchExperimentResponse> queue_;
  v1::WatchExperimentResponse writing_;
  int64_t revision_ = 0;  // newest that was sent
  bool write_outstanding_ = false, ending_ = false, finished_ = false;
  absl::Status final_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_WATCH_STREAM_H_
