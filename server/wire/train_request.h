// Reads the messages of a training stream. A Batch is parsed into one message that is kept, so that the memory of its
// tensors is allocated, and its pages touched, once per stream and not once per batch.
#ifndef GRADELINE_SERVER_WIRE_TRAIN_REQUEST_H_
#define GRADELINE_SERVER_WIRE_TRAIN_REQUEST_H_

#include <cstdint>

#include "absl/status/status.h"
#include "google/protobuf/io/zero_copy_stream.h"
#include "gradeline/v1/training.pb.h"

namespace gradeline {

/// The seq of a message of `bytes` bytes that is a Batch, found without keeping its tensors; 0 if there is none.
int64_t BatchSeqOf(google::protobuf::io::ZeroCopyInputStream* in, int64_t bytes);

/// Not thread-safe. What it returns is valid until the next Read.
class TrainRequestReader {
 public:
  using Kind = v1::TrainRequest::MessageCase;

  /// Parses a message of `bytes` bytes. INVALID_ARGUMENT if it is none.
  absl::Status Read(google::protobuf::io::ZeroCopyInputStream* in, int64_t bytes);
  Kind kind() const { return kind_; }
  /// kind() is kBatch.
  const v1::Batch& batch() const { return batch_; }
  /// Any other kind.
  const v1::TrainRequest& other() const { return other_; }

 private:
  Kind kind_ = Kind::MESSAGE_NOT_SET;
  v1::Batch batch_;
  v1::TrainRequest other_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_TRAIN_REQUEST_H_
