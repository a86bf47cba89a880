#include "plugins/sdk/conformance.h"

namespace gradeline::conformance {
namespace {

std::vector<Case> Cases() {
  return {{"rows", {{"N", 23}, {"c", 5}}, {}},
          {"weighted", {{"N", 19}, {"c", 4}}, {{"class_weights", {1, 2, 0.5, 0}}}},
          {"smoothed_pixels",
           {{"N", 3}, {"c", 3}, {"*", 13}},
           {{"label_smoothing", {0.1}}, {"class_weights", {1, 2, 0.5}}}},
          {"long_runs", {{"N", 1}, {"c", 2}, {"*", 150}}, {{"label_smoothing", {1}}}}};
}
GDL_CONFORMANCE(CrossEntropy, *GDL_PLUGIN_SYMBOL.losses[0], Cases());

}  // namespace
}  // namespace gradeline::conformance
