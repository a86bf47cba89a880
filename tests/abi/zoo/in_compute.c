/* Meets its misfortune in compute. */
#include "plugins/sdk/loss_abi.h"
#include "tests/abi/zoo/misfortune.h"
static void Compute(const GdlTile* tile) {
  (void)tile;
  MISFORTUNE();
}
#define COMPUTE Compute
#include "tests/abi/zoo/base.h"
