#include "server/wire/params.h"

#include <gmock/gmock.h>

#include "server/core/base/status.h"

namespace gradeline {
namespace {

TEST(Params, ThereAndBack) {
  const ParamMap params = {{"gamma", 2.5},
                           {"flag", true},
                           {"type", std::string("giou")},
                           {"class_weights", std::vector<double>{1, 0.5}},
                           {"none", std::vector<double>{}}};
  const auto back = ParamsFromProto("params", ParamsToProto(params));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, params);
}

TEST(Params, NamesEveryValueOfAKindNobodyTakes) {
  google::protobuf::Struct proto;
  (*proto.mutable_fields())["a"].mutable_struct_value();
  (*proto.mutable_fields())["b"].set_null_value(google::protobuf::NULL_VALUE);
  (*proto.mutable_fields())["c"].mutable_list_value()->add_values()->set_string_value("x");
  (*proto.mutable_fields())["d"];
  const auto params = ParamsFromProto("experiment.losses[0].params", proto);
  const std::string allowed = "; allowed: a number, true or false, a word, a list of numbers";
  EXPECT_THAT(FieldViolationsOf(params.status()),
              testing::ElementsAre(FieldViolation{"experiment.losses[0].params.a", "is an object" + allowed},
                                   FieldViolation{"experiment.losses[0].params.b", "is null" + allowed},
                                   FieldViolation{"experiment.losses[0].params.c[0]", "is a word; allowed: a number"},
                                   FieldViolation{"experiment.losses[0].params.d", "is null" + allowed}));
}

}  // namespace
}  // namespace gradeline
