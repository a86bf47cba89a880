/* Meets its misfortune in create. */
#include "plugins/sdk/loss_abi.h"
#include "tests/abi/zoo/misfortune.h"
static GdlStatus Create(const GdlValue* const* params, void** state, GdlError* error) {
  (void)params;
  (void)state;
  (void)error;
  MISFORTUNE();
  return 0;
}
#define CREATE Create
#include "tests/abi/zoo/base.h"
