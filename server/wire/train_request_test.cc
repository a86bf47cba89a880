#include "server/wire/train_request.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <random>

namespace gradeline {
namespace {

using google::protobuf::io::ArrayInputStream;
using Kind = TrainRequestReader::Kind;

// Reads `bytes` as if they came in slices of `slice` bytes.
absl::Status Read(TrainRequestReader* reader, const std::string& bytes, int slice) {
  ArrayInputStream in(bytes.data(), static_cast<int>(bytes.size()), slice);
  return reader->Read(&in, static_cast<int64_t>(bytes.size()));
}

v1::TrainRequest BatchOf(int64_t seq, size_t bytes) {
  v1::TrainRequest request;
  request.mutable_batch()->set_seq(seq);
  request.mutable_batch()->mutable_key()->set_head("h");
  request.mutable_batch()->add_inputs()->set_data(std::string(bytes, static_cast<char>('a' + seq % 26)));
  return request;
}

TEST(TrainRequest, EveryKindInSlicesOfAnySize) {
  std::vector<v1::TrainRequest> requests(7);
  requests[0].mutable_hello()->set_rank(3);
  requests[1] = BatchOf(5, 300);
  requests[2].mutable_replay()->mutable_record()->set_seq(7);
  requests[3].mutable_end_phase()->set_records(9);
  requests[4].mutable_flush();
  requests[5].mutable_heartbeat()->set_paused(true);
  requests[6].mutable_bye()->set_reason("why");
  TrainRequestReader reader;
  for (const v1::TrainRequest& request : requests) {
    for (int slice : {1, 2, 3, 7, 64, 1000}) {
      ASSERT_TRUE(Read(&reader, request.SerializeAsString(), slice).ok());
      ASSERT_EQ(reader.kind(), request.message_case());
      const std::string read =
          reader.kind() == Kind::kBatch ? reader.batch().SerializeAsString() : reader.other().SerializeAsString();
      EXPECT_EQ(read,
                reader.kind() == Kind::kBatch ? request.batch().SerializeAsString() : request.SerializeAsString());
    }
  }
}

TEST(TrainRequest, ABatchLeavesNothingOfTheOneBefore) {
  TrainRequestReader reader;
  ASSERT_TRUE(Read(&reader, BatchOf(1, 5000).SerializeAsString(), 64).ok());
  const char* memory = reader.batch().inputs(0).data().data();
  v1::TrainRequest second = BatchOf(2, 4000);
  second.mutable_batch()->clear_key();
  ASSERT_TRUE(Read(&reader, second.SerializeAsString(), 64).ok());
  EXPECT_EQ(reader.batch().SerializeAsString(), second.batch().SerializeAsString());
  EXPECT_EQ(reader.batch().inputs(0).data().data(), memory) << "the memory of the tensor is not kept";
}

TEST(TrainRequest, FieldsInAnotherOrderOrTwiceMeanTheSame) {
  v1::TrainRequest heartbeat;
  heartbeat.mutable_heartbeat();
  TrainRequestReader reader;
  ASSERT_TRUE(Read(&reader, heartbeat.SerializeAsString() + BatchOf(4, 9).SerializeAsString(), 5).ok());
  EXPECT_EQ(reader.kind(), Kind::kBatch);
  EXPECT_EQ(reader.batch().seq(), 4);
  ASSERT_TRUE(Read(&reader, BatchOf(4, 9).SerializeAsString() + heartbeat.SerializeAsString(), 5).ok());
  EXPECT_EQ(reader.kind(), Kind::kHeartbeat);
}

TEST(TrainRequest, GarbageIsRefusedAndTheReaderGoesOn) {
  const google::protobuf::LogSilencer silence;  // of invalid UTF-8
  std::mt19937_64 random(std::random_device{}());
  TrainRequestReader reader;
  const std::string good = BatchOf(4, 100).SerializeAsString();
  for (int i = 0; i < 2000; ++i) {
    std::string bad = good.substr(0, random() % good.size());
    for (int flips = 0; flips < 4 && !bad.empty(); ++flips) bad[random() % bad.size()] = static_cast<char>(random());
    Read(&reader, bad, 16).IgnoreError();
    ArrayInputStream in(bad.data(), static_cast<int>(bad.size()), 16);
    BatchSeqOf(&in, static_cast<int64_t>(bad.size()));
  }
  EXPECT_EQ(Read(&reader, good.substr(0, 50), 16).code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(Read(&reader, good, 16).ok());
  EXPECT_EQ(reader.batch().seq(), 4);
}

TEST(TrainRequest, SeqIsFoundBehindTensorsToo) {
  const v1::TrainRequest request = BatchOf(77, 1000);
  v1::Batch tensors = request.batch(), seq;
  tensors.clear_seq();
  seq.set_seq(77);
  const std::string body = tensors.SerializeAsString() + seq.SerializeAsString();
  ASSERT_GE(body.size(), 128u);
  ASSERT_LT(body.size(), 16384u);
  const std::string length{static_cast<char>(body.size() | 0x80), static_cast<char>(body.size() >> 7)};
  for (const std::string& bytes : {request.SerializeAsString(), "\x12" + length + body}) {
    ArrayInputStream in(bytes.data(), static_cast<int>(bytes.size()), 64);
    EXPECT_EQ(BatchSeqOf(&in, static_cast<int64_t>(bytes.size())), 77);
  }
  v1::TrainRequest other;
  other.mutable_flush();
  const std::string bytes = other.SerializeAsString();
  ArrayInputStream in(bytes.data(), static_cast<int>(bytes.size()));
  EXPECT_EQ(BatchSeqOf(&in, static_cast<int64_t>(bytes.size())), 0);
}

}  // namespace
}  // namespace gradeline
