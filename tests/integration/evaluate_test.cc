// EvaluateLoss: values, gradients, reductions, and every field with wrong values.
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <thread>

#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

using absl::StatusCode;

class Evaluate : public ServerTest {
 protected:
  using Change = std::function<void(v1::EvaluateLossRequest&)>;

  static v1::EvaluateLossRequest Request() {
    v1::EvaluateLossRequest request;
    request.set_loss("cross_entropy");
    *request.add_inputs() = F32("prediction", {2, 3}, {1, 2, 3, 1, 2, 3});
    *request.add_inputs() = I64("target", {2}, {0, 2});
    request.set_gradient(true);
    return request;
  }
  absl::Status Run(const Change& change, v1::EvaluateLossResponse* response) {
    v1::EvaluateLossRequest request = Request();
    change(request);
    return Call(&v1::TrainingService::Stub::EvaluateLoss, training_, request, response);
  }
  Refusal Refused(const Change& change) {
    v1::EvaluateLossResponse response;
    return RefusalOf(Run(change, &response));
  }
};

Refusal Invalid(std::vector<std::string> texts) { return {StatusCode::kInvalidArgument, std::move(texts)}; }

std::vector<float> Floats(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

const double kFirst = std::log(std::exp(-2) + std::exp(-1) + 1) + 2;  // loss of (1, 2, 3) for class 0
const double kSecond = std::log(std::exp(-2) + std::exp(-1) + 1);     // for class 2

TEST_F(Evaluate, ValueAndGradient) {
  v1::EvaluateLossResponse response;
  ASSERT_TRUE(Run([](auto&) {}, &response).ok());
  EXPECT_NEAR(response.value().loss(), (kFirst + kSecond) / 2, 1e-6);
  EXPECT_EQ(response.value().valid_count(), 2);
  const v1::ComponentValue& component = response.value().components().at("cross_entropy");
  EXPECT_NEAR(component.numerator(), kFirst + kSecond, 1e-6);
  EXPECT_EQ(component.denominator(), 2);
  EXPECT_EQ(component.divisor(), 2);
  ASSERT_EQ(response.gradients_size(), 1);
  EXPECT_EQ(response.gradients(0).name(), "prediction");
  EXPECT_EQ(response.gradients(0).data_type(), v1::DATA_TYPE_F32);
  const std::vector<float> gradient = Floats(response.gradients(0).data());
  ASSERT_EQ(gradient.size(), 6u);
  EXPECT_NEAR(gradient[0], (std::exp(-kFirst) - 1) / 2, 1e-6);
  EXPECT_NEAR(gradient[3], std::exp(-kFirst) / 2, 1e-6);
}

TEST_F(Evaluate, Reductions) {
  const auto loss = [&](const Change& change) {
    v1::EvaluateLossResponse response;
    const absl::Status status = Run(change, &response);
    EXPECT_TRUE(status.ok()) << status;
    return response;
  };
  const double sum = kFirst + kSecond;
  EXPECT_NEAR(loss([](auto& r) { r.set_reduction(v1::REDUCTION_SUM); }).value().loss(), sum, 1e-5);
  const auto given = loss([](auto& r) { r.set_reduction(v1::REDUCTION_GIVEN), r.add_normalisers(8); });
  EXPECT_NEAR(given.value().loss(), sum / 8, 1e-6);
  EXPECT_EQ(given.value().components().at("cross_entropy").denominator(), 2) << "the loss's own, whatever divided";
  EXPECT_NEAR(Floats(given.gradients(0).data())[3], std::exp(-kFirst) / 8, 1e-6);
  const auto ignored = loss([](auto& r) {
    r.set_reduction(v1::REDUCTION_MEAN_ALL);
    *r.mutable_inputs(1) = I64("target", {2}, {0, -100});
  });
  EXPECT_NEAR(ignored.value().loss(), kFirst / 2, 1e-6);
  EXPECT_EQ(ignored.value().components().at("cross_entropy").divisor(), 2);
  EXPECT_EQ(ignored.value().valid_count(), 1);
  const auto items = loss([](auto& r) { r.set_item_losses(true), r.set_gradient_scale(10); });
  ASSERT_EQ(items.item_losses().data().size(), 16u);
  double values[2];
  std::memcpy(values, items.item_losses().data().data(), sizeof(values));
  EXPECT_NEAR(values[0], kFirst, 1e-6);
  EXPECT_NEAR(Floats(items.gradients(0).data())[3], 10 * std::exp(-kFirst) / 2, 1e-5);
  const auto empty = loss([](auto& r) { *r.mutable_inputs(1) = I64("target", {2}, {-100, -100}); });
  EXPECT_TRUE(empty.value().empty());
  EXPECT_EQ(empty.value().loss(), 0);
}

TEST_F(Evaluate, LossAndParameters) {
  EXPECT_EQ(Refused([](auto& r) { r.set_loss("cross-entropi"); }),
            (Refusal{StatusCode::kNotFound,
                     {"there is no loss \"cross-entropi\"; did you mean cross_entropy, dice_cross_entropy, "
                      "ohem_cross_entropy?"}}));
  const auto param = [&](const char* name, double value) {
    return Refused([&](auto& r) { (*r.mutable_params()->mutable_fields())[name].set_number_value(value); });
  };
  EXPECT_EQ(param("label_smothing", 1),
            Invalid({"params.label_smothing: is no parameter; did you mean label_smoothing?"}));
  EXPECT_EQ(param("label_smoothing", 1.5), Invalid({"params.label_smoothing: is 1.5; allowed: numbers in [0, 1]"}));
  EXPECT_EQ(
      Refused([](auto& r) { (*r.mutable_params()->mutable_fields())["label_smoothing"].mutable_struct_value(); }),
      Invalid({"params.label_smoothing: is an object; allowed: a number, true or false, a word, a list of numbers"}));
  EXPECT_EQ(Refused([](auto& r) {
              auto* list = (*r.mutable_params()->mutable_fields())["class_weights"].mutable_list_value();
              list->add_values()->set_number_value(1);
              list->add_values()->set_number_value(2);
            }),
            Invalid({"params.class_weights: has 2 values; axis c of inputs.prediction has 3"}));
}

TEST_F(Evaluate, Tensors) {
  EXPECT_EQ(
      Refused([](auto& r) { r.mutable_inputs(0)->set_name("predictions"); }),
      Invalid({"inputs[0].name: \"predictions\" is no input of cross_entropy; allowed: prediction, target, weight"}));
  EXPECT_EQ(Refused([](auto& r) { *r.add_inputs() = r.inputs(1); }),
            Invalid({"inputs[2].name: \"target\" comes twice"}));
  EXPECT_EQ(Refused([](auto& r) { r.mutable_inputs()->RemoveLast(); }),
            Invalid({"inputs.target: is missing; exactly one of target of labels, target of reals must come"}));
  EXPECT_EQ(Refused([](auto& r) { r.mutable_inputs(0)->clear_data_type(); }),
            Invalid({"inputs.prediction.dataType: 0 is no data type; allowed: DATA_TYPE_F32, F64, F16, BF16, U8, I32, "
                     "I64 (1 to 7)"}));
  EXPECT_EQ(Refused([](auto& r) {
              *r.mutable_inputs(0) = I64("prediction", {2, 3}, {1, 2, 3, 4, 5, 6});
            }),
            Invalid({"inputs.prediction: has type i64; allowed for reals: f32, f64, f16, bf16"}));
  EXPECT_EQ(Refused([](auto& r) { r.mutable_inputs(0)->set_shape(1, -3); }),
            Invalid({"inputs.prediction.shape[1]: is -3; sizes are 0 or more"}));
  EXPECT_EQ(Refused([](auto& r) {
              r.mutable_inputs(0)->set_shape(0, int64_t{1} << 62), r.mutable_inputs(0)->set_shape(1, int64_t{1} << 62);
            }),
            Invalid({"inputs.prediction.shape: [4611686018427387904, 4611686018427387904] of f32 has more bytes than "
                     "fit in 63 bits"}));
  EXPECT_EQ(Refused([](auto& r) { r.mutable_inputs(0)->mutable_data()->pop_back(); }),
            Invalid({"inputs.prediction.data: has 23 bytes; shape [2, 3] of f32 needs 24"}));
  EXPECT_EQ(Refused([](auto& r) {
              *r.mutable_inputs(0) = F32("prediction", {6}, {1, 2, 3, 4, 5, 6});
            }),
            Invalid({"inputs.prediction: has shape [6] of 1 axes; dims are N c *, at least 2 axes"}));
  EXPECT_EQ(Refused([](auto& r) {
              *r.mutable_inputs(1) = I64("target", {3}, {0, 1, 2});
            }),
            Invalid({"inputs.target: has 3 for axis N of dims N *; inputs.prediction has 2"}));
  EXPECT_EQ(Refused([](auto& r) {
              *r.mutable_inputs(1) = I64("target", {2}, {0, 7});
            }),
            Invalid({"inputs.target[1]: is 7; labels lie in [0, 3) or are -100 (ignored)"}));
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(Refused([=](auto& r) {
              *r.mutable_inputs(0) = F32("prediction", {2, 3}, {1, 2, 3, 1, nan, 3});
            }),
            Invalid({"inputs.prediction[1, 1]: is NaN; allowed are finite numbers"}));
  EXPECT_EQ(Refused([=](auto& r) {
              *r.mutable_inputs(0) = F32("prediction", {2, 3}, {1, 2, -inf, 1, 2, 3});
            }),
            Invalid({"inputs.prediction[0, 2]: is -Inf; allowed are finite numbers"}));
}

TEST_F(Evaluate, ReductionNormalisersAndScale) {
  EXPECT_EQ(Refused([](auto& r) { r.set_reduction(static_cast<v1::Reduction>(8)); }),
            Invalid({"reduction: 8 is unknown; allowed: REDUCTION_MEAN, MEAN_ALL, SUM, GIVEN, NONE (1 to 5)"}));
  EXPECT_EQ(Refused([](auto& r) { r.set_reduction(v1::REDUCTION_GIVEN); }),
            Invalid({"normalisers: has 0 entries; allowed: one per component of the loss, 1"}));
  EXPECT_EQ(Refused([](auto& r) { r.set_reduction(v1::REDUCTION_GIVEN), r.add_normalisers(0); }),
            Invalid({"normalisers[0]: 0; allowed: finite and above 0"}));
  EXPECT_EQ(Refused([](auto& r) { r.add_normalisers(1); }),
            Invalid({"normalisers: has 1 entries; allowed: none but with reduction given"}));
  EXPECT_EQ(Refused([](auto& r) { r.set_gradient_scale(std::numeric_limits<double>::infinity()); }),
            Invalid({"gradientScale: inf; allowed: finite numbers"}));
}

TEST_F(Evaluate, EverythingAtOnce) {
  const auto spoil = [](auto& r) {
    r.set_reduction(static_cast<v1::Reduction>(9));
    r.add_normalisers(0);
    r.set_gradient_scale(std::numeric_limits<double>::quiet_NaN());
  };
  const std::vector<std::string> wrong = {
      "reduction: 9 is unknown; allowed: REDUCTION_MEAN, MEAN_ALL, SUM, GIVEN, NONE (1 to 5)",
      "normalisers: has 1 entries; allowed: none but with reduction given",
      "normalisers[0]: 0; allowed: finite and above 0", "gradientScale: nan; allowed: finite numbers"};
  const auto after = [&](std::vector<std::string> first) {
    first.insert(first.end(), wrong.begin(), wrong.end());
    return Invalid(first);
  };
  EXPECT_EQ(Refused([&](auto& r) {
              spoil(r);
              (*r.mutable_params()->mutable_fields())["label_smoothing"].set_number_value(2);
              (*r.mutable_params()->mutable_fields())["class_weights"].mutable_struct_value();
              r.mutable_inputs(0)->set_name("predictions");
              r.mutable_inputs(1)->mutable_data()->pop_back();
            }),
            after({"params.class_weights: is an object; allowed: a number, true or false, a word, a list of numbers",
                   "params.label_smoothing: is 2; allowed: numbers in [0, 1]",
                   "inputs[0].name: \"predictions\" is no input of cross_entropy; allowed: prediction, target, weight",
                   "inputs.target.data: has 15 bytes; shape [2] of i64 needs 16"}));
  EXPECT_EQ(Refused([&](auto& r) {
              spoil(r);
              r.set_loss("cross-entropi");
            }),
            after({"loss: there is no loss \"cross-entropi\"; did you mean cross_entropy, dice_cross_entropy, "
                   "ohem_cross_entropy?"}));
  Refusal shapes = after({});
  shapes.texts.emplace_back("inputs.target: has 3 for axis N of dims N *; inputs.prediction has 2");
  EXPECT_EQ(Refused([&](auto& r) {
              spoil(r);
              *r.mutable_inputs(1) = I64("target", {3}, {0, 1, 2});
            }),
            shapes);
}

TEST_F(Evaluate, ManyAtATime) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 50; ++k) {
        v1::EvaluateLossResponse response;
        const bool bad = k % 7 == 0;
        const absl::Status status = Run(
            [&](auto& r) {
              if (bad) r.mutable_inputs(1)->clear_data();
            },
            &response);
        EXPECT_EQ(status.ok(), !bad);
        if (!bad) {
          EXPECT_NEAR(response.value().loss(), (kFirst + kSecond) / 2, 1e-6);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace gradeline
