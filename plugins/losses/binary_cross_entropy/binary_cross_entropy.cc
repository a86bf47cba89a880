// Binary cross-entropy from logits, one element at a time; the conventions of PyTorch's BCEWithLogitsLoss.
#include <cmath>
#include <vector>

#include "plugins/sdk/ratio.h"

namespace gradeline {
namespace {

class BinaryCrossEntropy : public sdk::Elementwise<BinaryCrossEntropy> {
 public:
  static constexpr const char* kId = "binary_cross_entropy";
  static constexpr const char* kDoc = "Cross-entropy of independent yes/no decisions, from logits.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"binary", "multilabel", "pixel-binary", "pixel-multilabel"};
  static constexpr const char* kDims = "N C? *";
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction(kDims, "logits", "one logit per decision"),
                                               sdk::LabelTarget(kDims, nullptr, "ignore_index", "1 yes, 0 no", 1),
                                               sdk::RealTarget(kDims, "probability", 0, 1, "probability of yes", 1),
                                               sdk::Weight(kDims)};
  static constexpr GdlParamSpec kParams[] = {
      sdk::Integer("ignore_index", -100, -2147483648.0, 2147483647.0, "label value that marks an ignored element"),
      sdk::Vector("pos_weight", "C", 0, sdk::kInfinity, "weight of the yes term: one per class, or one for all",
                  GDL_ONE_FOR_ALL)};
  static constexpr GdlComponentSpec kComponents[] = {
      sdk::Additive("binary_cross_entropy", "element losses / valid elements")};

  explicit BinaryCrossEntropy(const sdk::Params& params) : pos_weight_(params.Vector("pos_weight")) {
    if (pos_weight_.empty()) pos_weight_ = {1};
  }

  /// Outers run over N and C, C fastest.
  sdk::Term At(double logit, double target, int64_t outer) const {
    const size_t classes = pos_weight_.size();
    const double yes = target * (classes == 1 ? pos_weight_[0] : pos_weight_[static_cast<size_t>(outer) % classes]);
    const double no = 1 - target;
    const double tail = std::exp(-std::abs(logit));  // in (0, 1]: nothing overflows
    const double rest = std::log1p(tail);
    const double near = 1 / (1 + tail), far = tail / (1 + tail);  // sigmoid(|z|), sigmoid(-|z|) without cancellation
    if (logit >= 0) return {yes * rest + no * (logit + rest), no * near - yes * far};
    return {yes * (rest - logit) + no * rest, no * far - yes * near};
  }

 private:
  std::vector<double> pos_weight_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("binary_cross_entropy", "Gradeline", "1.0.0", "Apache-2.0", gradeline::BinaryCrossEntropy)
