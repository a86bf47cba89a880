#include "server/rpc/raw_bytes.h"

#include <grpcpp/support/slice.h>

#include <utility>

namespace gradeline {

grpc::ByteBuffer RawBytes(const google::protobuf::MessageLite& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return {&slice, 1};
}

grpc::ByteBuffer RawBytes(std::vector<ReplyPiece> pieces) {
  std::vector<grpc::Slice> slices;
  for (ReplyPiece& piece : pieces) {
    slices.emplace_back(piece.header);
    if (piece.data.size() == 0) continue;
    auto* owner = new PooledBuffer(std::move(piece.data));
    slices.emplace_back(
        owner->data(), owner->size(), [](void* buffer) { delete static_cast<PooledBuffer*>(buffer); }, owner);
  }
  return {slices.data(), slices.size()};
}

}  // namespace gradeline
