/* A plugin as authors wrote them against minor 0, with the header of that time beside it. Neither file is ever edited:
 * a host that no longer loads this has broken the ABI. Squared difference times `factor`, labels that may be ignored.
 */
#include <stdlib.h>

#include "loss_abi_minor0.h"

static GdlStatus Create(const GdlValue* const* params, void** state, GdlError* error) {
  double* factor = malloc(sizeof(double));
  (void)error;
  if (!factor) return 8;
  *factor = params[0]->v[0];
  *state = factor;
  return 0;
}

static GdlStatus MakePlan(const void* state, const GdlShape* shape, GdlPlan* plan, GdlError* error) {
  (void)state;
  (void)error;
  plan->pass_count = 2;
  plan->pass[0]->flags = GDL_GRADIENT_ONLY | GDL_DENOMINATOR_ONLY;
  plan->pass[0]->inputs = 2;
  plan->pass[0]->sums = 1;
  plan->pass[1]->flags = GDL_WRITES_GRADIENT;
  plan->pass[1]->inputs = shape->small[2] < 0 ? 3 : 7;
  plan->pass[1]->sums = 2;
  return 0;
}

static double Read(const GdlTile* tile, const GdlView* view, int64_t at) {
  return tile->shape->dtype == 8 ? ((const double*)view->data)[at] : (double)((const float*)view->data)[at];
}

static void Compute(const GdlTile* tile) {
  const double factor = *(const double*)tile->state;
  for (int64_t o = 0; o < tile->outer; ++o) {
    for (int64_t i = 0; i < tile->inner; ++i) {
      const GdlView* labels = tile->inputs[1];
      const int32_t label = ((const int32_t*)labels->data)[o * labels->outer_stride + i];
      const GdlView* gradient = tile->gradients[0];
      double loss = 0, slope = 0;
      if (tile->pass == 0) {
        tile->sums[0] += label >= 0;
        continue;
      }
      if (label >= 0) {
        const GdlView* extra = tile->inputs[2];
        const double shift = extra ? Read(tile, extra, o * extra->outer_stride + i) : 0;
        const double difference = Read(tile, tile->inputs[0], o * tile->inputs[0]->outer_stride + i) + shift - label;
        loss = factor * difference * difference;
        slope = 2 * factor * difference;
        tile->sums[1] += 1;
      }
      tile->sums[0] += loss;
      if (tile->item_loss) tile->item_loss[o * tile->inner + i] = loss;
      if (!gradient) continue;
      if (tile->shape->dtype == 8) {
        ((double*)gradient->data)[o * gradient->outer_stride + i] = tile->scale[0] * slope;
      } else {
        ((float*)gradient->data)[o * gradient->outer_stride + i] = (float)(tile->scale[0] * slope);
      }
    }
  }
}

static void Fold(const GdlFold* fold) {
  fold->denominator[0] = fold->pass == 0 ? fold->sums[0] : fold->sums[1];
  if (fold->pass == 1) fold->numerator[0] = fold->sums[0];
}

static const GdlTensorSpec kPrediction = {.struct_size = sizeof(GdlTensorSpec),
                                          .kind = GDL_REAL,
                                          .flags = GDL_GRADIENT,
                                          .name = "prediction",
                                          .doc = "predicted values",
                                          .dims = "N *"};
static const GdlTensorSpec kTarget = {.struct_size = sizeof(GdlTensorSpec),
                                      .kind = GDL_LABEL,
                                      .name = "target",
                                      .doc = "0 or 1",
                                      .dims = "N *",
                                      .ignore_param = "ignore_index"};
static const GdlTensorSpec kShift = {.struct_size = sizeof(GdlTensorSpec),
                                     .kind = GDL_REAL,
                                     .flags = GDL_OPTIONAL,
                                     .name = "shift",
                                     .doc = "added to the prediction",
                                     .dims = "N *",
                                     .min = -10,
                                     .max = 10};
static const GdlTensorSpec* const kTensors[] = {&kPrediction, &kTarget, &kShift, 0};
static const GdlParamSpec kFactor = {.struct_size = sizeof(GdlParamSpec),
                                     .kind = GDL_NUMBER,
                                     .flags = GDL_MIN_OPEN,
                                     .name = "factor",
                                     .doc = "multiplies the loss",
                                     .fallback = 1,
                                     .min = 0,
                                     .max = 100};
static const GdlParamSpec kIgnore = {.struct_size = sizeof(GdlParamSpec),
                                     .kind = GDL_INTEGER,
                                     .name = "ignore_index",
                                     .doc = "label of an ignored item",
                                     .fallback = -100,
                                     .min = -2147483648.0,
                                     .max = 2147483647.0};
static const GdlParamSpec* const kParams[] = {&kFactor, &kIgnore, 0};
static const GdlComponentSpec kComponent = {
    .struct_size = sizeof(GdlComponentSpec), .kind = GDL_ADDITIVE, .name = "error", .doc = "squared differences"};
static const GdlComponentSpec* const kComponents[] = {&kComponent, 0};
static const char* const kSignals[] = {"value", 0};
static const GdlLoss kLoss = {.struct_size = sizeof(GdlLoss),
                              .version = 1,
                              .flags = GDL_ITEMS_INDEPENDENT,
                              .merge = GDL_MERGE_RATIO,
                              .id = "frozen_minor0",
                              .doc = "squared difference to a label",
                              .signals = kSignals,
                              .tensors = kTensors,
                              .params = kParams,
                              .components = kComponents,
                              .create = Create,
                              .destroy = free,
                              .plan = MakePlan,
                              .compute = Compute,
                              .fold = Fold};
static const GdlLoss* const kLosses[] = {&kLoss, 0};

const GdlPlugin gradeline_loss_plugin_v0 = {.struct_size = sizeof(GdlPlugin),
                                            .abi_minor = 0,
                                            .name = "frozen_minor0",
                                            .vendor = "Gradeline tests",
                                            .version = "1.0.0",
                                            .license = "Apache-2.0",
                                            .losses = kLosses};
