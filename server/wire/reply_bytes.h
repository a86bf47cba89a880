// Replies with tensors, written by hand so that a gradient goes from the engine's buffer to the socket without a copy.
#ifndef GRADELINE_SERVER_WIRE_REPLY_BYTES_H_
#define GRADELINE_SERVER_WIRE_REPLY_BYTES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "google/protobuf/message_lite.h"
#include "server/core/engine/engine.h"
#include "server/core/loss/loss_info.h"
#include "server/core/tensor/buffer_pool.h"

namespace gradeline {

/// A run of a message: `header`, then `data`.
struct ReplyPiece {
  std::string header;
  PooledBuffer data;
};

/// A field of a message that is a gradeline.v1.Tensor, or one of several.
struct ReplyTensor {
  int field = 0;
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  PooledBuffer data;
};

/// `gradients` as the repeated field `field`, named after the loss's tensors.
std::vector<ReplyTensor> ReplyGradients(int field, std::vector<GradientResult> gradients,
                                        const std::vector<TensorSpec>& specs);

/// The bytes of `message` followed by `tensors`. With `envelope` above 0 all of it is that field of an outer message.
std::vector<ReplyPiece> ReplyBytes(const google::protobuf::MessageLite& message, std::vector<ReplyTensor> tensors,
                                   int envelope);

/// Bytes of all pieces.
int64_t ByteCount(const std::vector<ReplyPiece>& pieces);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_REPLY_BYTES_H_
