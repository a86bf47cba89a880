#include "server/wire/train_request.h"

#include <algorithm>

#include "google/protobuf/io/coded_stream.h"

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

int64_t BatchSeqOf(google::protobuf::io::ZeroCopyInputStream* in, int64_t bytes) {
  const int header = BatchHeader(in, bytes);
  if (header == 0 || !in->Skip(header)) return 0;
  google::protobuf::io::CodedInputStream coded(in);
  for (uint32_t tag = coded.ReadTag(); tag != 0; tag = coded.ReadTag()) {
    uint64_t value = 0;
    uint32_t length = 0;
    switch (tag & 7) {
      case 0:
        if (!coded.ReadVarint64(&value)) return 0;
        if (tag >> 3 == v1::Batch::kSeqFieldNumber) return static_cast<int64_t>(value);
        break;
      case 1:
        if (!coded.Skip(8)) return 0;
        break;
      case 2:
        if (!coded.ReadVarint32(&length) || !coded.Skip(static_cast<int>(length))) return 0;
        break;
      case 5:
        if (!coded.Skip(4)) return 0;
        break;
      default:
        return 0;
    }
  }
  return 0;
}

absl::Status TrainRequestReader::Read(google::protobuf::io::ZeroCopyInputStream* in, int64_t bytes) {
  kind_ = Kind::MESSAGE_NOT_SET;
  bool good = false;
  // Parsed to the end of the stream: protobuf's bounded parser backs up further than streams allow when a message is
  // malformed.
  if (const int header = BatchHeader(in, bytes); header > 0) {
    good = in->Skip(header) && batch_.ParseFromZeroCopyStream(in);
    kind_ = Kind::kBatch;
  } else {
    good = other_.ParseFromZeroCopyStream(in);
    kind_ = other_.message_case();
    if (kind_ == Kind::kBatch) batch_.Swap(other_.mutable_batch());
  }
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError("the message is no gradeline.v1.TrainRequest");
}

}  // namespace gradeline
