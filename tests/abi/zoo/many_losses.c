/* 100,000 times the same loss. */
#include "plugins/sdk/loss_abi.h"
static const GdlLoss kLoss;
#define TEN(x) x, x, x, x, x, x, x, x, x, x
#define THOUSAND(x) TEN(TEN(TEN(x)))
static const GdlLoss* const kManyLosses[] = {TEN(TEN(THOUSAND(&kLoss))), 0};
#define LOSSES kManyLosses
#include "tests/abi/zoo/base.h"
