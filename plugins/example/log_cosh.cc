// log(cosh(prediction - target)): quadratic near 0, linear far away, smooth everywhere. An example of a plugin that is
// built against an installed SDK alone.
#include <cmath>
#include <numbers>

#include "plugins/sdk/ratio.h"

namespace {

class LogCosh : public gradeline::sdk::Elementwise<LogCosh> {
 public:
  static constexpr const char* kId = "log_cosh";
  static constexpr const char* kDoc = "Logarithm of the hyperbolic cosine of the error.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"value"};
  static constexpr const char* kTasks[] = {"regression"};
  static constexpr GdlTensorSpec kTensors[] = {gradeline::sdk::Prediction("N *", nullptr, "predicted values"),
                                               gradeline::sdk::RealTarget("N *", nullptr, 0, 0, "true values"),
                                               gradeline::sdk::Weight("N *")};
  static constexpr GdlParamSpec kParams[] = {
      gradeline::sdk::Number("sharpness", 1, 0, 1e6, "multiplies the error inside cosh", GDL_MIN_OPEN)};
  static constexpr GdlComponentSpec kComponents[] = {gradeline::sdk::Additive("log_cosh", "element losses / elements")};

  explicit LogCosh(const gradeline::sdk::Params& params) : sharpness_(params.Number("sharpness")) {}

  gradeline::sdk::Term At(double prediction, double target, int64_t) const {
    const double x = sharpness_ * (prediction - target), far = std::abs(x);
    const double half = std::sinh(x / 2);
    // Near 0 the second form would cancel, far away the first would overflow.
    const double loss =
        far < 1 ? std::log1p(2 * half * half) : far + std::log1p(std::exp(-2 * far)) - std::numbers::ln2;
    return {loss / sharpness_, std::tanh(x)};
  }

 private:
  double sharpness_;
};

}  // namespace

GDL_LOSS_PLUGIN("log_cosh", "Example", "1.0.0", "Apache-2.0", LogCosh)
