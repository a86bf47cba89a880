#include "plugins/sdk/conformance.h"

namespace gradeline::conformance {
namespace {

std::vector<Case> Cases() {
  return {{"binary", {{"N", 41}}, {}},
          {"multilabel", {{"N", 9}, {"C", 4}}, {{"pos_weight", {0.5, 1, 2, 7}}}},
          {"pixels", {{"N", 2}, {"C", 3}, {"*", 11}}, {{"pos_weight", {3, 0.25, 1}}}},
          {"one_weight_for_all", {{"N", 2}, {"C", 5}, {"*", 7}}, {{"pos_weight", {2.5}}}}};
}
GDL_CONFORMANCE(BinaryCrossEntropy, *GDL_PLUGIN_SYMBOL.losses[0], Cases());

}  // namespace
}  // namespace gradeline::conformance
