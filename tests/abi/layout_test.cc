// The layout that minor 0 promised. A line here is never changed; structs may only grow behind it.
#include <gtest/gtest.h>

#include <cstddef>

#include "plugins/sdk/loss_abi.h"

namespace {

static_assert(sizeof(void*) == 8, "the table below is for 64-bit targets");

#define GDL_SIZE(type, bytes) EXPECT_GE(sizeof(type), size_t{bytes}) << #type " shrank"
#define GDL_AT(type, field, offset) EXPECT_EQ(offsetof(type, field), size_t{offset}) << #type "." #field " moved"

TEST(AbiLayout, Tables) {
  GDL_SIZE(GdlTensorSpec, 80);
  GDL_AT(GdlTensorSpec, struct_size, 0);
  GDL_AT(GdlTensorSpec, kind, 4);
  GDL_AT(GdlTensorSpec, flags, 8);
  GDL_AT(GdlTensorSpec, one_of, 12);
  GDL_AT(GdlTensorSpec, name, 16);
  GDL_AT(GdlTensorSpec, doc, 24);
  GDL_AT(GdlTensorSpec, dims, 32);
  GDL_AT(GdlTensorSpec, label_axis, 40);
  GDL_AT(GdlTensorSpec, ignore_param, 48);
  GDL_AT(GdlTensorSpec, encoding, 56);
  GDL_AT(GdlTensorSpec, min, 64);
  GDL_AT(GdlTensorSpec, max, 72);
  GDL_SIZE(GdlParamSpec, 96);
  GDL_AT(GdlParamSpec, kind, 4);
  GDL_AT(GdlParamSpec, flags, 8);
  GDL_AT(GdlParamSpec, name, 16);
  GDL_AT(GdlParamSpec, doc, 24);
  GDL_AT(GdlParamSpec, unit, 32);
  GDL_AT(GdlParamSpec, group, 40);
  GDL_AT(GdlParamSpec, axis, 48);
  GDL_AT(GdlParamSpec, choices, 56);
  GDL_AT(GdlParamSpec, when, 64);
  GDL_AT(GdlParamSpec, fallback, 72);
  GDL_AT(GdlParamSpec, min, 80);
  GDL_AT(GdlParamSpec, max, 88);
  GDL_SIZE(GdlComponentSpec, 32);
  GDL_AT(GdlComponentSpec, kind, 4);
  GDL_AT(GdlComponentSpec, name, 8);
  GDL_AT(GdlComponentSpec, doc, 16);
  GDL_AT(GdlComponentSpec, weight_param, 24);
  GDL_SIZE(GdlLoss, 112);
  GDL_AT(GdlLoss, version, 4);
  GDL_AT(GdlLoss, flags, 8);
  GDL_AT(GdlLoss, merge, 12);
  GDL_AT(GdlLoss, id, 16);
  GDL_AT(GdlLoss, doc, 24);
  GDL_AT(GdlLoss, signals, 32);
  GDL_AT(GdlLoss, tasks, 40);
  GDL_AT(GdlLoss, tensors, 48);
  GDL_AT(GdlLoss, params, 56);
  GDL_AT(GdlLoss, components, 64);
  GDL_AT(GdlLoss, create, 72);
  GDL_AT(GdlLoss, destroy, 80);
  GDL_AT(GdlLoss, plan, 88);
  GDL_AT(GdlLoss, compute, 96);
  GDL_AT(GdlLoss, fold, 104);
  GDL_SIZE(GdlPlugin, 48);
  GDL_AT(GdlPlugin, abi_minor, 4);
  GDL_AT(GdlPlugin, name, 8);
  GDL_AT(GdlPlugin, vendor, 16);
  GDL_AT(GdlPlugin, version, 24);
  GDL_AT(GdlPlugin, license, 32);
  GDL_AT(GdlPlugin, losses, 40);
}

TEST(AbiLayout, StructsOfTheHost) {
  GDL_SIZE(GdlValue, 16);
  GDL_AT(GdlValue, count, 4);
  GDL_AT(GdlValue, v, 8);
  GDL_SIZE(GdlError, 24);
  GDL_AT(GdlError, capacity, 4);
  GDL_AT(GdlError, field, 8);
  GDL_AT(GdlError, message, 16);
  GDL_SIZE(GdlShape, 40);
  GDL_AT(GdlShape, dtype, 4);
  GDL_AT(GdlShape, outer, 8);
  GDL_AT(GdlShape, inner, 16);
  GDL_AT(GdlShape, small, 24);
  GDL_AT(GdlShape, tile_items, 32);
  GDL_SIZE(GdlPass, 40);
  GDL_AT(GdlPass, flags, 4);
  GDL_AT(GdlPass, inputs, 8);
  GDL_AT(GdlPass, jobs, 16);
  GDL_AT(GdlPass, sums, 24);
  GDL_AT(GdlPass, scratch_bytes, 32);
  GDL_SIZE(GdlPlan, 40);
  GDL_AT(GdlPlan, pass_count, 4);
  GDL_AT(GdlPlan, pass, 8);
  GDL_AT(GdlPlan, batch_bytes, 16);
  GDL_AT(GdlPlan, carry_bytes, 24);
  GDL_AT(GdlPlan, items_are_denominator, 32);
  GDL_SIZE(GdlView, 40);
  GDL_AT(GdlView, data, 8);
  GDL_AT(GdlView, outer_stride, 16);
  GDL_AT(GdlView, small_stride, 24);
  GDL_AT(GdlView, small, 32);
  GDL_SIZE(GdlFault, 32);
  GDL_AT(GdlFault, kind, 4);
  GDL_AT(GdlFault, tensor, 8);
  GDL_AT(GdlFault, item, 16);
  GDL_AT(GdlFault, what, 24);
  GDL_SIZE(GdlTile, 136);
  GDL_AT(GdlTile, pass, 4);
  GDL_AT(GdlTile, state, 8);
  GDL_AT(GdlTile, carry, 16);
  GDL_AT(GdlTile, shape, 24);
  GDL_AT(GdlTile, first_item, 32);
  GDL_AT(GdlTile, outer, 40);
  GDL_AT(GdlTile, inner, 48);
  GDL_AT(GdlTile, job_begin, 56);
  GDL_AT(GdlTile, job_end, 64);
  GDL_AT(GdlTile, inputs, 72);
  GDL_AT(GdlTile, gradients, 80);
  GDL_AT(GdlTile, scale, 88);
  GDL_AT(GdlTile, item_loss, 96);
  GDL_AT(GdlTile, sums, 104);
  GDL_AT(GdlTile, scratch, 112);
  GDL_AT(GdlTile, batch, 120);
  GDL_AT(GdlTile, fault, 128);
  GDL_SIZE(GdlFold, 56);
  GDL_AT(GdlFold, pass, 4);
  GDL_AT(GdlFold, state, 8);
  GDL_AT(GdlFold, shape, 16);
  GDL_AT(GdlFold, sums, 24);
  GDL_AT(GdlFold, carry, 32);
  GDL_AT(GdlFold, numerator, 40);
  GDL_AT(GdlFold, denominator, 48);
}

TEST(AbiLayout, NumbersKeepTheirMeaning) {
  EXPECT_EQ(GDL_REAL, 1);
  EXPECT_EQ(GDL_LABEL, 2);
  EXPECT_EQ(GDL_OPTIONAL | GDL_GRADIENT << 4 | GDL_CONSTANT << 8 | GDL_BACKGROUND << 12, 0x8421);
  EXPECT_EQ(GDL_NUMBER, 1);
  EXPECT_EQ(GDL_INTEGER, 2);
  EXPECT_EQ(GDL_BOOL, 3);
  EXPECT_EQ(GDL_CHOICE, 4);
  EXPECT_EQ(GDL_VECTOR, 5);
  EXPECT_EQ(GDL_MIN_OPEN | GDL_MAX_OPEN << 4 | GDL_MAY_BE_OFF << 8 | GDL_ONE_FOR_ALL << 12, 0x8421);
  EXPECT_EQ(GDL_ADDITIVE, 1);
  EXPECT_EQ(GDL_AGGREGATE, 2);
  EXPECT_EQ(GDL_MERGE_RATIO | GDL_MERGE_SUMS << 4 | GDL_MERGE_NONE << 8, 0x321);
  EXPECT_EQ(GDL_WHOLE_OUTER | GDL_GRADIENT_ONLY << 4 | GDL_DENOMINATOR_ONLY << 8 | GDL_WRITES_GRADIENT << 12, 0x8421);
  EXPECT_EQ(GDL_FAULT_NONFINITE | GDL_FAULT_VALUE << 4, 0x21);
  EXPECT_EQ(GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE << 4, 0x21);
}

}  // namespace
