#include "server/core/engine/call_plan.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/core/base/status.h"
#include "server/core/engine/test_batch.h"
#include "server/core/engine/test_losses.h"

namespace gradeline {
namespace {

using test_losses::Probe;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CallPlanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Probe::plans = 0;
    Probe::on_plan = nullptr;
    Probe::on_tile = nullptr;
  }
  void TearDown() override { SetUp(); }

  absl::Status PlanOf(std::function<void(const GdlShape&, sdk::Plan&)> on_plan) {
    Probe::on_plan = std::move(on_plan);
    const TestTensor x(DType::kF32, {4, 2}, std::vector<double>(8, 1));
    return CallPlan::Make(probe_, MakeCall(probe_, {{"prediction", &x}}).inputs).status();
  }

  const std::shared_ptr<const LossRegistry> registry_ = RegistryWith({&test_losses::Plugin()});
  const LossHandle probe_ = Handle(*registry_, "test_probe");
};

TEST_F(CallPlanTest, IsMadeOncePerShape) {
  PlanCache cache;
  const TestTensor a(DType::kF32, {4, 2}, std::vector<double>(8, 1)), b(DType::kF32, {2, 4}, std::vector<double>(8, 1)),
      c(DType::kF16, {4, 2}, std::vector<double>(8, 1)), weight(DType::kF32, {4}, {1, 1, 1, 1});
  const auto find = [&](const LossHandle& loss, const std::map<std::string, const TestTensor*>& inputs) {
    auto plan = cache.Find(loss, MakeCall(loss, inputs).inputs);
    EXPECT_TRUE(plan.ok()) << plan.status();
    return *plan;
  };
  const auto first = find(probe_, {{"prediction", &a}});
  EXPECT_EQ(find(probe_, {{"prediction", &a}}), first);
  EXPECT_EQ(Probe::plans, 1);
  EXPECT_NE(find(probe_, {{"prediction", &b}}), first);
  EXPECT_NE(find(probe_, {{"prediction", &c}}), first) << "another type";
  EXPECT_NE(find(probe_, {{"prediction", &a}, {"weight", &weight}}), first) << "another input";
  EXPECT_EQ(find(Handle(*registry_, "test_probe"), {{"prediction", &a}}), first) << "another state of equal parameters";
  EXPECT_EQ(Probe::plans, 4);
  EXPECT_EQ(find(probe_, {{"prediction", &a}}), first);
  EXPECT_EQ(Probe::plans, 4);

  const TestTensor factors(DType::kF32, {2}, {1, 1});
  const auto shared = [&](double share) {
    return find(Handle(*registry_, "test_two", {{"share", share}}), {{"prediction", &a}, {"factors", &factors}});
  };
  EXPECT_EQ(shared(1), shared(1));
  EXPECT_NE(shared(1), shared(2)) << "other parameters";
}

TEST_F(CallPlanTest, CacheKeepsTheLastUsed) {
  PlanCache cache;
  const auto use = [&](int64_t size) {
    const TestTensor x(DType::kF32, {size, 1}, std::vector<double>(static_cast<size_t>(size), 1));
    ASSERT_TRUE(cache.Find(probe_, MakeCall(probe_, {{"prediction", &x}}).inputs).ok());
  };
  const int most = static_cast<int>(PlanCache::kMostPlans);
  for (int64_t size = 1; size <= most; ++size) use(size);
  EXPECT_EQ(Probe::plans, most);
  use(1);  // now the newest
  use(most + 1);
  EXPECT_EQ(Probe::plans, most + 1);
  use(1);
  EXPECT_EQ(Probe::plans, most + 1);
  use(2);  // the oldest was dropped
  EXPECT_EQ(Probe::plans, most + 2);
}

TEST_F(CallPlanTest, BrokenPlansAreInternalErrors) {
  const auto expect_broken = [&](const char* what, std::function<void(const GdlShape&, sdk::Plan&)> on_plan) {
    const absl::Status status = PlanOf(std::move(on_plan));
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(status.message(), HasSubstr(absl::StrCat("loss test_probe: its plan ", what)));
  };
  expect_broken("has 0 passes; allowed: 1 to 8", [](const GdlShape&, sdk::Plan&) {});
  expect_broken("has 9 passes", [](const GdlShape&, sdk::Plan& plan) { plan.raw().pass_count = 9; });
  expect_broken("has 0 passes that write", [](const GdlShape&, sdk::Plan& plan) { plan.AddPass(0, 1, 0); });
  expect_broken("has 2 passes that write", [](const GdlShape&, sdk::Plan& plan) {
    plan.AddPass(GDL_WRITES_GRADIENT, 1, 0);
    plan.AddPass(GDL_WRITES_GRADIENT, 1, 0);
  });
  expect_broken("asks in pass 0 for input 1, which",
                [](const GdlShape&, sdk::Plan& plan) { plan.AddPass(GDL_WRITES_GRADIENT, 3, 0); });
  expect_broken("asks in pass 0 for input 63",
                [](const GdlShape&, sdk::Plan& plan) { plan.AddPass(GDL_WRITES_GRADIENT, uint64_t{1} << 63, 0); });
  expect_broken("names -1 for jobs", [](const GdlShape&, sdk::Plan& plan) { plan.AddPass(0, 0, 0).jobs = -1; });
  expect_broken("names -1 for sums", [](const GdlShape&, sdk::Plan& plan) { plan.AddPass(0, 0, -1); });
  expect_broken("names -1 for scratch_bytes",
                [](const GdlShape&, sdk::Plan& plan) { plan.AddPass(0, 0, 0).scratch_bytes = -1; });
  expect_broken("names -1 batch_bytes", [](const GdlShape&, sdk::Plan& plan) {
    plan.AddPass(GDL_WRITES_GRADIENT, 1, 0);
    plan.raw().batch_bytes = -1;
  });
  expect_broken("writes the gradient in pass 0, which has jobs",
                [](const GdlShape&, sdk::Plan& plan) { plan.AddPass(GDL_WRITES_GRADIENT, 0, 0).jobs = 1; });
}

TEST_F(CallPlanTest, RefusalsOfTheLossComeThrough) {
  const absl::Status invalid = PlanOf([](const GdlShape&, sdk::Plan&) {
    throw sdk::Refusal{"prediction", "is odd; allowed: even"};
  });
  EXPECT_EQ(invalid.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(FieldViolationsOf(invalid), ElementsAre(FieldViolation{"inputs.prediction", "is odd; allowed: even"}));
  const absl::Status exhausted = PlanOf([](const GdlShape&, sdk::Plan&) { throw sdk::Refusal{"", "too many", 8}; });
  EXPECT_EQ(exhausted.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(exhausted.message(), HasSubstr("too many"));
}

// Shapes without data must not ask for endless work, nor may their products overflow.
TEST_F(CallPlanTest, ShapesThatAreTooLarge) {
  const int64_t huge = int64_t{1} << 62;
  const std::vector<int64_t> no_classes{huge, 0}, overflow{huge, 4}, hidden{0, huge, huge};
  for (const auto& shape : {no_classes, overflow, hidden}) {
    const std::optional<TensorView> inputs[] = {TensorView{DType::kF32, shape, nullptr}, std::nullopt};
    const auto plan = CallPlan::Make(probe_, inputs);
    ASSERT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(FieldViolationsOf(plan.status()).front().field, "inputs.prediction");
  }
  EXPECT_EQ(Probe::plans, 0);
}

TEST_F(CallPlanTest, TensorsThatDisagree) {
  const TestTensor x(DType::kF32, {4, 2}, std::vector<double>(8, 1)), weight(DType::kF32, {3}, {1, 1, 1});
  const auto plan = CallPlan::Make(probe_, MakeCall(probe_, {{"prediction", &x}, {"weight", &weight}}).inputs);
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FieldViolationsOf(plan.status()).front().field, "inputs.weight");
}

TEST_F(CallPlanTest, ShowsTheLossOuterSmallInner) {
  GdlShape seen{};
  std::vector<int64_t> small;
  Probe::on_plan = [&](const GdlShape& shape, sdk::Plan& plan) {
    seen = shape;
    small.assign(shape.small, shape.small + 2);
    plan.AddPass(GDL_WRITES_GRADIENT, 1, 1);
  };
  const TestTensor x(DType::kF64, {2, 3, 4, 5}, std::vector<double>(120, 1));
  const auto plan = CallPlan::Make(probe_, MakeCall(probe_, {{"prediction", &x}}).inputs);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(seen.struct_size, sizeof(GdlShape));
  EXPECT_EQ(seen.dtype, 8U);
  EXPECT_EQ(seen.outer, 2);
  EXPECT_EQ(seen.inner, 20);
  EXPECT_THAT(small, ElementsAre(3, -1));
  EXPECT_EQ(seen.tile_items, TileItems(3 * 8));
  EXPECT_EQ((*plan)->counted_tensor, -1);
}

}  // namespace
}  // namespace gradeline
