/* A parameter whose bounds are the wrong way round. */
#include "plugins/sdk/loss_abi.h"
static const GdlParamSpec kParam = {.struct_size = sizeof(GdlParamSpec),
                                    .kind = GDL_NUMBER,
                                    .name = "gamma",
                                    .doc = "nothing can be right",
                                    .fallback = 7,
                                    .min = 3,
                                    .max = 2};
static const GdlParamSpec* const kParams[] = {&kParam, 0};
#define PARAMS kParams
#include "tests/abi/zoo/base.h"
