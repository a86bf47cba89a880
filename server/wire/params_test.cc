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
  Violations violations;
  EXPECT_EQ(ParamsFromProto("params", ParamsToProto(params), &violations), params);
  EXPECT_TRUE(violations.empty()) << violations.ToStatus();
}

TEST(Params, NamesEveryValueOfAKindNobodyTakes) {
  google::protobuf::Struct proto;
  (*proto.mutable_fields())["a"].mutable_struct_value();
  (*proto.mutable_fields())["b"].set_null_value(google::protobuf::NULL_VALUE);
  (*proto.mutable_fields())["c"].mutable_list_value()->add_values()->set_string_value("x");
  (*proto.mutable_fields())["d"];
  (*proto.mutable_fields())["e"].set_bool_value(true);
  Violations violations;
  EXPECT_EQ(ParamsFromProto("experiment.losses[0].params", proto, &violations),
            (ParamMap{{"c", std::vector<double>{0}}, {"e", true}}));
  const std::string allowed = "; allowed: a number, true or false, a word, a list of numbers";
  EXPECT_THAT(violations.list(),
              testing::ElementsAre(FieldViolation{"experiment.losses[0].params.a", "is an object" + allowed},
                                   FieldViolation{"experiment.losses[0].params.b", "is null" + allowed},
                                   FieldViolation{"experiment.losses[0].params.c[0]", "is a word; allowed: a number"},
                                   FieldViolation{"experiment.losses[0].params.d", "is null" + allowed}));
}

}  // namespace
}  // namespace gradeline
