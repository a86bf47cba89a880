// Unary calls that compute: raw bytes in, admitted by the engine's memory budget, parsed and run on a lane.
#ifndef GRADELINE_SERVER_RPC_LANE_CALL_H_
#define GRADELINE_SERVER_RPC_LANE_CALL_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/core/engine/engine.h"
#include "server/rpc/calls.h"
#include "server/wire/status.h"

namespace gradeline {

/// Lanes for such calls, as many as calls ever ran at a time. Thread-safe.
class LanePool {
 public:
  explicit LanePool(Engine* engine) : engine_(engine) {}

  std::shared_ptr<Lane> Take() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        std::shared_ptr<Lane> lane = std::move(idle_.back());
        idle_.pop_back();
        return lane;
      }
    }
    return engine_->OpenLane();
  }

  void GiveBack(std::shared_ptr<Lane> lane) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(lane));
  }

  Engine* engine() const { return engine_; }

 private:
  Engine* const engine_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<Lane>> idle_;
};

/// Finishes exactly once; gRPC keeps request and response until then, and this until OnDone.
template <typename Request>
class LaneCall : public grpc::ServerUnaryReactor {
 public:
  LaneCall(std::string_view method, LanePool* lanes, Calls* calls, const grpc::ByteBuffer* request,
           grpc::ByteBuffer* response)
      : lanes_(lanes), calls_(calls), timer_(calls->Timer(method)), response_(response) {
    // gRPC keeps the request until the call ends, and would keep the bytes beside the parsed message.
    bytes_.Swap(const_cast<grpc::ByteBuffer*>(request));
  }

  void Start() {
    const auto size = static_cast<int64_t>(bytes_.Length());
    if (const absl::Status status = calls_->CheckSize(size); !status.ok()) return Finish(timer_.End(status));
    admitted_ = 2 * size;
    // Once it is granted, another thread may finish this call before the next line is reached.
    const absl::Status admitted = lanes_->engine()->AdmitOrRefuse(admitted_, [this] {
      lane_ = lanes_->Take();
      lane_->Post([this] { Parse(); });
    });
    if (!admitted.ok()) Finish(timer_.End(admitted));
  }

  void OnDone() override { delete this; }

 protected:
  /// On the lane: leads to one End or Answer.
  virtual void Run() = 0;

  const Request& request() const { return request_; }
  Lane& lane() { return *lane_; }

  /// RESOURCE_EXHAUSTED if a reply of so many bytes is longer than messages may be.
  absl::Status CheckReply(int64_t bytes) const {
    const int64_t limit = calls_->max_message_bytes();
    return bytes > limit ? MessageTooLarge("the reply", bytes, limit) : absl::OkStatus();
  }

  void Answer(grpc::ByteBuffer reply) {
    const absl::Status status = CheckReply(static_cast<int64_t>(reply.Length()));
    if (status.ok()) response_->Swap(&reply);
    End(status);
  }

  /// On the lane. Finish comes last: after it gRPC deletes this, and a server that stops deletes the pool.
  void End(const absl::Status& status) {
    lanes_->GiveBack(std::move(lane_));
    lanes_->engine()->Release(admitted_);
    Finish(timer_.End(status));
  }

 private:
  void Parse() {
    grpc::ProtoBufferReader in(&bytes_);
    const bool parsed = request_.ParseFromZeroCopyStream(&in);
    bytes_.Clear();
    if (parsed) return Run();
    End(absl::InvalidArgumentError(absl::StrCat("the message is no ", Request::descriptor()->full_name())));
  }

  LanePool* const lanes_;
  Calls* const calls_;
  const CallTimer timer_;
  grpc::ByteBuffer bytes_;
  grpc::ByteBuffer* const response_;
  Request request_;
  int64_t admitted_ = 0;
  std::shared_ptr<Lane> lane_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_LANE_CALL_H_
