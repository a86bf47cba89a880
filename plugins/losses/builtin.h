// The losses that are linked into a program: every folder of plugins/losses, through exactly the public ABI.
// The list is generated from the folders when the build is configured; nothing is registered at run time.
#ifndef GRADELINE_PLUGINS_LOSSES_BUILTIN_H_
#define GRADELINE_PLUGINS_LOSSES_BUILTIN_H_

#include "plugins/sdk/loss_abi.h"

namespace gradeline {

/// Const tables in the order of their ids, NULL-ended.
const GdlPlugin* const* BuiltinLossPlugins();

}  // namespace gradeline

#endif  // GRADELINE_PLUGINS_LOSSES_BUILTIN_H_
