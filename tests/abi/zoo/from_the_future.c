/* A plugin of a later minor version that still needs no newer host: every table is longer than this header knows, and
 * what follows is not zero. */
#include "plugins/sdk/loss_abi.h"
#define WITHOUT_PLUGIN
#include "tests/abi/zoo/base.h"

#define LATER \
  { ~(uint64_t)0, ~(uint64_t)0, ~(uint64_t)0 }
typedef struct FutureTensor {
  GdlTensorSpec now;
  uint64_t later[3];
} FutureTensor;
typedef struct FutureComponent {
  GdlComponentSpec now;
  uint64_t later[3];
} FutureComponent;
typedef struct FutureLoss {
  GdlLoss now;
  uint64_t later[3];
} FutureLoss;
typedef struct FuturePlugin {
  GdlPlugin now;
  uint64_t later[3];
} FuturePlugin;

static const FutureTensor kFuturePrediction = {{.struct_size = sizeof(FutureTensor),
                                                .kind = GDL_REAL,
                                                .flags = GDL_GRADIENT,
                                                .name = "prediction",
                                                .doc = "predicted values",
                                                .dims = "N *"},
                                               LATER};
static const FutureTensor kFutureTarget = {
    {.struct_size = sizeof(FutureTensor), .kind = GDL_REAL, .name = "target", .doc = "true values", .dims = "N *"},
    LATER};
static const FutureComponent kFutureComponent = {
    {.struct_size = sizeof(FutureComponent), .kind = GDL_ADDITIVE, .name = "error", .doc = "squared differences"},
    LATER};
static const GdlTensorSpec* const kFutureTensors[] = {&kFuturePrediction.now, &kFutureTarget.now, 0};
static const GdlComponentSpec* const kFutureComponents[] = {&kFutureComponent.now, 0};
static const FutureLoss kFutureLoss = {{.struct_size = sizeof(FutureLoss),
                                        .version = 1,
                                        .merge = GDL_MERGE_RATIO,
                                        .id = NAME,
                                        .doc = "a loss of a later minor version",
                                        .signals = kSignals,
                                        .tensors = kFutureTensors,
                                        .components = kFutureComponents,
                                        .create = Create,
                                        .destroy = Destroy,
                                        .plan = MakePlan,
                                        .compute = Compute,
                                        .fold = Fold},
                                       LATER};
static const GdlLoss* const kFutureLosses[] = {&kFutureLoss.now, 0};

__attribute__((visibility("default"))) extern const FuturePlugin gradeline_loss_plugin_v0;
const FuturePlugin gradeline_loss_plugin_v0 = {{.struct_size = sizeof(FuturePlugin),
                                                .abi_minor = 0,
                                                .name = NAME,
                                                .vendor = "Gradeline tests",
                                                .version = "9.0.0",
                                                .license = "Apache-2.0",
                                                .losses = kFutureLosses},
                                               LATER};
