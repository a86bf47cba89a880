#include "server/wire/tensor.h"

#include <gmock/gmock.h>

#include "server/core/base/status.h"
#include "server/wire/test_heads.h"

namespace gradeline {
namespace {

class Tensors : public testing::Test {
 protected:
  Tensors() : registry_(BuiltinRegistry()), loss_(**registry_->Find("cross_entropy")) {}

  v1::Tensor* Add(const std::string& name, v1::DataType type, std::vector<int64_t> shape, size_t bytes) {
    v1::Tensor* tensor = tensors_.Add();
    tensor->set_name(name);
    tensor->set_data_type(type);
    tensor->mutable_shape()->Assign(shape.begin(), shape.end());
    tensor->set_data(std::string(bytes, '\1'));
    return tensor;
  }
  size_t SpecAt(const std::string& name, bool label) {
    for (size_t i = 0; i < loss_.tensors.size(); ++i) {
      if (loss_.tensors[i].name == name && loss_.tensors[i].label() == label) return i;
    }
    return 999;
  }

  std::shared_ptr<const LossRegistry> registry_;
  const LossInfo& loss_;
  google::protobuf::RepeatedPtrField<v1::Tensor> tensors_;
};

TEST_F(Tensors, FindTheirSpecsByNameAndKind) {
  Add("target", v1::DATA_TYPE_U8, {2}, 2);
  Add("prediction", v1::DATA_TYPE_BF16, {2, 3}, 12);
  auto views = InputsFromProto(tensors_, loss_);
  ASSERT_TRUE(views.ok()) << views.status();
  ASSERT_TRUE((*views)[SpecAt("target", true)].has_value());
  EXPECT_FALSE((*views)[SpecAt("target", false)].has_value());
  const TensorView& prediction = *(*views)[SpecAt("prediction", false)];
  EXPECT_EQ(prediction.dtype, DType::kBF16);
  EXPECT_EQ(prediction.shape, (absl::Span<const int64_t>(std::vector<int64_t>{2, 3})));
  EXPECT_EQ(prediction.data, tensors_[1].data().data());

  tensors_.Clear();
  Add("target", v1::DATA_TYPE_F32, {2, 3}, 24);
  views = InputsFromProto(tensors_, loss_);
  ASSERT_TRUE(views.ok()) << views.status();
  EXPECT_TRUE((*views)[SpecAt("target", false)].has_value());
}

TEST_F(Tensors, AllViolationsAtOnce) {
  Add("nonsense", v1::DATA_TYPE_F32, {1}, 4);
  Add("prediction", v1::DATA_TYPE_F32, {2, 3}, 23);
  Add("prediction", v1::DATA_TYPE_F32, {2, 3}, 24);
  Add("target", static_cast<v1::DataType>(9), {2}, 2);
  Add("weight", v1::DATA_TYPE_F32, {-1}, 4);
  const auto views = InputsFromProto(tensors_, loss_);
  EXPECT_EQ(views.status().code(), absl::StatusCode::kInvalidArgument);
  std::vector<std::string> fields;
  for (const FieldViolation& violation : FieldViolationsOf(views.status())) fields.push_back(violation.field);
  EXPECT_THAT(fields, testing::ElementsAre("inputs[0].name", "inputs.prediction.data", "inputs[2].name",
                                           "inputs.target.dataType", "inputs.weight.shape[0]"));
}

TEST_F(Tensors, AProductThatOverflowsIsAViolation) {
  Add("prediction", v1::DATA_TYPE_F32, {int64_t{1} << 40, int64_t{1} << 40}, 0);
  EXPECT_THAT(FieldViolationsOf(InputsFromProto(tensors_, loss_).status()),
              testing::ElementsAre(testing::Field(&FieldViolation::field, "inputs.prediction.shape")));
}

}  // namespace
}  // namespace gradeline
