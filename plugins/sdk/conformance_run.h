// Runs one batch through a loss on the small host of conformance_host.h: plan, passes, tiles on threads, folds.
// The order of all sums depends on shapes and options only, never on threads.
#ifndef GRADELINE_PLUGINS_SDK_CONFORMANCE_RUN_H_
#define GRADELINE_PLUGINS_SDK_CONFORMANCE_RUN_H_

#include <memory>
#include <string>
#include <vector>

#include "plugins/sdk/conformance_host.h"

namespace gradeline::conformance {

template <typename Real>
class Run {
 public:
  Run(const GdlLoss& loss, const State& state, const Batch& batch, const RunOptions& options)
      : loss_(loss), state_(state), batch_(batch), options_(options) {
    small_.reserve(batch.tensors.size());
    for (const TensorData& tensor : batch.tensors) small_.push_back(tensor.present ? tensor.small : -1);
    shape_ = {sizeof(GdlShape), sizeof(Real), batch.outer, batch.inner, small_.data(), options.tile_items};
    while (loss.components[components_] != nullptr) ++components_;
    result_.numerator.assign(components_, 0);
    result_.denominator.assign(components_, 0);
    for (size_t t = 0; t < batch.tensors.size(); ++t) {
      const bool wanted = options.gradient && batch.tensors[t].present && (loss.tensors[t]->flags & GDL_GRADIENT) != 0;
      result_.gradient.emplace_back(wanted ? batch.tensors[t].real.size() : 0);
    }
    if (loss.flags & GDL_ITEMS_INDEPENDENT) result_.item_loss.resize(static_cast<size_t>(batch.items()));
  }

  RunResult Execute() {
    if (!MakePlan()) return std::move(result_);
    for (uint32_t p = 0; p < plan_.pass_count && result_.fault_kind == 0; ++p) {
      if (!Skips(p)) Fold(p, SumPass(p), shape_);
    }
    return Finish();
  }

  // The steps of Execute, for batches in several parts.

  /// False if the loss refuses the shape.
  bool MakePlan() {
    GdlPass* list[8];
    for (size_t p = 0; p < 8; ++p) {
      passes_[p].struct_size = sizeof(GdlPass);
      list[p] = &passes_[p];
    }
    plan_ = {sizeof(GdlPlan), 0, list, 0, 0, 0, 0};
    char field[256] = "", message[256] = "";
    GdlError error = {sizeof(GdlError), sizeof(field), field, message};
    result_.status = loss_.plan(state_.get(), &shape_, &plan_, &error);
    result_.refusal = std::string(field) + ": " + message;
    if (result_.status != 0) return false;
    if (plan_.pass_count == 0 || plan_.pass_count > 8) {
      result_.broken.push_back("plan has " + std::to_string(plan_.pass_count) + " passes");
      return false;
    }
    result_.items_are_denominator = plan_.items_are_denominator != 0;
    shared_ = std::make_unique<Guarded>(static_cast<size_t>(plan_.batch_bytes), 0xFF);
    carry_ = std::make_unique<Guarded>(static_cast<size_t>(plan_.carry_bytes), 0);
    return true;
  }

  const GdlPlan& plan() const { return plan_; }
  const GdlShape& shape() const { return shape_; }
  const GdlPass& pass(uint32_t p) const { return passes_[p]; }
  bool Skips(uint32_t p) const {
    return ((passes_[p].flags & GDL_GRADIENT_ONLY) && !options_.gradient) ||
           ((passes_[p].flags & GDL_DENOMINATOR_ONLY) && (options_.fixed_denominators || plan_.items_are_denominator));
  }

  /// Runs the tiles of a pass; their sums in order.
  std::vector<double> SumPass(uint32_t number) {
    const GdlPass& pass = passes_[number];
    const bool writes = (pass.flags & GDL_WRITES_GRADIENT) != 0;
    if (writes) FixScale(number > 0 && options_.gradient);
    const std::vector<TileBox> tiles = CutTiles(batch_, pass, options_);
    const size_t slots = std::min(tiles.size(), static_cast<size_t>(options_.slots));
    std::vector<std::unique_ptr<Guarded>> sums;
    sums.reserve(slots);
    for (size_t s = 0; s < slots; ++s) {
      sums.push_back(std::make_unique<Guarded>(static_cast<size_t>(pass.sums) * sizeof(double), 0));
    }
    std::vector<TileOutcome> outcomes(tiles.size());
    const auto stride = static_cast<size_t>(options_.threads);
    // Each thread has its share whatever the machine does meanwhile: a loss that depends on threads cannot hide.
    const auto work = [&](size_t first) {
      for (size_t s = first; s < slots; s += stride) {
        for (size_t t = s * tiles.size() / slots; t < (s + 1) * tiles.size() / slots; ++t) {
          RunTile(number, pass, tiles[t], static_cast<uint32_t>(t), reinterpret_cast<double*>(sums[s]->data()),
                  outcomes[t]);
        }
      }
    };
    std::vector<std::thread> threads;
    for (size_t t = 1; t < stride; ++t) threads.emplace_back(work, t);
    work(0);
    for (std::thread& thread : threads) thread.join();

    std::vector<double> totals(static_cast<size_t>(pass.sums) + 1, 0.0);
    for (const auto& slot : sums) {
      if (!slot->Intact()) result_.broken.push_back("sums overrun");
      for (size_t i = 0; i + 1 < totals.size(); ++i) totals[i] += reinterpret_cast<const double*>(slot->data())[i];
    }
    for (const TileOutcome& outcome : outcomes) {
      if (!outcome.broken.empty()) result_.broken.push_back(outcome.broken);
      if (outcome.fault.kind != 0 && result_.fault_kind == 0) {
        result_.fault_kind = outcome.fault.kind;
        result_.fault_tensor = outcome.fault.tensor;
        result_.fault_item = outcome.fault.item;
        if (outcome.fault.what != nullptr) result_.fault_what = outcome.fault.what;
      }
    }
    return totals;
  }

  void Fold(uint32_t p, const std::vector<double>& sums, const GdlShape& shape) {
    const GdlFold fold = {
        sizeof(GdlFold),           p, state_.get(), &shape, sums.data(), carry_->data(), result_.numerator.data(),
        result_.denominator.data()};
    loss_.fold(&fold);
  }

  RunResult Finish() {
    if (!early_.empty() && result_.fault_kind == 0 && early_ != result_.denominator) {
      result_.broken.push_back("denominators change after the gradient");
    }
    if (!shared_->Intact()) result_.broken.push_back("batch scratch overrun");
    if (!carry_->Intact()) result_.broken.push_back("carry overrun");
    return std::move(result_);
  }

 private:
  struct TileOutcome {
    std::string broken;
    GdlFault fault{};
  };

  /// `folded`: passes before this one have given the denominators, which must stay.
  void FixScale(bool folded) {
    if (folded && !options_.fixed_denominators && !result_.items_are_denominator) early_ = result_.denominator;
    scale_ = options_.scale;
    for (size_t k = scale_.size(); k < components_; ++k) {
      const double denominator =
          options_.fixed_denominators
              ? 1
              : (result_.items_are_denominator ? static_cast<double>(batch_.items()) : result_.denominator[k]);
      const bool additive = loss_.components[k]->kind == GDL_ADDITIVE;
      scale_.push_back(!additive ? 1 : (denominator == 0 ? 0 : 1 / denominator));
    }
  }

  /// The host's own scan of a tile, items in order.
  void Scan(const GdlPass& pass, const TileBox& box, GdlFault& fault) const {
    for (int64_t item = box.first_item; item < box.first_item + box.outer * box.inner; ++item) {
      for (size_t t = 0; t < batch_.tensors.size(); ++t) {
        const TensorData& tensor = batch_.tensors[t];
        if (!tensor.present || tensor.whole || !((pass.inputs >> t) & 1)) continue;
        if (!tensor.label && (loss_.flags & GDL_CHECKS_FINITE)) continue;
        for (int64_t k = 0; k < tensor.small; ++k) {
          const int64_t at = DenseIndex(batch_, tensor, item / batch_.inner, k, item % batch_.inner);
          const uint32_t kind = ScanInput(*loss_.tensors[t], tensor, at).first;
          if (kind == 0) continue;
          fault = {sizeof(GdlFault), kind, static_cast<uint32_t>(t), 0, item, nullptr};
          return;
        }
      }
    }
  }

  /// Memory of one tile: its own items of every tensor that the pass reads or writes.
  struct TileMemory {
    std::vector<std::unique_ptr<TileTensor<Real>>> reals, gradients;
    std::vector<std::unique_ptr<TileTensor<int32_t>>> labels;
    std::vector<const GdlView*> inputs, outputs;  ///< per tensor, NULL-ended
  };

  TileMemory CopyIn(const GdlPass& pass, const TileBox& box, uint32_t gap) const {
    const size_t count = pass.jobs == 0 ? batch_.tensors.size() : 0;
    TileMemory memory;
    memory.reals.resize(count);
    memory.gradients.resize(count);
    memory.labels.resize(count);
    memory.inputs.assign(batch_.tensors.size() + 1, nullptr);
    memory.outputs = memory.inputs;
    for (size_t t = 0; t < count; ++t) {
      const TensorData& tensor = batch_.tensors[t];
      const bool read = tensor.present && ((pass.inputs >> t) & 1) != 0;
      if (read && tensor.label) {
        memory.labels[t] = std::make_unique<TileTensor<int32_t>>(batch_, tensor, box, gap);
        memory.labels[t]->CopyIn(tensor.labels);
        memory.inputs[t] = memory.labels[t]->view();
      } else if (read) {
        memory.reals[t] = std::make_unique<TileTensor<Real>>(batch_, tensor, box, gap);
        memory.reals[t]->CopyIn(tensor.real);
        memory.inputs[t] = memory.reals[t]->view();
      }
      if ((pass.flags & GDL_WRITES_GRADIENT) && !result_.gradient[t].empty()) {
        memory.gradients[t] = std::make_unique<TileTensor<Real>>(batch_, tensor, box, gap == 0 ? 0 : gap + 17);
        memory.outputs[t] = memory.gradients[t]->view();
      }
    }
    return memory;
  }

  /// Takes the gradients of a tile; what is wrong with its memory, or nothing.
  std::string CopyOut(const TileMemory& memory) {
    std::string broken;
    for (size_t t = 0; t < memory.reals.size(); ++t) {
      const bool written =
          (memory.reals[t] && !memory.reals[t]->Untouched()) || (memory.labels[t] && !memory.labels[t]->Untouched());
      if (written) broken = std::string("an input was written: ").append(loss_.tensors[t]->name);
      if (!memory.gradients[t]) continue;
      const std::string problem = memory.gradients[t]->StoreProblem();
      if (!problem.empty()) broken = std::string("gradient of ").append(loss_.tensors[t]->name).append(": ") + problem;
      memory.gradients[t]->CopyOut(result_.gradient[t]);
    }
    return broken;
  }

  void RunTile(uint32_t number, const GdlPass& pass, const TileBox& box, uint32_t tile_number, double* sums,
               TileOutcome& outcome) {
    outcome.fault.struct_size = sizeof(GdlFault);
    Scan(pass, box, outcome.fault);
    if (outcome.fault.kind != 0) return;
    const bool writes = (pass.flags & GDL_WRITES_GRADIENT) != 0;
    const TileMemory memory =
        CopyIn(pass, box, options_.cut_seed == 0 ? 0 : options_.cut_seed * 7919 + tile_number * 31 + 1);
    Guarded scratch(static_cast<size_t>(pass.scratch_bytes), 0xFF);
    const bool items = writes && (loss_.flags & GDL_ITEMS_INDEPENDENT) != 0;
    const size_t own = items ? static_cast<size_t>(box.outer * box.inner) : 0;
    Guarded item_loss(own * sizeof(double), 0xFF);
    GdlTile tile{};
    tile.struct_size = sizeof(GdlTile);
    tile.pass = number;
    tile.state = state_.get();
    tile.carry = carry_->data();
    tile.shape = &shape_;
    tile.first_item = box.first_item;
    tile.outer = box.outer;
    tile.inner = box.inner;
    tile.job_begin = box.job_begin;
    tile.job_end = box.job_end;
    tile.inputs = memory.inputs.data();
    tile.gradients = memory.outputs.data();
    tile.scale = writes && options_.gradient ? scale_.data() : nullptr;
    tile.item_loss = items ? reinterpret_cast<double*>(item_loss.data()) : nullptr;
    tile.sums = sums;
    tile.scratch = scratch.data();
    tile.batch = shared_->data();
    tile.fault = &outcome.fault;
    tile.flags = options_.cut_seed % 2 == 1 ? GDL_STREAM : 0;
    loss_.compute(&tile);
    if (outcome.fault.kind != 0) return;
    outcome.broken = CopyOut(memory);
    if (!scratch.Intact()) outcome.broken = "scratch overrun";
    if (!item_loss.Intact()) outcome.broken = "item losses overrun";
    for (size_t i = 0; i < own; ++i) {
      const double value = reinterpret_cast<const double*>(item_loss.data())[i];
      if (std::isnan(value)) outcome.broken = "leaves item losses unwritten";
      result_.item_loss[static_cast<size_t>(box.first_item) + i] = value;
    }
  }

  const GdlLoss& loss_;
  const State& state_;
  const Batch& batch_;
  const RunOptions& options_;
  std::vector<int64_t> small_;
  GdlShape shape_{};
  GdlPlan plan_{};
  GdlPass passes_[8] = {};
  size_t components_ = 0;
  std::vector<double> scale_, early_;
  std::unique_ptr<Guarded> shared_, carry_;
  RunResult result_;
};

inline RunResult RunBatch(const GdlLoss& loss, const State& state, const Batch& batch, const RunOptions& options) {
  if (options.dtype == 4) return Run<float>(loss, state, batch, options).Execute();
  return Run<double>(loss, state, batch, options).Execute();
}

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_SDK_CONFORMANCE_RUN_H_
