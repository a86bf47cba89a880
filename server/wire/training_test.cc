#include "server/wire/training.h"

#include <gmock/gmock.h>

#include <limits>
#include <set>

#include "server/core/base/status.h"
#include "server/wire/test_heads.h"

namespace gradeline {
namespace {

using testing::ElementsAre;

std::vector<std::string> Fields(const absl::Status& status) {
  std::vector<std::string> fields;
  for (const FieldViolation& violation : FieldViolationsOf(status)) fields.push_back(violation.field);
  return fields;
}

Record SomeRecord() {
  Record record;
  record.seq = 12;
  record.key = {Phase::kValidation, 3, 4, 1, 5};
  record.digest = {1, 2, 3, 255};
  record.items = 7;
  record.values = {{1.5, 2.5}};
  record.metrics = std::string("\1\0counts", 8);
  return record;
}

TEST(Training, RecordThereAndBack) {
  const auto heads = TwoHeads(*BuiltinRegistry());
  for (const int32_t code : {0, 3}) {
    Record record = SomeRecord();
    record.code = code;
    const v1::Record proto = ToProto(record, heads);
    EXPECT_EQ(proto.key().head(), "value");
    const auto back = RecordFromProto(proto, heads);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(*back, record);
  }
}

TEST(Training, ABrokenRecordNamesEveryField) {
  const auto heads = TwoHeads(*BuiltinRegistry());
  v1::Record proto = ToProto(SomeRecord(), heads);
  proto.set_digest("short");
  proto.mutable_key()->set_head("box");
  proto.mutable_key()->set_phase(v1::PHASE_UNSPECIFIED);
  proto.mutable_key()->set_step(-1);
  const auto record = RecordFromProto(proto, heads);
  EXPECT_THAT(Fields(record.status()), ElementsAre("key.phase", "key.step", "key.head", "digest"));
  EXPECT_THAT(std::string(record.status().message()),
              testing::HasSubstr("\"box\" is no head of the experiment; allowed: class, value"));
}

TEST(Training, HelloNamesEveryField) {
  v1::Hello hello;
  hello.set_experiment("e");
  hello.set_rank(-1);
  hello.set_instance("x");
  EXPECT_THAT(Fields(JoinFromProto(hello).status()), ElementsAre("experiment", "worldSize", "rank", "instance"));
  hello.set_experiment("experiments/e");
  hello.set_rank(1);
  hello.set_world_size(2);
  hello.set_instance(std::string(16, '\0'));
  ASSERT_TRUE(JoinFromProto(hello).ok());
  hello.set_rank(2);
  EXPECT_THAT(Fields(JoinFromProto(hello).status()), ElementsAre("rank"));
}

v1::Batch SomeBatch() {
  v1::Batch batch;
  batch.set_seq(1);
  batch.mutable_key()->set_phase(v1::PHASE_TRAIN);
  batch.mutable_key()->set_head("class");
  v1::Tensor* tensor = batch.add_inputs();
  tensor->set_name("prediction");
  tensor->set_data_type(v1::DATA_TYPE_F32);
  tensor->add_shape(1);
  tensor->add_shape(2);
  tensor->set_data("12345678");
  return batch;
}

TEST(Training, DigestDependsOnAllThatDeterminesTheRecord) {
  std::set<Digest> digests;
  const auto add = [&digests](auto change) {
    v1::Batch batch = SomeBatch();
    change(batch);
    return digests.insert(DigestOf(batch)).second;
  };
  EXPECT_TRUE(add([](v1::Batch&) {}));
  EXPECT_TRUE(add([](v1::Batch& b) { b.mutable_key()->set_phase(v1::PHASE_TEST); }));
  EXPECT_TRUE(add([](v1::Batch& b) { b.mutable_key()->set_epoch(1); }));
  EXPECT_TRUE(add([](v1::Batch& b) { b.mutable_key()->set_step(1); }));
  EXPECT_TRUE(add([](v1::Batch& b) { b.mutable_key()->set_head("value"); }));
  EXPECT_TRUE(add([](v1::Batch& b) { b.mutable_key()->set_part(1); }));
  EXPECT_TRUE(add([](v1::Batch& b) { b.mutable_inputs(0)->set_name("target"); }));
  EXPECT_TRUE(add([](v1::Batch& b) { b.mutable_inputs(0)->set_data_type(v1::DATA_TYPE_I32); }));
  EXPECT_TRUE(add([](v1::Batch& b) { b.mutable_inputs(0)->set_shape(0, 2), b.mutable_inputs(0)->set_shape(1, 1); }));
  EXPECT_TRUE(add([](v1::Batch& b) { b.mutable_inputs(0)->set_data("12345679"); }));
  EXPECT_TRUE(add([](v1::Batch& b) { b.add_inputs(); }));
  EXPECT_TRUE(add([](v1::Batch& b) { b.add_normalisers(2); }));
  EXPECT_TRUE(add([](v1::Batch& b) { b.set_gradient_scale(2); }));
  EXPECT_TRUE(add([](v1::Batch& b) { b.set_gradient_scale(0); })) << "0 is not absent";
  EXPECT_FALSE(add([](v1::Batch& b) { b.set_seq(2); })) << "a batch sent again may get another seq";
}

TEST(Training, NormalisersAreOnePerComponentFiniteAndAboveZero) {
  google::protobuf::RepeatedField<double> given;
  EXPECT_THAT(Fields(NormalisersFromProto(given, 1).status()), ElementsAre("normalisers"));
  given.Add(2);
  EXPECT_THAT(*NormalisersFromProto(given, 1), ElementsAre(2));
  for (const double bad :
       {0.0, -1.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    given.Set(0, bad);
    EXPECT_THAT(Fields(NormalisersFromProto(given, 1).status()), ElementsAre("normalisers[0]")) << bad;
  }
}

TEST(Training, WelcomeNamesInputsOnce) {
  const auto registry = BuiltinRegistry();
  WelcomeInfo info;
  info.committed_seq = 9;
  const v1::Welcome welcome = WelcomeToProto(info, TwoHeads(*registry), 1000);
  EXPECT_THAT(welcome.heads(0).required(), ElementsAre("prediction", "target"));
  EXPECT_THAT(welcome.heads(0).optional(), ElementsAre("weight"));
  EXPECT_EQ(welcome.committed_seq(), 9);
  EXPECT_EQ(welcome.max_message_bytes(), 1000);
}

TEST(Training, LossValueNamesComponents) {
  LossResult result;
  result.loss = 3;
  result.valid_count = 4;
  result.components = {{1.5, 2, 6, 4}};
  std::vector<ComponentSpec> components(1);
  components[0].name = "ce";
  const v1::LossValue value = LossValueToProto(result, components);
  EXPECT_EQ(value.loss(), 3);
  EXPECT_EQ(value.valid_count(), 4);
  EXPECT_EQ(value.components().at("ce").denominator(), 4);
  EXPECT_EQ(value.components().at("ce").weight(), 2);
}

}  // namespace
}  // namespace gradeline
