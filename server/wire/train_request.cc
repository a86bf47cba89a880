#include "server/wire/train_request.h"

#include <algorithm>

namespace gradeline {
namespace {

constexpr uint8_t kBatchTag = (v1::TrainRequest::kBatchFieldNumber << 3) | 2;

// Bytes before the Batch if the message is a Batch and nothing else, as every client writes it; otherwise 0. Leaves the
// stream where it was.
int BatchHeader(google::protobuf::io::ZeroCopyInputStream* in, int64_t bytes) {
  const void* data = nullptr;
  int size = 0;
  if (!in->Next(&data, &size)) return 0;
  const auto* begin = static_cast<const uint8_t*>(data);
  in->BackUp(size);
  if (size < 2 || begin[0] != kBatchTag) return 0;
  int64_t length = 0;
  for (int i = 1; i < std::min(size, 6); ++i) {
    length |= static_cast<int64_t>(begin[i] & 0x7F) << (7 * (i - 1));
    if ((begin[i] & 0x80) == 0) return i + 1 + length == bytes ? i + 1 : 0;
  }
  return 0;
}

}  // namespace

absl::Status TrainRequestReader::Read(google::protobuf::io::ZeroCopyInputStream* in, int64_t bytes) {
  kind_ = Kind::MESSAGE_NOT_SET;
  bool good = false;
  if (const int header = BatchHeader(in, bytes); header > 0) {
    good = in->Skip(header) && batch_.ParseFromBoundedZeroCopyStream(in, static_cast<int>(bytes - header));
    kind_ = Kind::kBatch;
  } else {
    good = other_.ParseFromBoundedZeroCopyStream(in, static_cast<int>(bytes));
    kind_ = other_.message_case();
    if (kind_ == Kind::kBatch) batch_.Swap(other_.mutable_batch());
  }
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError("the message is no gradeline.v1.TrainRequest");
}

}  // namespace gradeline
