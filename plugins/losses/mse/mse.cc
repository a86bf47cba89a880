// Mean squared error: (prediction - target)^2 per element, without a factor 1/2.
#include "plugins/sdk/ratio.h"

namespace gradeline {
namespace {

class Mse : public sdk::Elementwise<Mse> {
 public:
  static constexpr const char* kId = "mse";
  static constexpr const char* kDoc = "Squared difference of prediction and target, averaged over elements.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"value"};
  static constexpr const char* kTasks[] = {"regression"};
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction("N *", nullptr, "predicted values"),
                                               sdk::RealTarget("N *", nullptr, 0, 0, "true values"),
                                               sdk::Weight("N *")};
  static constexpr GdlComponentSpec kComponents[] = {sdk::Additive("mse", "squared differences / elements")};

  explicit Mse(const sdk::Params&) {}

  sdk::Term At(double prediction, double target, int64_t) const {
    const double difference = prediction - target;
    return {difference * difference, 2 * difference};
  }
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("mse", "Gradeline", "1.0.0", "Apache-2.0", gradeline::Mse)
