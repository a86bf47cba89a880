/* Refuses its own default parameters. */
#include "plugins/sdk/loss_abi.h"
static GdlStatus Refuse(const GdlValue* const* params, void** state, GdlError* error) {
  const char text[] = "never pleased";
  (void)params;
  (void)state;
  for (uint32_t i = 0; i < sizeof(text) && i < error->capacity; ++i) error->message[i] = text[i];
  if (error->capacity > 0) error->field[0] = '\0';
  return 3;
}
#define CREATE Refuse
#include "tests/abi/zoo/base.h"
