// WatchExperiment: sends what happens to an experiment, read from its history page by page as the client takes it. At
// most one page waits, however slow the client is.
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

  void Subscribe(const v1::WatchExperimentRequest& request);  // on the pool
  void Fetch();                                               // on the pool
  void Wake();
  void End(absl::Status status);
  void OnWritten(bool ok);
  void OnDone();

  // With the mutex held.
  void Take(const Subscription::News& news);
  void EndWith(absl::Status status);
  void FetchMore();
  void WriteMore();

  Experiments* const experiments_;
  Calls* const calls_;
  const CallTimer timer_;

  std::mutex mutex_;
  Reactor* reactor_ = nullptr;  // null once gRPC is done
  std::shared_ptr<Subscription> subscription_;
  std::vector<ResolvedHead> heads_;
  std::deque<v1::WatchExperimentResponse> page_;
  v1::WatchExperimentResponse writing_;
  bool stirred_ = false;  // there may be something new
  bool fetching_ = false, write_outstanding_ = false, ending_ = false, finished_ = false;
  absl::Status final_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_WATCH_STREAM_H_
