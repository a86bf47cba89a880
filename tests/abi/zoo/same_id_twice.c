/* Two losses of one id. */
#include "plugins/sdk/loss_abi.h"
static const GdlLoss kLoss;
static const GdlLoss* const kTwins[] = {&kLoss, &kLoss, 0};
#define LOSSES kTwins
#include "tests/abi/zoo/base.h"
