// Lovász hinge of pixels: the Jaccard loss of the yes-pixels, extended to the hinge errors of logits (Berman et al.).
// Sorting takes nearly all of the time; the loops around it are left to the compiler.
#include <algorithm>

#include "plugins/simd/lovasz.h"

namespace gradeline {
namespace {

class LovaszHinge : public simd::Lovasz<LovaszHinge> {
 public:
  static constexpr const char* kId = "lovasz_hinge";
  static constexpr const char* kDoc =
      "Lovász extension of the Jaccard loss of yes-pixels, over hinge errors of logits.";
  static constexpr uint32_t kVersion = 1, kFlags = 0, kMerge = GDL_MERGE_NONE;
  static constexpr const char* kSignals[] = {"pixel-binary"};
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction("N *", "logits", "one logit per pixel"),
                                               sdk::LabelTarget("N *", nullptr, "ignore_index", "1 yes, 0 no")};
  static constexpr GdlParamSpec kParams[] = {
      sdk::Bool("per_image", true, "a loss of each image, averaged, instead of one of the batch"),
      sdk::Integer("ignore_index", -100, -2147483648.0, 2147483647.0, "label value that marks an ignored pixel")};
  static constexpr GdlComponentSpec kComponents[] = {
      sdk::Aggregate("lovasz_hinge", "extended Jaccard loss, averaged over images")};
  static constexpr uint64_t kGradientInputs = 0;

  explicit LovaszHinge(const sdk::Params& params) : per_image_(params.Bool("per_image")) {}

  static int64_t Classes(const GdlShape&) { return 1; }
  static int64_t ScratchBytes(const GdlShape&) { return 0; }
  static bool CountsAbsent() { return true; }
  bool per_image() const { return per_image_; }

  template <typename Real>
  void Errors(const sdk::Tile<Real>& tile, const sdk::View<Real>& errors) const {
    const sdk::View<const Real> logits = tile.Input(0);
    const sdk::View<const int32_t> labels = tile.Labels(1);
    for (int64_t o = 0; o < tile.outer(); ++o) {
      const Real* logit = logits.Run(o);
      const int32_t* label = labels.Run(o);
      Real* error = errors.Run(o);
      for (int64_t i = 0; i < tile.inner(); ++i) {
        const Real yes = -std::max(1 - logit[i], Real{0}), no = std::max(1 + logit[i], Real{0});
        error[i] = label[i] > 0 ? yes : label[i] < 0 ? Real{0} : no;
      }
    }
  }

  template <typename Real>
  void Gradient(const sdk::Tile<Real>& tile, const simd::LovaszSlopes<Real>& slopes) const {
    const sdk::View<Real> gradient = tile.Gradient(0);
    for (int64_t o = 0; o < tile.outer(); ++o) {
      const Real factor = slopes.Factor(o);
      const Real* slope = slopes.of_errors.Run(o);
      Real* to = gradient.Run(o);
      for (int64_t i = 0; i < tile.inner(); ++i) to[i] = factor * slope[i];
    }
  }

 private:
  bool per_image_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("lovasz_hinge", "Gradeline", "1.0.0", "Apache-2.0", gradeline::LovaszHinge)
