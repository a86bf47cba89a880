#include "server/core/engine/batch_run.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/engine/reduction.h"

namespace gradeline {
namespace {

/// Batches and passes below this are computed on the thread that has them: waking others costs more than it saves.
constexpr int64_t kAloneElements = 128 << 10;
/// Scratch up to this is not counted in the budget.
constexpr int64_t kUncountedBytes = 64 << 10;

/// Batches that touch more than this leave the caches anyway: gradients are then stored past them.
constexpr int64_t kStreamBytes = 4 << 20;

constexpr int64_t kAlignment = 64;
int64_t Aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

bool IsInPlace(const TensorPlan& tensor, int real_bytes, const void* data) {
  if (tensor.label || static_cast<int>(SizeOf(tensor.dtype)) != real_bytes) return false;
  return reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(real_bytes) == 0;
}

}  // namespace

void BatchRun::Start(EngineParts& parts, LossCall call, bool alone, Done done) {
  auto made = Make(parts, std::move(call), alone);
  if (!made.ok()) return done(made.status());
  BatchRun* run = made->release();  // Finish deletes it
  run->done_ = std::move(done);
  const int64_t bytes = run->scratch_bytes_;
  if (absl::Status status = CheckBudget(parts, run->call_, bytes); !status.ok()) return run->Finish(status);
  run->admitted_bytes_ = AdmittedBytes(bytes);
  Admit(parts, bytes, alone, [run] { run->BeginPasses(); });
}

absl::StatusOr<std::unique_ptr<BatchRun>> BatchRun::Make(EngineParts& parts, LossCall call, bool alone,
                                                         std::vector<GradientTarget> targets) {
  auto run = absl::WrapUnique(new BatchRun(parts, std::move(call), alone));
  run->targets_ = std::move(targets);
  GRADELINE_RETURN_IF_ERROR(run->Prepare());
  return run;
}

void BatchRun::Begin(std::unique_ptr<BatchRun> run, std::vector<GradientTarget> targets, Done done) {
  run->targets_ = std::move(targets);
  run->done_ = std::move(done);
  run.release()->BeginPasses();
}

int64_t BatchRun::AdmittedBytes(int64_t bytes) { return bytes <= kUncountedBytes ? 0 : bytes; }

absl::Status BatchRun::CheckBudget(const EngineParts& parts, const LossCall& call, int64_t bytes) {
  const int64_t budget = parts.admission.budget_bytes();
  if (bytes <= budget) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("loss ", call.loss.info().id, " needs ", bytes,
                                                   " bytes of scratch for this batch; the memory budget is ", budget,
                                                   " bytes: send smaller batches"));
}

void BatchRun::Admit(EngineParts& parts, int64_t bytes, bool alone, std::function<void()> begin) {
  bytes = AdmittedBytes(bytes);
  if (bytes == 0) return begin();
  if (alone) {
    parts.admission.AddScratch(bytes);
    return begin();
  }
  if (parts.admission.TryAddScratch(bytes)) return begin();
  parts.admission.AdmitScratch(bytes,
                               [&parts, begin = std::move(begin)]() mutable { parts.executor.Push(std::move(begin)); });
}

BatchRun::BatchRun(EngineParts& parts, LossCall call, bool alone)
    : parts_(parts), call_(std::move(call)), alone_(alone) {}

absl::Status BatchRun::Prepare() {
  Violations violations;
  violations.MergeRest("", CheckReduction(call_, &call_.loss.info()));
  auto plan = parts_.plans.Find(call_.loss, call_.inputs);
  violations.MergeRest("", plan.status());
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  plan_ = *std::move(plan);
  const size_t tensors = plan_->tensors.size();
  in_place_.assign(tensors, false);
  for (size_t t = 0; t < tensors; ++t) {
    const TensorPlan& tensor = plan_->tensors[t];
    if (tensor.present) in_place_[t] = IsInPlace(tensor, plan_->binding.real_bytes, call_.inputs[t]->data);
  }
  whole_copies_.resize(tensors);
  whole_views_.resize(tensors);
  gradient_data_.assign(tensors, nullptr);
  numerators_.assign(call_.loss.info().components.size(), 0);
  denominators_.assign(numerators_.size(),
                       plan_->items_are_denominator ? static_cast<double>(plan_->binding.items()) : 0);
  alone_ |= plan_->input_elements < kAloneElements;
  scratch_bytes_ = ScratchBytes();
  return absl::OkStatus();
}

/// Item losses, what all passes share, the largest sums, and the largest tile scratch once per thread that may work on
/// this batch.
int64_t BatchRun::ScratchBytes() const {
  int64_t sums = 0, tiles = 0;
  for (const PassPlan& pass : plan_->passes) {
    const int64_t workers = std::min<int64_t>(alone_ ? 1 : parts_.executor.threads(), pass.grid.slots());
    sums = std::max(sums, pass.sums * 8 * (pass.grid.slots() + 1));
    tiles = std::max(tiles, LayOut(pass).scratch_bytes * workers);
  }
  const int64_t items = call_.item_losses ? plan_->item_loss_bytes() : 0;
  return items + plan_->batch_bytes + plan_->carry_bytes + sums + tiles;
}

void BatchRun::BeginPasses() {
  batch_ = parts_.pool.Take(static_cast<size_t>(plan_->batch_bytes));
  carry_ = parts_.pool.Take(static_cast<size_t>(plan_->carry_bytes));
  std::memset(carry_.data(), 0, carry_.size());
  if (call_.gradient) TakeGradients();
  if (call_.item_losses) {
    result_.item_losses = parts_.pool.Take(static_cast<size_t>(plan_->item_loss_bytes()));
    result_.item_shape = plan_->binding.item_shape;
  }
  if (absl::Status status = LoadWhole(); !status.ok()) return Finish(std::move(status));
  NextPass();
}

absl::Status BatchRun::LoadWhole() {
  const int real_bytes = plan_->binding.real_bytes;
  for (size_t t = 0; t < plan_->tensors.size(); ++t) {
    const TensorPlan& tensor = plan_->tensors[t];
    if (!tensor.present || !tensor.whole || (plan_->all_inputs >> t & 1) == 0) continue;
    const TileRuns runs = RunsOf(tensor, 0, {});
    if (const auto bad = FindBad(tensor, 0, {}, call_.inputs[t]->data, true)) {
      return ToStatus(Fault{0, t, bad->element, nullptr}, *plan_, call_.inputs);
    }
    whole_copies_[t] = parts_.pool.Take(static_cast<size_t>(tensor.small) * 8);
    CopyIn(tensor, runs, call_.inputs[t]->data, real_bytes, whole_copies_[t].data());
    whole_views_[t] = {sizeof(GdlView), 0, whole_copies_[t].data(), 0, 1, tensor.small};
  }
  return absl::OkStatus();
}

void BatchRun::TakeGradients() {
  for (size_t t = 0; t < plan_->tensors.size(); ++t) {
    const TensorPlan& tensor = plan_->tensors[t];
    if (!tensor.present || !tensor.gradient) continue;
    if (!targets_.empty()) {
      gradient_data_[t] = targets_[t].sum;
      continue;
    }
    GradientResult gradient;
    gradient.tensor = t;
    gradient.dtype = tensor.dtype;
    gradient.shape = plan_->inputs[t]->shape;
    gradient.data = parts_.pool.Take(static_cast<size_t>(tensor.bytes()));
    gradient_data_[t] = gradient.data.data();
    result_.gradients.push_back(std::move(gradient));
  }
}

void BatchRun::NextPass() {
  for (;;) {
    while (next_pass_ < plan_->passes.size() && Skipped(plan_->passes[next_pass_])) ++next_pass_;
    if (next_pass_ == plan_->passes.size()) return Finish(Result());
    const PassPlan& pass = plan_->passes[next_pass_++];
    if (call_.gradient && (pass.flags & GDL_WRITES_GRADIENT) != 0) {
      if (absl::Status status = SetScales(); !status.ok()) return Finish(std::move(status));
      if (Skipped(pass)) continue;
    }
    layout_ = LayOut(pass);
    layout_.counts_valid =
        valid_items_ < 0 && plan_->counted_tensor >= 0 && (pass.inputs >> plan_->counted_tensor & 1) != 0;
    if (!RunPass() || !EndPass()) return;
  }
}

bool BatchRun::Skipped(const PassPlan& pass) const {
  if ((pass.flags & GDL_GRADIENT_ONLY) != 0 && !call_.gradient) return true;
  return (pass.flags & GDL_DENOMINATOR_ONLY) != 0 &&
         (call_.reduction != Reduction::kMean || plan_->items_are_denominator);
}

BatchRun::PassLayout BatchRun::LayOut(const PassPlan& pass) const {
  PassLayout layout;
  layout.pass = &pass;
  layout.inputs = pass.inputs;
  layout.grid = pass.grid;
  layout.sums = pass.sums;
  layout.writes_gradient = (pass.flags & GDL_WRITES_GRADIENT) != 0;
  layout.stream = 2 * plan_->input_elements * plan_->binding.real_bytes > kStreamBytes;
  layout.input_offset.assign(plan_->tensors.size(), -1);
  layout.gradient_offset.assign(plan_->tensors.size(), -1);
  int64_t offset = 0, elements = 0;
  const auto reserve = [&](const TensorPlan& tensor) {
    const int64_t bytes = tensor.label ? 4 : plan_->binding.real_bytes;
    return std::exchange(offset, offset + Aligned(layout.grid.most_items() * tensor.small * bytes));
  };
  for (size_t t = 0; t < plan_->tensors.size(); ++t) {
    const TensorPlan& tensor = plan_->tensors[t];
    if ((layout.inputs >> t & 1) != 0) elements += tensor.elements;
    if ((layout.inputs >> t & 1) != 0 && !tensor.whole && !in_place_[t]) layout.input_offset[t] = reserve(tensor);
    const bool in_place = static_cast<int>(SizeOf(GradientType(t))) == plan_->binding.real_bytes && !IsAdded(t);
    if (layout.writes_gradient && call_.gradient && tensor.gradient && !in_place)
      layout.gradient_offset[t] = reserve(tensor);
    layout.stream &= layout.gradient_offset[t] < 0;
  }
  layout.alone = alone_ || (pass.jobs == 0 && elements < kAloneElements);
  layout.kernel_offset = offset;
  layout.scratch_bytes = offset + pass.scratch_bytes;
  return layout;
}

absl::Status BatchRun::SetScales() {
  GRADELINE_ASSIGN_OR_RETURN(scales_, GradientScales(call_, Divisors(call_, *plan_, denominators_)));
  if (std::any_of(scales_.begin(), scales_.end(), [](double scale) { return scale != 0; })) return absl::OkStatus();
  // Nothing is to be learned from this batch: zeros, whatever a kernel would make of 0 * infinity. What is left of it
  // is a batch without a gradient, and passes that serve none but that are skipped.
  for (size_t t = 0; t < gradient_data_.size(); ++t) StoreZeros(t);
  gradient_data_.assign(gradient_data_.size(), nullptr);
  call_.gradient = false;
  return absl::OkStatus();
}

void BatchRun::StoreZeros(size_t t) const {
  if (gradient_data_[t] == nullptr) return;
  const TensorPlan& tensor = plan_->tensors[t];
  if (!IsAdded(t)) {
    std::memset(gradient_data_[t], 0, static_cast<size_t>(tensor.elements) * SizeOf(GradientType(t)));
  } else if (targets_[t].reply != nullptr) {
    CopyOut(tensor.dtype, {0, 1, tensor.elements, 0}, gradient_data_[t], static_cast<int>(SizeOf(GradientType(t))),
            targets_[t].reply);
  }
}

bool BatchRun::RunPass() {
  const int64_t slots = layout_.grid.slots();
  if (!layout_.check_only) sums_.assign(static_cast<size_t>(slots * layout_.sums), 0);
  slot_valid_.assign(static_cast<size_t>(slots), 0);
  if (layout_.alone) {
    for (int64_t slot = 0; slot < slots; ++slot) RunSlot(slot);
    return true;
  }
  if (slots == 0) return true;
  Executor& executor = parts_.executor;
  const int64_t first = std::min<int64_t>(executor.threads(), slots);
  next_slot_ = first;
  open_slots_ = slots;
  // After the last push another thread may have ended the pass, and *this.
  for (int64_t slot = 0; slot < first; ++slot) executor.Push([this, slot] { Step(slot); });
  return false;
}

void BatchRun::Step(int64_t slot) {
  RunSlot(slot);
  const int64_t next = next_slot_.fetch_add(1);
  if (next < layout_.grid.slots()) parts_.executor.Push([this, next] { Step(next); });
  if (open_slots_.fetch_sub(1) == 1 && EndPass()) NextPass();
}

bool BatchRun::EndPass() {
  if (cancelled_) {
    Finish(absl::CancelledError("the batch was cancelled"));
    return false;
  }
  if (fault_ && !layout_.check_only) {
    // The pass may not have read every input: look for wrong values in lower items of the others, so that the same
    // batch gets the same answer whether or not a gradient is wanted.
    layout_ = LayOutCheck();
    fault_slot_ = std::numeric_limits<int64_t>::max();
    if (!RunPass()) return false;
  }
  if (fault_) {
    Finish(ToStatus(*fault_, *plan_, call_.inputs));
    return false;
  }
  fitting_labels_ |= layout_.inputs & ~unfit_labels_;
  if (layout_.counts_valid) {
    valid_items_ = 0;
    for (const int64_t valid : slot_valid_) valid_items_ += valid;
  }
  Fold();
  return true;
}

BatchRun::PassLayout BatchRun::LayOutCheck() const {
  PassLayout layout;
  layout.check_only = true;
  layout.alone = alone_;
  layout.grid = TileGrid::OfItems(plan_->shape.outer, plan_->shape.inner, plan_->shape.tile_items, false);
  return layout;
}

void BatchRun::Fold() {
  const auto sums = static_cast<size_t>(layout_.sums);
  std::vector<double> totals(sums, 0);
  for (size_t slot = 0; slot < static_cast<size_t>(layout_.grid.slots()); ++slot) {
    for (size_t j = 0; j < sums; ++j) totals[j] += sums_[slot * sums + j];
  }
  GdlFold fold{};
  fold.struct_size = sizeof(GdlFold);
  fold.pass = layout_.pass->index;
  fold.state = call_.loss.state();
  fold.shape = &plan_->shape;
  fold.sums = totals.data();
  fold.carry = carry_.data();
  fold.numerator = numerators_.data();
  fold.denominator = denominators_.data();
  call_.loss.info().functions.fold(&fold);
}

absl::StatusOr<LossResult> BatchRun::Result() {
  if (plan_->items_are_denominator)
    denominators_.assign(denominators_.size(), static_cast<double>(plan_->binding.items()));
  GRADELINE_RETURN_IF_ERROR(FillValues(call_, *plan_, numerators_, denominators_,
                                       valid_items_ < 0 ? plan_->binding.items() : valid_items_, result_));
  return std::move(result_);
}

void BatchRun::Finish(absl::StatusOr<LossResult> result) {
  const Done done = std::move(done_);
  Admission& admission = parts_.admission;
  const int64_t bytes = admitted_bytes_;
  delete this;  // its scratch is free before it is released
  if (bytes > 0) admission.ReleaseScratch(bytes);
  done(std::move(result));
}

}  // namespace gradeline
