#include "server/wire/reply_bytes.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "gradeline/v1/training.pb.h"

namespace gradeline {
namespace {

std::string Join(const std::vector<ReplyPiece>& pieces) {
  std::string bytes;
  for (const ReplyPiece& piece : pieces) {
    bytes += piece.header;
    if (piece.data.size() > 0) bytes.append(reinterpret_cast<const char*>(piece.data.data()), piece.data.size());
  }
  return bytes;
}

struct Case {
  std::vector<GradientResult> gradients;
  v1::Result expected;
};

Case RandomCase(std::mt19937_64* random, BufferPool* pool) {
  Case made;
  made.expected.set_seq(static_cast<int64_t>((*random)() >> ((*random)() % 64)));
  made.expected.mutable_value()->set_loss(0.5);
  made.expected.mutable_record()->set_digest(std::string((*random)() % 200, 'd'));
  for (size_t i = 0; i < (*random)() % 3; ++i) {
    const auto elements = static_cast<int64_t>((*random)() >> (48 + (*random)() % 16));
    GradientResult gradient{i, DType::kF16, {elements, 1}, pool->Take(static_cast<size_t>(elements) * 2)};
    v1::Tensor* tensor = made.expected.add_gradients();
    tensor->set_name(i == 0 ? "prediction" : "weight");
    tensor->set_data_type(v1::DATA_TYPE_F16);
    tensor->add_shape(elements);
    tensor->add_shape(1);
    std::string bytes(static_cast<size_t>(elements) * 2, '\0');
    for (char& byte : bytes) byte = static_cast<char>((*random)());
    if (!bytes.empty()) std::memcpy(gradient.data.data(), bytes.data(), bytes.size());
    tensor->set_data(std::move(bytes));
    made.gradients.push_back(std::move(gradient));
  }
  return made;
}

// The generated parser is the reference: whatever is written by hand must read back as what it was made from.
TEST(ReplyBytes, TheGeneratedParserReadsThem) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  BufferPool pool(size_t{1} << 20);
  std::vector<TensorSpec> tensors(2);
  tensors[0].name = "prediction";
  tensors[1].name = "weight";
  for (int i = 0; i < 300; ++i) {
    Case made = RandomCase(&random, &pool);
    v1::Result bare = made.expected;
    bare.clear_gradients();
    const bool enveloped = i % 2 == 0;
    const auto pieces =
        ReplyBytes(bare, ReplyGradients(v1::Result::kGradientsFieldNumber, std::move(made.gradients), tensors),
                   enveloped ? v1::TrainResponse::kResultFieldNumber : 0);
    const std::string bytes = Join(pieces);
    ASSERT_EQ(ByteCount(pieces), static_cast<int64_t>(bytes.size()));
    v1::TrainResponse response;
    if (enveloped) {
      ASSERT_TRUE(response.ParseFromString(bytes));
    } else {
      ASSERT_TRUE(response.mutable_result()->ParseFromString(bytes));
    }
    ASSERT_EQ(response.result().SerializeAsString(), made.expected.SerializeAsString());
  }
}

TEST(ReplyBytes, AnEmptyMessageInAnEnvelopeIsThere) {
  const auto pieces = ReplyBytes(v1::Result(), {}, 2);
  v1::TrainResponse response;
  ASSERT_TRUE(response.ParseFromString(Join(pieces)));
  EXPECT_TRUE(response.has_result());
}

}  // namespace
}  // namespace gradeline
