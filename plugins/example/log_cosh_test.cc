#include "plugins/sdk/conformance.h"

namespace {

std::vector<gradeline::conformance::Case> Cases() {
  return {{"rows", {{"N", 31}}, {}}, {"sharp", {{"N", 4}, {"*", 9}}, {{"sharpness", {2.5}}}}};
}
GDL_CONFORMANCE(LogCosh, *GDL_PLUGIN_SYMBOL.losses[0], Cases());

}  // namespace
