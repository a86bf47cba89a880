// Between gRPC's raw messages and protobuf without copies of what is large.
#ifndef GRADELINE_SERVER_RPC_RAW_BYTES_H_
#define GRADELINE_SERVER_RPC_RAW_BYTES_H_

#include <grpcpp/support/byte_buffer.h>

#include <vector>

#include "google/protobuf/message_lite.h"
#include "server/wire/reply_bytes.h"

namespace gradeline {

grpc::ByteBuffer RawBytes(const google::protobuf::MessageLite& message);

/// The pieces as slices; gradients go back to their pool when gRPC has sent them.
grpc::ByteBuffer RawBytes(std::vector<ReplyPiece> pieces);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_RAW_BYTES_H_
