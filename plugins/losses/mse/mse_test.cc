#include "plugins/sdk/conformance.h"

namespace gradeline::conformance {
namespace {

std::vector<Case> Cases() {
  return {{"rows", {{"N", 37}}, {}}, {"grid", {{"N", 3}, {"*", 29}}, {}}, {"far", {{"N", 5}, {"*", 4}}, {}, 1e3}};
}
GDL_CONFORMANCE(Mse, *GDL_PLUGIN_SYMBOL.losses[0], Cases());

}  // namespace
}  // namespace gradeline::conformance
