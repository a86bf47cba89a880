/* A plugin without a loss. */
#include "plugins/sdk/loss_abi.h"
static const GdlLoss* const kNoLosses[] = {0};
#define LOSSES kNoLosses
#include "tests/abi/zoo/base.h"
