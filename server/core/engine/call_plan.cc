#include "server/core/engine/call_plan.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

constexpr uint32_t kMostPasses = 8;
constexpr int64_t kMostBytes = int64_t{1} << 46;  // of any size that a plan names: sums of them cannot overflow
constexpr int64_t kMostSmall = int64_t{1}
                               << 31;  // elements of an item: a loss may multiply them by a block and 8 bytes

TensorPlan PlanTensor(const CallPlan& plan, size_t t) {
  const TensorSpec& spec = plan.loss.info().tensors[t];
  TensorPlan tensor;
  if (!plan.inputs[t]) return tensor;
  tensor.present = true;
  tensor.label = spec.label();
  tensor.whole = plan.binding.whole[t];
  tensor.gradient = spec.gradient() && !tensor.whole;
  tensor.ranged = !spec.label() && !spec.gradient() && spec.min < spec.max;
  tensor.dtype = plan.inputs[t]->dtype;
  tensor.small = plan.binding.small[t];
  tensor.elements = *ElementCount(plan.inputs[t]->shape);  // BindShapes checked it
  tensor.min = spec.min;
  tensor.max = spec.max;
  tensor.label_size = plan.binding.label_size[t];
  if (const auto param = plan.loss.params().find(spec.ignore_param); param != plan.loss.params().end()) {
    if (const double* value = std::get_if<double>(&param->second)) tensor.ignore = static_cast<int64_t>(*value);
  }
  return tensor;
}

absl::Status PlanTensors(CallPlan& plan) {
  int64_t item_bytes = 0;
  bool planes = false, in_place = true;
  Violations violations;
  for (size_t t = 0; t < plan.inputs.size(); ++t) {
    plan.tensors.push_back(PlanTensor(plan, t));
    const TensorPlan& tensor = plan.tensors.back();
    if (!tensor.present) continue;
    if (tensor.small == 0) {  // also keeps items <= elements: no message without data asks for endless work
      violations.Add(absl::StrCat("inputs.", plan.loss.info().tensors[t].name),
                     absl::StrCat("has shape ", ShapeText(plan.inputs[t]->shape), "; axes within an item (dims ",
                                  plan.loss.info().tensors[t].dims, ") must be 1 or more"));
      continue;
    }
    if (tensor.small > kMostSmall) {
      violations.Add(absl::StrCat("inputs.", plan.loss.info().tensors[t].name),
                     absl::StrCat("has shape ", ShapeText(plan.inputs[t]->shape), "; axes within an item (dims ",
                                  plan.loss.info().tensors[t].dims, ") hold at most ", kMostSmall, " elements"));
      continue;
    }
    const int64_t items = tensor.whole ? 1 : plan.binding.items();
    if (items * tensor.small != tensor.elements) {
      return absl::InternalError(
          absl::StrCat("loss ", plan.loss.info().id, ": input ", plan.loss.info().tensors[t].name, " of shape ",
                       ShapeText(plan.inputs[t]->shape), " is not bound as ", items, " items of ", tensor.small));
    }
    plan.input_elements += tensor.elements;
    if (tensor.whole) continue;
    in_place &= tensor.label || static_cast<int>(SizeOf(tensor.dtype)) == plan.binding.real_bytes;
    planes |= tensor.small > 1 && plan.binding.inner > 1;
    item_bytes += tensor.small * (tensor.label ? 4 : plan.binding.real_bytes);
    if (tensor.label && plan.counted_tensor < 0) plan.counted_tensor = static_cast<int>(t);
  }
  plan.shape = {
      sizeof(GdlShape),          static_cast<uint32_t>(plan.binding.real_bytes),
      plan.binding.outer,        plan.binding.inner,
      plan.binding.small.data(), TileItems(item_bytes, planes && in_place ? item_bytes * plan.binding.items() : 0)};
  return violations.ToStatus();
}

absl::Status BrokenPlan(const CallPlan& plan, const std::string& what) {
  return absl::InternalError(absl::StrCat("loss ", plan.loss.info().id, ": its plan ", what));
}

absl::Status CheckPass(const CallPlan& plan, uint32_t index, const GdlPass& pass) {
  const std::string name = absl::StrCat("pass ", index);
  for (const auto& [size, what] :
       {std::pair{pass.jobs, "jobs"}, {pass.sums, "sums"}, {pass.scratch_bytes, "scratch_bytes"}}) {
    if (size < 0 || size > kMostBytes)
      return BrokenPlan(plan, absl::StrCat("names ", size, " for ", what, " of ", name));
  }
  for (size_t t = 0; t < 64; ++t) {
    const bool asked = (pass.inputs >> t & 1) != 0;
    if (asked && (t >= plan.tensors.size() || !plan.tensors[t].present)) {
      return BrokenPlan(plan, absl::StrCat("asks in ", name, " for input ", t, ", which is not there"));
    }
  }
  if (pass.jobs > 0 && (pass.flags & GDL_WRITES_GRADIENT) != 0) {
    return BrokenPlan(plan, absl::StrCat("writes the gradient in ", name, ", which has jobs and so no items"));
  }
  return absl::OkStatus();
}

absl::Status TakePasses(CallPlan& plan, const GdlPlan& raw) {
  if (raw.pass_count < 1 || raw.pass_count > kMostPasses) {
    return BrokenPlan(plan, absl::StrCat("has ", raw.pass_count, " passes; allowed: 1 to ", kMostPasses));
  }
  if (raw.batch_bytes < 0 || raw.batch_bytes > kMostBytes || raw.carry_bytes < 0 || raw.carry_bytes > kMostBytes) {
    return BrokenPlan(plan,
                      absl::StrCat("names ", raw.batch_bytes, " batch_bytes and ", raw.carry_bytes, " carry_bytes"));
  }
  int writers = 0;
  for (uint32_t p = 0; p < raw.pass_count; ++p) {
    const GdlPass& pass = *raw.pass[p];
    GRADELINE_RETURN_IF_ERROR(CheckPass(plan, p, pass));
    writers += (pass.flags & GDL_WRITES_GRADIENT) != 0 ? 1 : 0;
    const bool whole_outer = (pass.flags & GDL_WHOLE_OUTER) != 0;
    const uint64_t inputs = pass.jobs > 0 ? 0 : pass.inputs;
    plan.passes.push_back(
        {p, pass.flags, inputs, pass.jobs, pass.sums, pass.scratch_bytes,
         pass.jobs > 0 ? TileGrid::OfJobs(pass.jobs)
                       : TileGrid::OfItems(plan.shape.outer, plan.shape.inner, plan.shape.tile_items, whole_outer)});
    plan.all_inputs |= inputs;
  }
  if (writers != 1)
    return BrokenPlan(plan, absl::StrCat("has ", writers, " passes that write the gradient; needed: 1"));
  plan.batch_bytes = raw.batch_bytes;
  plan.carry_bytes = raw.carry_bytes;
  plan.items_are_denominator = raw.items_are_denominator != 0;
  return absl::OkStatus();
}

absl::Status AskLoss(CallPlan& plan) {
  std::array<GdlPass, kMostPasses> passes{};
  std::array<GdlPass*, kMostPasses> pointers{};
  for (size_t p = 0; p < kMostPasses; ++p) {
    passes[p].struct_size = sizeof(GdlPass);
    pointers[p] = &passes[p];
  }
  GdlPlan raw{};
  raw.struct_size = sizeof(GdlPlan);
  raw.pass = pointers.data();
  char field[512] = "", message[512] = "";
  GdlError error{sizeof(GdlError), sizeof(message), field, message};
  const GdlStatus code = plan.loss.info().functions.plan(plan.loss.state(), &plan.shape, &raw, &error);
  if (code == 0) return TakePasses(plan, raw);
  field[sizeof(field) - 1] = message[sizeof(message) - 1] = '\0';
  if (code != static_cast<GdlStatus>(absl::StatusCode::kInvalidArgument)) {
    return absl::Status(static_cast<absl::StatusCode>(code),
                        absl::StrCat("loss ", plan.loss.info().id, ": ", field, " ", message));
  }
  Violations violations;
  violations.Add(field[0] == '\0' ? "inputs" : absl::StrCat("inputs.", field), message);
  return violations.ToStatus();
}

}  // namespace

bool CallPlan::Fits(const LossHandle& handle, absl::Span<const std::optional<TensorView>> views) const {
  if (&loss.info() != &handle.info() || views.size() != inputs.size()) return false;
  for (size_t t = 0; t < views.size(); ++t) {
    if (views[t].has_value() != inputs[t].has_value()) return false;
    if (views[t] && (views[t]->dtype != inputs[t]->dtype || views[t]->shape != absl::MakeConstSpan(inputs[t]->shape))) {
      return false;
    }
  }
  return loss.state() == handle.state() || loss.params() == handle.params();
}

absl::StatusOr<std::shared_ptr<const CallPlan>> CallPlan::Make(const LossHandle& handle,
                                                               absl::Span<const std::optional<TensorView>> views) {
  auto plan = std::make_shared<CallPlan>();
  plan->loss = handle;
  for (const std::optional<TensorView>& view : views) {
    std::optional<InputShape>& input = plan->inputs.emplace_back();
    if (view) input = InputShape{view->dtype, {view->shape.begin(), view->shape.end()}};
  }
  GRADELINE_ASSIGN_OR_RETURN(plan->binding, BindShapes(handle, plan->inputs));
  GRADELINE_RETURN_IF_ERROR(PlanTensors(*plan));
  GRADELINE_RETURN_IF_ERROR(AskLoss(*plan));
  return plan;
}

std::shared_ptr<const CallPlan> PlanCache::Lookup(const LossHandle& handle,
                                                  absl::Span<const std::optional<TensorView>> views) {
  for (size_t i = 0; i < plans_.size(); ++i) {
    if (!plans_[i]->Fits(handle, views)) continue;
    std::rotate(plans_.begin(), plans_.begin() + static_cast<std::ptrdiff_t>(i),
                plans_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    return plans_.front();
  }
  return nullptr;
}

absl::StatusOr<std::shared_ptr<const CallPlan>> PlanCache::Find(const LossHandle& handle,
                                                                absl::Span<const std::optional<TensorView>> views) {
  {
    std::lock_guard lock(mutex_);
    if (auto plan = Lookup(handle, views)) return plan;
  }
  GRADELINE_ASSIGN_OR_RETURN(std::shared_ptr<const CallPlan> made, CallPlan::Make(handle, views));
  std::shared_ptr<const CallPlan> dropped;  // outlives the lock: its state's destroy is the plugin's code
  std::lock_guard lock(mutex_);
  if (auto plan = Lookup(handle, views)) return plan;
  if (plans_.size() == kMostPlans) {
    dropped = std::move(plans_.back());
    plans_.pop_back();
  }
  plans_.insert(plans_.begin(), made);
  return made;
}

}  // namespace gradeline
