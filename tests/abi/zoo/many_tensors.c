/* 65 inputs: one more than a pass can name. */
#include "plugins/sdk/loss_abi.h"
static const GdlTensorSpec kPrediction;
#define FOUR(x) x, x, x, x
static const GdlTensorSpec* const kManyTensors[] = {FOUR(FOUR(FOUR(&kPrediction))), &kPrediction, 0};
#define TENSORS kManyTensors
#include "tests/abi/zoo/base.h"
