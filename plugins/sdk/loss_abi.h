/* Gradeline loss plugin ABI: the contract between a host and a loss. Strict C11 and C++20; no other header is needed.
 *
 * A plugin exports one symbol, const data: gradeline_loss_plugin_v0. The major version is in the symbol, the minor one
 * in GDL_ABI_MINOR. Everything a plugin says about itself is a table that the host reads and lints before it runs any
 * function of the plugin. Tables grow at their end: `struct_size` tells how much of one the plugin has, the host copies
 * that prefix into zeroed structs of its own. Structs that the host hands over grow too; so a plugin names the least
 * host minor it needs, and an older host refuses it at load. Neither side checks a size later.
 *
 * Lists are NULL-ended arrays of pointers. Strings are UTF-8, static, and end with NUL. Memory is the host's, save a
 * plugin's tables and its state. Functions never throw, log, lock or, save create, allocate; compute runs on many
 * threads at once. This header deliberately says nothing of streams, tasks' meaning, reductions or types on the wire.
 */
#ifndef GRADELINE_PLUGINS_SDK_LOSS_ABI_H_
#define GRADELINE_PLUGINS_SDK_LOSS_ABI_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GDL_ABI_MINOR 1u

typedef int32_t GdlStatus; /* 0, or the number of an absl::StatusCode (3: INVALID_ARGUMENT, 8: RESOURCE_EXHAUSTED) */

/* ---- What a loss is: const data, linted before any function of the plugin runs ----------------------------------- */

/* GdlTensorSpec.kind. The host converts tile by tile: a kernel meets no other types than these. */
enum {
  GDL_REAL = 1, /* the call's type, float or double; f16 and bf16 arrive widened, their gradients leave narrowed */
  GDL_LABEL = 2 /* int32 in [0, size of label_axis), or -1 = ignored; u8, i32, i64 come; the host checks */
};
/* GdlTensorSpec.flags */
enum {
  GDL_OPTIONAL = 1,  /* need not come; its view is then NULL and its `small` -1 */
  GDL_GRADIENT = 2,  /* REAL: differentiable */
  GDL_CONSTANT = 4,  /* sent once per stream, not per batch */
  GDL_BACKGROUND = 8 /* LABEL: the size of label_axis itself is allowed and means none of the classes */
};

/* `dims` names the axes of a tensor, outermost first: "N c *", "N C? *", "N T v", "N 4".
 * - Capitals and * number the items, the parts that a batch is cut into. * stands for any tail of axes, also for none.
 * - Small letters and numbers lie within an item.
 * - A capital with ? may be missing when the tensor has no axis left for it; its size is then 1.
 * - Equal names, and *, agree across the tensors.
 * - Neither capital nor * ("c"): one for the batch, given whole to every tile.
 *
 * A loss sees every tensor as [outer][small][inner]; outer and inner are those of the loss. If any of its tensors has
 * small axes, outer is the product of the item axes before them and inner of those behind them. If none has, inner is
 * the product of what * stands for and outer that of the capitals.
 * - "N c H W": N x c x H*W
 * - "N T v": N*T x v x 1
 * - "N C? *": N*C x 1 x *
 * - "N *": N x 1 x *
 *
 * `one_of` groups tensors of which exactly one must come: hard or soft targets. None of them is OPTIONAL. They share
 * one name and differ in kind: integers that arrive under the name are for the LABEL spec, reals for the REAL spec.
 *
 * In `encoding`, {format} stands for the word of the CHOICE parameter `format`; {format|delta} for that, or for "delta"
 * where its `when` leaves it no meaning: "box:{format|delta}" tells a worker "box:xyxy", "box:xywh" or "box:delta". */
typedef struct GdlTensorSpec {
  uint32_t struct_size, kind, flags;
  uint32_t one_of; /* 0, or the number of its group */
  const char *name, *doc;
  const char* dims;
  const char* label_axis;   /* LABEL: its values number this axis; NULL: 0 or 1 */
  const char* ignore_param; /* LABEL: parameter whose value means ignored (if it is not off), or NULL */
  const char* encoding;     /* NULL, "logits", "probability", "box:xyxy" ...: told to the worker; see below */
  double min, max;          /* REAL without GRADIENT: allowed values, both included; min == max: any finite one */
} GdlTensorSpec;

/* GdlParamSpec.kind */
enum {
  GDL_NUMBER = 1,
  GDL_INTEGER = 2,
  GDL_BOOL = 3,   /* 0 or 1 */
  GDL_CHOICE = 4, /* index into choices */
  GDL_VECTOR = 5  /* numbers, each in [min, max] */
};
/* GdlParamSpec.flags */
enum {
  GDL_MIN_OPEN = 1,   /* min itself is not allowed */
  GDL_MAX_OPEN = 2,   /* max itself is not allowed */
  GDL_MAY_BE_OFF = 4, /* may be absent: count 0 */
  GDL_ONE_FOR_ALL = 8 /* VECTOR with an axis: a single number is allowed too and holds for the whole axis */
};

typedef struct GdlParamSpec {
  uint32_t struct_size, kind, flags, reserved;
  const char *name, *doc, *unit, *group; /* unit and group may be NULL */
  const char* axis;           /* VECTOR: its length is the size of this axis, checked when shapes are known; or NULL */
  const char* const* choices; /* CHOICE; else NULL */
  const char* when;           /* NULL, or "type=smooth_l1", "type=giou|ciou": has a meaning only then */
  double fallback, min, max;  /* fallback NaN = off (then MAY_BE_OFF); VECTORs have no other fallback */
} GdlParamSpec;

/* GdlComponentSpec.kind */
enum {
  GDL_ADDITIVE = 1, /* a sum over items / a denominator: the request's reduction applies */
  GDL_AGGREGATE = 2 /* one number of the whole batch (Dice): denominator 1, every reduction leaves it as it is */
};
/* GdlLoss.merge: how values of parts give the value of the whole */
enum {
  GDL_MERGE_RATIO = 1, /* add numerators and denominators */
  GDL_MERGE_SUMS = 2,  /* add the sums of each pass, then fold (Dice) */
  GDL_MERGE_NONE = 3   /* not from parts (Lovasz, OHEM): an epoch reports the item-weighted mean of its batches */
};
typedef struct GdlComponentSpec {
  uint32_t struct_size, kind;
  const char *name, *doc;
  const char* weight_param; /* NULL, or the parameter that weighs it; the host applies it through scale */
} GdlComponentSpec;

/* ---- One batch --------------------------------------------------------------------------------------------------- */

typedef struct GdlValue {      /* a parameter's value, checked by the host */
  uint32_t struct_size, count; /* 0 = off; 1, or the length of a VECTOR */
  const double* v;
} GdlValue;

typedef struct GdlError {         /* the host's; for create and plan to say why they refuse */
  uint32_t struct_size, capacity; /* bytes that each of the two holds, the ending NUL included */
  char *field, *message;          /* name of the parameter (create) or tensor (plan); what is wrong, what is allowed */
} GdlError;

typedef struct GdlShape {      /* items are numbered row-major over the item axes; see `dims` */
  uint32_t struct_size, dtype; /* bytes of a real: 4 or 8 */
  int64_t outer, inner;
  const int64_t* small; /* per tensor: product of its axes within an item (1 if it has none); -1 = absent */
  int64_t tile_items;   /* most items of one tile */
} GdlShape;

/* GdlPass.flags */
enum {
  GDL_WHOLE_OUTER = 1,      /* tiles hold whole outers (images), even where one has more than tile_items */
  GDL_GRADIENT_ONLY = 2,    /* skipped when no gradient is wanted */
  GDL_DENOMINATOR_ONLY = 4, /* skipped, with its fold, when the request or the plan fixes the denominators */
  GDL_WRITES_GRADIENT = 8   /* exactly one pass; scale is known there */
};
typedef struct GdlPass {
  uint32_t struct_size, flags;
  uint64_t inputs;       /* bit i: tensor i is read (others are not converted, not checked, NULL) */
  int64_t jobs;          /* 0: tiled over items. n: n jobs (classes, images x classes, 1); such a pass sees no inputs */
  int64_t sums;          /* doubles per tile */
  int64_t scratch_bytes; /* of one tile; not zeroed, 64-byte aligned */
} GdlPass;
typedef struct GdlPlan { /* zeroed by the host, filled by plan: a function of state and shape alone, kept per shape */
  uint32_t struct_size, pass_count;
  GdlPass* const* pass; /* 8 structs of the host, zeroed but for struct_size */
  int64_t batch_bytes;  /* scratch that all passes share; admitted to the memory budget with the batch */
  int64_t carry_bytes;  /* small, zeroed; written by fold, read by later passes */
  uint32_t items_are_denominator, reserved; /* 1: every denominator is the item count (no labels, no weights came) */
} GdlPlan;

/* Own items of one tensor; element (o, k, i) is data[o * outer_stride + k * small_stride + i]. */
typedef struct GdlView {
  uint32_t struct_size, reserved;
  void* data;           /* float or double (REAL, by GdlShape.dtype), int32_t (LABEL); inputs are read-only */
  int64_t outer_stride; /* in elements; 0 for a tensor given whole */
  int64_t small_stride, small;
} GdlView;

enum { GDL_FAULT_NONFINITE = 1, GDL_FAULT_VALUE = 2 };
typedef struct GdlFault { /* first fault of the tile, or all zero; the host reports that of the lowest tile */
  uint32_t struct_size, kind, tensor, reserved;
  int64_t item;     /* number in the batch */
  const char* what; /* static: "x2 < x1" */
} GdlFault;

/* GdlTile.flags */
enum {
  GDL_STREAM = 1 /* gradients go to memory that no cache will hold until it is read: stores past the caches pay */
};
typedef struct GdlTile {
  uint32_t struct_size, pass;
  const void *state, *carry;
  const GdlShape* shape;
  int64_t first_item, outer, inner; /* a box: a run of one outer, or whole outers (inner = shape's);
                                     * item (o, i) is first_item + o * inner + i */
  int64_t job_begin, job_end;       /* passes with jobs */
  const GdlView* const* inputs;     /* per tensor; NULL = absent or not asked for */
  const GdlView* const* gradients;  /* per tensor; NULL = not wanted. Store, never add, every element of own items */
  const double* scale;              /* per component: gradient = sum over k of scale[k] * d numerator[k].
                                     * Given to the pass that writes the gradient if one is wanted, else NULL */
  double* item_loss; /* NULL, or own items (o * inner + i), unscaled; only if every component is ADDITIVE;
                      * only in the pass that writes the gradient, wanted or not. Store all of them */
  double* sums;      /* this pass's; ADD to them: consecutive tiles may share them */
  void* scratch;     /* own */
  void* batch;       /* write own items or jobs, read all that earlier passes wrote */
  GdlFault* fault;
  uint32_t flags, reserved; /* since minor 1 */
} GdlTile;

/* Once after each pass that ran, on one thread; also for an empty batch, which has no tiles. Totals in, small results
 * out. Denominators must be there before the gradient pass runs. The last fold sets numerator and denominator of every
 * component, also when DENOMINATOR_ONLY passes were skipped; what an earlier fold gave it repeats bit by bit. */
typedef struct GdlFold {
  uint32_t struct_size, pass;
  const void* state;
  const GdlShape* shape; /* of the whole: outer is summed when parts on several workers are folded together */
  const double* sums;    /* over all tiles in tile order (and over parts in rank order) */
  void* carry;
  double *numerator, *denominator; /* per component, zeroed before the first fold */
} GdlFold;

/* GdlLoss.flags */
enum {
  GDL_ITEMS_INDEPENDENT = 1, /* item_loss is written: reduction none is offered */
  GDL_CHECKS_FINITE = 2      /* compute reports values that are not finite; else the host scans inputs tile by tile */
};
typedef struct GdlLoss {
  uint32_t struct_size, version; /* raise when numbers change */
  uint32_t flags, merge;
  const char *id, *doc; /* id: a-z 0-9 _ . / -, unique among all loaded losses */
  const char* const* signals;
  const char* const* tasks;            /* NULL = any */
  const GdlTensorSpec* const* tensors; /* at most 64 */
  const GdlParamSpec* const* params;   /* NULL = none */
  const GdlComponentSpec* const* components;
  /* params: one value per GdlParamSpec, in its order. Refuses combinations, names the field. */
  GdlStatus (*create)(const GdlValue* const* params, void** state, GdlError*);
  void (*destroy)(void* state);
  /* May refuse a shape. */
  GdlStatus (*plan)(const void* state, const GdlShape*, GdlPlan*, GdlError*);
  void (*compute)(const GdlTile*);
  void (*fold)(const GdlFold*);
} GdlLoss;

typedef struct GdlPlugin {
  uint32_t struct_size, abi_minor; /* least host minor needed */
  const char *name, *vendor, *version, *license;
  const GdlLoss* const* losses;
} GdlPlugin;

/* A plugin linked into a program needs a symbol of its own: compile it with -DGDL_PLUGIN_SYMBOL=another_name. */
#ifndef GDL_PLUGIN_SYMBOL
#define GDL_PLUGIN_SYMBOL gradeline_loss_plugin_v0
#endif
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
extern const GdlPlugin GDL_PLUGIN_SYMBOL;

#ifdef __cplusplus
}
#endif
#endif /* GRADELINE_PLUGINS_SDK_LOSS_ABI_H_ */
