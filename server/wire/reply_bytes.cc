#include "server/wire/reply_bytes.h"

#include <utility>

#include "gradeline/v1/tensor.pb.h"

namespace gradeline {
namespace {

void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

// Tag and length of a length-delimited field.
void AppendField(int field, uint64_t length, std::string* out) {
  AppendVarint(static_cast<uint64_t>(field) << 3 | 2, out);
  AppendVarint(length, out);
}

}  // namespace

std::vector<ReplyTensor> ReplyGradients(int field, std::vector<GradientResult> gradients,
                                        const std::vector<TensorSpec>& specs) {
  std::vector<ReplyTensor> tensors;
  for (GradientResult& gradient : gradients) {
    tensors.push_back(
        {field, specs[gradient.tensor].name, gradient.dtype, std::move(gradient.shape), std::move(gradient.data)});
  }
  return tensors;
}

std::vector<ReplyPiece> ReplyBytes(const google::protobuf::MessageLite& message, std::vector<ReplyTensor> tensors,
                                   int envelope) {
  std::vector<ReplyPiece> pieces;
  std::string header = message.SerializeAsString();
  for (ReplyTensor& tensor : tensors) {
    v1::Tensor proto;
    proto.set_name(tensor.name);
    proto.set_data_type(static_cast<v1::DataType>(tensor.dtype));
    proto.mutable_shape()->Assign(tensor.shape.begin(), tensor.shape.end());
    std::string own = proto.SerializeAsString();
    AppendField(v1::Tensor::kDataFieldNumber, tensor.data.size(), &own);
    AppendField(tensor.field, own.size() + tensor.data.size(), &header);
    pieces.push_back({std::move(header) + own, std::move(tensor.data)});
    header.clear();
  }
  if (pieces.empty()) pieces.push_back({std::move(header), PooledBuffer()});
  if (envelope > 0) {
    std::string outer;
    AppendField(envelope, static_cast<uint64_t>(ByteCount(pieces)), &outer);
    pieces.front().header.insert(0, outer);
  }
  return pieces;
}

int64_t ByteCount(const std::vector<ReplyPiece>& pieces) {
  size_t bytes = 0;
  for (const ReplyPiece& piece : pieces) bytes += piece.header.size() + piece.data.size();
  return static_cast<int64_t>(bytes);
}

}  // namespace gradeline
