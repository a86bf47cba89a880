// The part of a batch's run that touches tensors: one slot, one tile.
#include <array>
#include <cmath>

#include "server/core/engine/batch_run.h"
#include "server/core/engine/element_loops.h"

namespace gradeline {

struct BatchRun::TileViews {
  std::array<GdlView, 64> inputs, gradients;
  std::array<const GdlView*, 64> input_pointers, gradient_pointers;
};

void BatchRun::RunSlot(int64_t slot) {
  if (cancelled_.load(std::memory_order_relaxed) || slot > fault_slot_) return;
  const TileGrid& grid = layout_.grid;
  PooledBuffer scratch;
  if (layout_.scratch_bytes > 0) scratch = parts_.pool.Take(static_cast<size_t>(layout_.scratch_bytes));
  const int64_t end = std::min(grid.FirstTile(slot + 1), grid.tiles());
  for (int64_t tile = grid.FirstTile(slot); tile < end; ++tile) {
    if (call_.cancelled != nullptr && call_.cancelled->load(std::memory_order_relaxed)) {
      cancelled_ = true;
      return;
    }
    if (!RunTile(tile, slot, scratch.data())) return;
  }
}

bool BatchRun::RunTile(int64_t tile, int64_t slot, std::byte* scratch) {
  const bool job = layout_.pass != nullptr && layout_.pass->jobs > 0;
  const TileBox box = job ? TileBox{} : layout_.grid.Box(tile);
  if (layout_.check_only) {
    const std::optional<Fault> fault = FindFault(box);
    if (fault) Report(*fault, slot);
    return !fault;
  }
  TileViews views;
  if (!ShowInputs(box, slot, scratch, views)) {
    if (const std::optional<Fault> fault = FindFault(box)) Report(*fault, slot);
    return false;
  }
  ShowGradients(box, scratch, views);
  GdlFault fault{};
  fault.struct_size = sizeof(GdlFault);
  GdlTile raw{};
  raw.struct_size = sizeof(GdlTile);
  raw.pass = layout_.pass->index;
  raw.state = call_.loss.state();
  raw.carry = carry_.data();
  raw.shape = &plan_->shape;
  raw.first_item = box.first_outer * plan_->shape.inner + box.first_inner;
  raw.outer = box.outer;
  raw.inner = box.inner;
  raw.job_begin = job ? tile : 0;
  raw.job_end = job ? tile + 1 : 0;
  raw.inputs = views.input_pointers.data();
  raw.gradients = views.gradient_pointers.data();
  if (layout_.writes_gradient) {
    const bool wanted = std::any_of(gradient_data_.begin(), gradient_data_.end(),
                                    [](const std::byte* data) { return data != nullptr; });
    raw.scale = wanted ? scales_.data() : nullptr;
    if (result_.item_losses) raw.item_loss = reinterpret_cast<double*>(result_.item_losses->data()) + raw.first_item;
  }
  raw.sums = sums_.data() + slot * layout_.sums;
  raw.scratch = scratch + layout_.kernel_offset;
  raw.batch = batch_.data();
  raw.fault = &fault;
  raw.flags = layout_.stream ? GDL_STREAM : 0;
  call_.loss.info().functions.compute(&raw);
  if (fault.kind != 0) {
    Report(FaultOf(fault), slot);
    return false;
  }
  if (layout_.writes_gradient) StoreGradients(box, scratch);
  return true;
}

bool BatchRun::ShowInputs(const TileBox& box, int64_t slot, std::byte* scratch, TileViews& views) {
  const int64_t inner = plan_->shape.inner;
  const int real_bytes = plan_->binding.real_bytes;
  bool right = true;
  for (size_t t = 0; t < plan_->tensors.size(); ++t) {
    views.input_pointers[t] = nullptr;
    const TensorPlan& tensor = plan_->tensors[t];
    if ((layout_.inputs >> t & 1) == 0) continue;
    if (tensor.whole) {
      views.input_pointers[t] = &whole_views_[t];
      continue;
    }
    const TileRuns runs = RunsOf(tensor, inner, box);
    const void* data = call_.inputs[t]->data;
    GdlView& view = views.inputs[t];
    view.struct_size = sizeof(GdlView);
    view.reserved = 0;
    view.small = tensor.small;
    int64_t stride = runs.stride;
    const bool labels_fit = tensor.label && LabelsFitInPlace(tensor, runs, data, (fitting_labels_ >> t & 1) != 0);
    if (tensor.label && !labels_fit) unfit_labels_.fetch_or(uint64_t{1} << t, std::memory_order_relaxed);
    if (layout_.input_offset[t] < 0 || labels_fit) {
      // Kernels are told to read only; the ABI has one view for inputs and gradients.
      view.data = const_cast<std::byte*>(static_cast<const std::byte*>(data)) +
                  runs.first * (tensor.label ? static_cast<int64_t>(sizeof(int32_t)) : real_bytes);
      view.small_stride = inner;
    } else {
      view.data = scratch + layout_.input_offset[t];
      view.small_stride = box.inner;
      stride = runs.length;
      right &= !CopyIn(tensor, runs, data, real_bytes, view.data);
    }
    view.outer_stride = tensor.small * view.small_stride;
    views.input_pointers[t] = &view;
    if (!tensor.label) right &= RealsFit(tensor, runs, view.data, stride, real_bytes, finite_checked_by_host());
    if (layout_.counts_valid && static_cast<int>(t) == plan_->counted_tensor) {
      slot_valid_[static_cast<size_t>(slot)] +=
          labels_fit ? runs.elements() : CountValid(static_cast<const int32_t*>(view.data), runs.elements());
    }
  }
  return right;
}

void BatchRun::ShowGradients(const TileBox& box, std::byte* scratch, TileViews& views) const {
  const int64_t inner = plan_->shape.inner;
  for (size_t t = 0; t < plan_->tensors.size(); ++t) {
    views.gradient_pointers[t] = nullptr;
    if (!layout_.writes_gradient || gradient_data_[t] == nullptr) continue;
    const TensorPlan& tensor = plan_->tensors[t];
    const bool in_place = layout_.gradient_offset[t] < 0;
    GdlView& view = views.gradients[t];
    view.struct_size = sizeof(GdlView);
    view.reserved = 0;
    view.small = tensor.small;
    view.small_stride = in_place ? inner : box.inner;
    view.outer_stride = tensor.small * view.small_stride;
    view.data = in_place ? gradient_data_[t] + RunsOf(tensor, inner, box).first * plan_->binding.real_bytes
                         : scratch + layout_.gradient_offset[t];
    views.gradient_pointers[t] = &view;
  }
}

void BatchRun::StoreGradients(const TileBox& box, const std::byte* scratch) const {
  for (size_t t = 0; t < plan_->tensors.size(); ++t) {
    if (gradient_data_[t] == nullptr || layout_.gradient_offset[t] < 0) continue;
    const TensorPlan& tensor = plan_->tensors[t];
    const TileRuns runs = RunsOf(tensor, plan_->shape.inner, box);
    const std::byte* from = scratch + layout_.gradient_offset[t];
    if (!IsAdded(t)) {
      CopyOut(GradientType(t), runs, from, plan_->binding.real_bytes, gradient_data_[t]);
    } else if (targets_[t].reply == nullptr) {
      AddOut(GradientType(t), runs, from, plan_->binding.real_bytes, gradient_data_[t], GradientType(t),
             gradient_data_[t]);
    } else {
      AddOut(GradientType(t), runs, from, plan_->binding.real_bytes, gradient_data_[t], tensor.dtype,
             targets_[t].reply);
    }
  }
}

/// The lowest wrong value of a box among all inputs.
std::optional<Fault> BatchRun::FindFault(const TileBox& box) const {
  std::optional<Fault> best;
  for (size_t t = 0; t < plan_->tensors.size(); ++t) {
    const TensorPlan& tensor = plan_->tensors[t];
    if (tensor.whole || (plan_->all_inputs >> t & 1) == 0) continue;
    const auto bad = FindBad(tensor, plan_->shape.inner, box, call_.inputs[t]->data, true);
    if (!bad) continue;
    const Fault fault{bad->item, t, bad->element, nullptr};
    if (!best || fault.Before(*best)) best = fault;
  }
  return best;
}

/// A loss's own complaint, with the element where a value that is not finite can be found.
Fault BatchRun::FaultOf(const GdlFault& raw) const {
  Fault fault{raw.item, raw.tensor, std::nullopt, raw.what != nullptr ? raw.what : "has a value that is not allowed"};
  const int64_t inner = plan_->shape.inner;
  if (raw.tensor >= plan_->tensors.size() || !plan_->tensors[raw.tensor].present) {
    fault.tensor = 0;
  } else if (raw.kind == GDL_FAULT_NONFINITE && raw.item >= 0 && raw.item < plan_->binding.items()) {
    const TileBox box{raw.item / inner, 1, raw.item % inner, 1};
    if (const auto bad = FindBad(plan_->tensors[raw.tensor], inner, box, call_.inputs[raw.tensor]->data, true)) {
      fault.element = bad->element;
      fault.what = nullptr;
    }
  }
  return fault;
}

void BatchRun::Report(const Fault& fault, int64_t slot) {
  std::lock_guard lock(fault_mutex_);
  if (layout_.check_only) {
    if (fault.Before(*fault_)) fault_ = fault;
    if (slot < fault_slot_) fault_slot_ = slot;
  } else if (slot < fault_slot_) {
    fault_slot_ = slot;
    fault_ = fault;
  }
}

}  // namespace gradeline
