#include "server/core/loss/signal.h"

#include <algorithm>
#include <iterator>

namespace gradeline {
namespace {

constexpr SignalInfo kSignals[] = {
    {"multiclass", "N c", 1, "N labels, or N c soft", "one class out of c per row, from logits"},
    {"dense-multiclass", "N c", 1, "N labels, c is background",
     "one class out of c or background per row, one sigmoid a class"},
    {"binary", "N", -1, "N 0/1, or soft", "yes or no per row"},
    {"multilabel", "N C", 1, "N C 0/1/ignored, or soft", "yes or no per row and class"},
    {"value", "N *", -1, "N *", "real numbers"},
    {"box", "N 4", -1, "N 4", "one box, or its four deltas, per row"},
    {"box-distribution", "N 4 b", -1, "N 4", "a distribution over b bins for each side of a box"},
    {"pixel-multiclass", "N c *", 1, "N * labels", "one class out of c per pixel, from logits"},
    {"pixel-binary", "N *", -1, "N * 0/1/ignored, or soft", "yes or no per pixel"},
    {"pixel-multilabel", "N C *", 1, "N C *", "yes or no per class and pixel"},
};

constexpr std::string_view kEvaluationSignals[] = {"detections", "instances", "panoptic"};

}  // namespace

absl::Span<const std::string_view> EvaluationSignals() { return kEvaluationSignals; }

absl::Span<const SignalInfo> Signals() { return kSignals; }

const SignalInfo* FindSignal(std::string_view id) {
  const auto* signal =
      std::find_if(std::begin(kSignals), std::end(kSignals), [&](const SignalInfo& s) { return s.id == id; });
  return signal == std::end(kSignals) ? nullptr : signal;
}

}  // namespace gradeline
