/* A loss in order: mean of (prediction - target)^2 over "N *". Each plugin of the zoo defines NAME and the one thing
 * that it does otherwise, as a macro, before it includes this. Strict C11. */
#ifndef GRADELINE_TESTS_ABI_ZOO_BASE_H_
#define GRADELINE_TESTS_ABI_ZOO_BASE_H_

#include "plugins/sdk/loss_abi.h"

#ifndef ID
#define ID NAME
#endif
#ifndef DIMS
#define DIMS "N *"
#endif
#ifndef KIND
#define KIND GDL_REAL
#endif
#ifndef LOSS_FLAGS
#define LOSS_FLAGS 0
#endif
#ifndef SIGNAL
#define SIGNAL "value"
#endif
#ifndef PASS_FLAGS
#define PASS_FLAGS GDL_WRITES_GRADIENT
#endif
#ifndef SCRATCH_BYTES
#define SCRATCH_BYTES 0
#endif
#ifndef SLOPE
#define SLOPE 2
#endif
#ifndef STORE
#define STORE =
#endif
#ifndef UNWRITTEN
#define UNWRITTEN 0
#endif
#ifndef ABI_MINOR
#define ABI_MINOR 0
#endif
#ifndef PLUGIN_SIZE
#define PLUGIN_SIZE sizeof(GdlPlugin)
#endif
#ifndef LOSS_SIZE
#define LOSS_SIZE sizeof(GdlLoss)
#endif
#ifndef TENSOR_SIZE
#define TENSOR_SIZE sizeof(GdlTensorSpec)
#endif

#ifndef CREATE
static GdlStatus Create(const GdlValue* const* params, void** state, GdlError* error) {
  (void)params;
  (void)error;
  *state = 0;
  return 0;
}
#define CREATE Create
#endif

static void Destroy(void* state) { (void)state; }

static GdlStatus MakePlan(const void* state, const GdlShape* shape, GdlPlan* plan, GdlError* error) {
  (void)state;
  (void)shape;
  (void)error;
  plan->pass_count = 1;
  plan->pass[0]->flags = PASS_FLAGS;
  plan->pass[0]->inputs = 3;
  plan->pass[0]->sums = 2;
  plan->pass[0]->scratch_bytes = SCRATCH_BYTES;
  plan->items_are_denominator = 1;
  return 0;
}

#ifndef COMPUTE
/* Element (o, i) of a view as the call's real type. */
static double Read(const GdlTile* tile, const GdlView* view, int64_t o, int64_t i) {
  const int64_t at = o * view->outer_stride + i;
  return tile->shape->dtype == 8 ? ((const double*)view->data)[at] : (double)((const float*)view->data)[at];
}

static void Compute(const GdlTile* tile) {
  const GdlView* gradient = tile->gradients[0];
  for (int64_t o = 0; o < tile->outer; ++o) {
    for (int64_t i = 0; i < tile->inner; ++i) {
      const double difference = Read(tile, tile->inputs[0], o, i) - Read(tile, tile->inputs[1], o, i);
      tile->sums[0] += difference * difference;
      tile->sums[1] += 1;
      if (!gradient || (UNWRITTEN && o + 1 == tile->outer && i + 1 == tile->inner)) continue;
      const double slope = tile->scale[0] * SLOPE * difference;
      if (tile->shape->dtype == 8) {
        ((double*)gradient->data)[o * gradient->outer_stride + i] STORE slope;
      } else {
        ((float*)gradient->data)[o * gradient->outer_stride + i] STORE(float) slope;
      }
    }
  }
}
#define COMPUTE Compute
#endif

static void Fold(const GdlFold* fold) {
  fold->numerator[0] = fold->sums[0];
  fold->denominator[0] = fold->sums[1];
}

static const GdlTensorSpec kPrediction = {.struct_size = TENSOR_SIZE,
                                          .kind = KIND,
                                          .flags = GDL_GRADIENT,
                                          .name = "prediction",
                                          .doc = "predicted values",
                                          .dims = DIMS};
static const GdlTensorSpec kTarget = {
    .struct_size = TENSOR_SIZE, .kind = GDL_REAL, .name = "target", .doc = "true values", .dims = "N *"};
static const GdlComponentSpec kComponent = {
    .struct_size = sizeof(GdlComponentSpec), .kind = GDL_ADDITIVE, .name = "error", .doc = "squared differences"};

#ifndef TENSORS
static const GdlTensorSpec* const kTensors[] = {&kPrediction, &kTarget, 0};
#define TENSORS kTensors
#endif
#ifndef PARAMS
#define PARAMS 0
#endif
#ifndef COMPONENTS
static const GdlComponentSpec* const kComponents[] = {&kComponent, 0};
#define COMPONENTS kComponents
#endif
#ifndef SIGNALS
static const char* const kSignals[] = {SIGNAL, 0};
#define SIGNALS kSignals
#endif
#ifndef FOLD
#define FOLD Fold
#endif

static const GdlLoss kLoss = {.struct_size = LOSS_SIZE,
                              .version = 1,
                              .flags = LOSS_FLAGS,
                              .merge = GDL_MERGE_RATIO,
                              .id = ID,
                              .doc = "a loss that tries the loader",
                              .signals = SIGNALS,
                              .tensors = TENSORS,
                              .params = PARAMS,
                              .components = COMPONENTS,
                              .create = CREATE,
                              .destroy = Destroy,
                              .plan = MakePlan,
                              .compute = COMPUTE,
                              .fold = FOLD};

#ifndef LOSSES
static const GdlLoss* const kLosses[] = {&kLoss, 0};
#define LOSSES kLosses
#endif
#ifndef PLUGIN_NAME
#define PLUGIN_NAME NAME
#endif

#ifndef WITHOUT_PLUGIN
const GdlPlugin GDL_PLUGIN_SYMBOL = {.struct_size = PLUGIN_SIZE,
                                     .abi_minor = ABI_MINOR,
                                     .name = PLUGIN_NAME,
                                     .vendor = "Gradeline tests",
                                     .version = "1.0.0",
                                     .license = "Apache-2.0",
                                     .losses = LOSSES};
#endif

#endif /* GRADELINE_TESTS_ABI_ZOO_BASE_H_ */
