#include "server/core/engine/sum_run.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/engine/reduction.h"

namespace gradeline {

void StartRun(EngineParts& parts, LossCall call, bool alone, BatchRun::Done done) {
  call.loss.terms().empty() ? BatchRun::Start(parts, std::move(call), alone, std::move(done))
                            : SumRun::Start(parts, std::move(call), alone, std::move(done));
}

void SumRun::Start(EngineParts& parts, LossCall call, bool alone, BatchRun::Done done) {
  auto* run = new SumRun(parts, std::move(call), alone);  // Finish deletes it
  run->done_ = std::move(done);
  if (absl::Status status = run->Prepare(); !status.ok()) return run->Finish(std::move(status));
  run->admitted_bytes_ = BatchRun::AdmittedBytes(run->scratch_bytes_);
  BatchRun::Admit(parts, run->scratch_bytes_, alone, [run] { run->Begin(); });
}

absl::StatusOr<int64_t> SumRun::ResultBytes(EngineParts& parts, const LossCall& call) {
  GRADELINE_ASSIGN_OR_RETURN(const Plans plans, FindPlans(parts, call));
  int64_t bytes = call.item_losses ? plans.front()->item_loss_bytes() : 0;
  const std::vector<bool> differentiable = Differentiable(call, plans);
  for (size_t t = 0; t < differentiable.size(); ++t) {
    if (call.gradient && differentiable[t]) {
      bytes += *ElementCount(call.inputs[t]->shape) * static_cast<int64_t>(SizeOf(call.inputs[t]->dtype));
    }
  }
  return bytes;
}

absl::StatusOr<SumRun::Plans> SumRun::FindPlans(EngineParts& parts, const LossCall& call) {
  Violations violations;
  Plans plans;
  for (const LossTerm& term : call.loss.terms()) {
    auto plan = parts.plans.Find(term.loss, InputsOf(term, absl::MakeConstSpan(call.inputs)));
    violations.MergeRest("", InSum(term, plan.status()));
    if (plan.ok()) plans.push_back(*std::move(plan));
  }
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  return plans;
}

/// Per tensor of the sum: whether any term has a gradient of it.
std::vector<bool> SumRun::Differentiable(const LossCall& call, const Plans& plans) {
  std::vector<bool> differentiable(call.inputs.size(), false);
  for (size_t p = 0; p < plans.size(); ++p) {
    const LossTerm& term = call.loss.terms()[p];
    for (size_t t = 0; t < term.tensors.size(); ++t) {
      const TensorPlan& tensor = plans[p]->tensors[t];
      if (tensor.present && tensor.gradient) differentiable[*term.tensors[t]] = true;
    }
  }
  return differentiable;
}

absl::Status SumRun::Prepare() {
  Violations violations;
  violations.MergeRest("", CheckReduction(call_, &call_.loss.info()));
  absl::StatusOr<Plans> plans = FindPlans(parts_, call_);
  violations.MergeRest("", plans.status());
  if (plans.ok()) violations.MergeRest("", CheckItems(*plans));
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  PlanTargets(*plans);
  for (size_t p = 0; p < call_.loss.terms().size(); ++p) {
    auto run = BatchRun::Make(parts_, CallOf(p), alone_, targets_[p]);
    GRADELINE_RETURN_IF_ERROR(InSum(call_.loss.terms()[p], run.status()));
    runs_.push_back(*std::move(run));
  }
  scratch_bytes_ = ScratchBytes(*plans);
  return BatchRun::CheckBudget(parts_, call_, scratch_bytes_);
}

/// Losses of items are added item by item.
absl::Status SumRun::CheckItems(const Plans& plans) const {
  Violations violations;
  const std::vector<int64_t>& first = plans.front()->binding.item_shape;
  for (size_t p = 1; p < plans.size() && call_.item_losses; ++p) {
    const std::vector<int64_t>& other = plans[p]->binding.item_shape;
    if (other == first) continue;
    violations.Add("itemLosses", absl::StrCat("are not offered: those of ", call_.loss.terms()[0].loss.info().id,
                                              " have shape ", ShapeText(first), ", those of ",
                                              call_.loss.terms()[p].loss.info().id, " ", ShapeText(other)));
  }
  return violations.ToStatus();
}

void SumRun::PlanTargets(const Plans& plans) {
  if (!call_.gradient) return targets_.resize(plans.size());
  const bool any_f64 = std::any_of(call_.inputs.begin(), call_.inputs.end(),
                                   [](const auto& input) { return input && input->dtype == DType::kF64; });
  const DType real = any_f64 ? DType::kF64 : DType::kF32;
  std::vector<int> writers(call_.inputs.size(), 0);
  for (size_t p = 0; p < plans.size(); ++p) {
    const LossTerm& term = call_.loss.terms()[p];
    targets_.emplace_back(term.tensors.size());
    for (size_t t = 0; t < term.tensors.size(); ++t) {
      if (!plans[p]->tensors[t].present || !plans[p]->tensors[t].gradient) continue;
      targets_[p][t] = {real, writers[*term.tensors[t]]++ > 0};
    }
  }
  for (size_t p = 0; p < plans.size(); ++p) {
    for (size_t t = 0; t < targets_[p].size(); ++t) {
      const std::optional<size_t> index = call_.loss.terms()[p].tensors[t];
      if (index && writers[*index] == 1) targets_[p][t].dtype = call_.inputs[*index]->dtype;
    }
  }
}

LossCall SumRun::CallOf(size_t index) const {
  const LossTerm& term = call_.loss.terms()[index];
  LossCall call;
  call.loss = term.loss;
  call.inputs = InputsOf(term, absl::MakeConstSpan(call_.inputs));
  call.reduction = call_.reduction;
  if (call_.reduction == Reduction::kGiven) {
    size_t first = 0;
    for (size_t p = 0; p < index; ++p) first += call_.loss.terms()[p].loss.info().components.size();
    const auto begin = call_.normalisers.begin() + static_cast<std::ptrdiff_t>(first);
    call.normalisers.assign(begin, begin + static_cast<std::ptrdiff_t>(term.loss.info().components.size()));
  }
  call.gradient_scale = call_.gradient_scale;
  call.gradient = call_.gradient;
  call.item_losses = call_.item_losses;
  call.cancelled = call_.cancelled;
  return call;
}

/// The longest term's, the item losses that are kept beside it, and the sums in the real type.
int64_t SumRun::ScratchBytes(const Plans& plans) const {
  int64_t longest = 0, wide = 0;
  for (const auto& run : runs_) longest = std::max(longest, run->scratch_bytes());
  for (size_t p = 0; p < plans.size(); ++p) {
    for (size_t t = 0; t < targets_[p].size(); ++t) {
      const GradientTarget& target = targets_[p][t];
      const TensorPlan& tensor = plans[p]->tensors[t];
      if (!target.add && tensor.present && tensor.gradient && target.dtype != tensor.dtype) {
        wide += tensor.elements * static_cast<int64_t>(SizeOf(target.dtype));
      }
    }
  }
  return longest + wide + (call_.item_losses ? plans.front()->item_loss_bytes() : 0);
}

void SumRun::Begin() {
  wide_.resize(call_.inputs.size());
  std::vector<std::byte*> sums(call_.inputs.size(), nullptr), replies(call_.inputs.size(), nullptr);
  std::vector<GradientTarget*> last(call_.inputs.size(), nullptr);
  for (size_t p = 0; p < targets_.size(); ++p) {
    for (size_t t = 0; t < targets_[p].size(); ++t) {
      const TensorPlan& tensor = runs_[p]->plan().tensors[t];
      if (!tensor.present || !tensor.gradient) continue;
      const size_t index = *call_.loss.terms()[p].tensors[t];
      GradientTarget& target = targets_[p][t];
      if (!target.add) {
        GradientResult gradient;
        gradient.tensor = index;
        gradient.dtype = tensor.dtype;
        gradient.shape = runs_[p]->plan().inputs[t]->shape;
        gradient.data = parts_.pool.Take(static_cast<size_t>(tensor.bytes()));
        sums[index] = replies[index] = gradient.data.data();
        result_.gradients.push_back(std::move(gradient));
        if (target.dtype != tensor.dtype) {
          wide_[index] = parts_.pool.Take(static_cast<size_t>(tensor.elements) * SizeOf(target.dtype));
          sums[index] = wide_[index].data();
        }
      }
      target.sum = sums[index];
      last[index] = &target;
    }
  }
  for (size_t index = 0; index < last.size(); ++index) {
    if (sums[index] != replies[index]) last[index]->reply = replies[index];
  }
  std::sort(result_.gradients.begin(), result_.gradients.end(),
            [](const GradientResult& a, const GradientResult& b) { return a.tensor < b.tensor; });
  RunNext();
}

void SumRun::RunNext() {
  if (next_ == runs_.size()) return Finish(AddLosses());
  const size_t index = next_++;
  BatchRun::Begin(std::move(runs_[index]), std::move(targets_[index]),
                  [this, index](absl::StatusOr<LossResult> result) {
                    if (!result.ok()) return Finish(InSum(call_.loss.terms()[index], result.status()));
                    Take(*std::move(result));
                    RunNext();
                  });
}

/// Adds what the term that ran last came to.
void SumRun::Take(LossResult result) {
  const bool first = result_.components.empty();
  result_.valid_count = std::max(result_.valid_count, result.valid_count);
  result_.empty = result_.valid_count == 0;
  result_.components.insert(result_.components.end(), result.components.begin(), result.components.end());
  if (!result.item_losses) return;
  const double weight = call_.loss.terms()[next_ - 1].weight;
  const size_t items = result.item_losses->size() / sizeof(double);
  auto* from = reinterpret_cast<double*>(result.item_losses->data());
  if (first) {
    for (size_t i = 0; i < items; ++i) from[i] *= weight;
    result_.item_losses = std::move(result.item_losses);
    result_.item_shape = std::move(result.item_shape);
    return;
  }
  auto* to = reinterpret_cast<double*>(result_.item_losses->data());
  for (size_t i = 0; i < items; ++i) to[i] += weight * from[i];
}

absl::Status SumRun::AddLosses() {
  for (size_t k = 0; k < result_.components.size(); ++k) {
    result_.loss += result_.components[k].weight * result_.components[k].loss;
    if (!std::isfinite(result_.loss)) {
      return NotFinite(call_, k, absl::StrCat("the sum of the losses up to it is not finite: ", result_.loss));
    }
  }
  return absl::OkStatus();
}

void SumRun::Finish(absl::Status status) {
  const BatchRun::Done done = std::move(done_);
  Admission& admission = parts_.admission;
  const int64_t bytes = admitted_bytes_;
  absl::StatusOr<LossResult> result = std::move(result_);
  if (!status.ok()) result = std::move(status);
  delete this;  // its scratch is free before it is released
  if (bytes > 0) admission.ReleaseScratch(bytes);
  done(std::move(result));
}

}  // namespace gradeline
