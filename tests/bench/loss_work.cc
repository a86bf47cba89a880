#include "tests/bench/loss_work.h"

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "plugins/losses/builtin.h"
#include "server/core/base/status.h"
#include "server/plugin_host/plugin_file.h"

namespace gradeline::bench {
namespace {

Engine::Options Options() {
  Engine::Options options;
  options.threads = LossWork::kThreads;
  options.memory_budget_bytes = int64_t{16} << 30;
  options.pool_keep_bytes = size_t{2} << 30;  // the largest gradient, and scratch as large
  return options;
}

[[noreturn]] void Fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::abort();
}

/// cross_entropy, compiled without its finite check; a library, so that nothing of it is taken for the checked one's.
const GdlPlugin& UncheckedPlugin() {
  const absl::StatusOr<const GdlPlugin*> plugin = OpenPlugin(GRADELINE_UNCHECKED_PLUGIN);
  if (!plugin.ok()) Fail(plugin.status());
  return **plugin;
}

}  // namespace

std::shared_ptr<const LossRegistry> BuiltinLosses(bool checked) {
  LossRegistry::Builder builder;
  for (const GdlPlugin* const* plugin = BuiltinLossPlugins(); *plugin != nullptr; ++plugin) {
    auto losses = CheckPluginTables(**plugin, PluginInfo{});
    if (!losses.ok()) Fail(losses.status());
    if (!checked && losses->front().id == "cross_entropy") losses = CheckPluginTables(UncheckedPlugin(), PluginInfo{});
    for (LossInfo& loss : *losses) loss.flags |= checked ? 0 : GDL_CHECKS_FINITE;
    if (absl::Status added = builder.Add(*std::move(losses)); !added.ok()) Fail(added);
  }
  return std::move(builder).Build(std::make_shared<Catalog>(*Catalog::Make({}, {}, "")));
}

LossWork::LossWork()
    : losses_(BuiltinLosses(true)), unchecked_(BuiltinLosses(false)), engine_(Options()), probes_(kThreads) {}

absl::Status LossWork::Open(const LossCase& which, std::string_view size) {
  Close();
  GRADELINE_ASSIGN_OR_RETURN(batch_, LossBatch::Make(*losses_, which, size));
  which_ = &which;
  size_ = size;
  room_.emplace(batch_->prediction().bytes());
  return absl::OkStatus();
}

void LossWork::Close() {
  which_ = nullptr;
  batch_.reset();
  unchecked_batch_.reset();
  room_.reset();
  keys_.reset();
  turn_ = 0;
}

bool LossWork::IsOpen(const LossCase& which, std::string_view size) const { return which_ == &which && size_ == size; }

std::function<void()> LossWork::Run(const LossBatch& batch, bool gradient) {
  return [this, &batch, gradient] {
    auto result = engine_.Run(batch.Call(turn_++, gradient));
    if (!result.ok()) Fail(result.status());
    benchmark::DoNotOptimize(result->loss);
  };
}

std::function<void()> LossWork::Sort() {
  const int64_t groups = batch_->groups();
  const int64_t keys = batch_->prediction().elements() / groups;
  keys_.emplace(batch_->prediction().bytes() * 2);
  room_.emplace(batch_->prediction().bytes() * 2);
  const float* const values = batch_->prediction().copies.front().as<float>();
  for (int64_t i = 0; i < groups * keys; ++i) {  // as a loss packs them: an error, and whose it is
    const uint64_t error = std::bit_cast<uint32_t>(std::fabs(values[i]));
    keys_->as<uint64_t>()[i] = error << 32 | static_cast<uint64_t>(i % keys);
  }
  return [this, groups, keys] { probes_.Sort(keys_->as<uint64_t>(), room_->as<uint64_t>(), groups, keys); };
}

absl::StatusOr<std::function<void()>> LossWork::Side(std::string_view side) {
  if (batch_ == nullptr) return absl::FailedPreconditionError("no case is open");
  if (side == "gradient" || side == "evaluate") return Run(*batch_, side == "gradient");
  if (side == "unchecked") {
    if (unchecked_batch_ == nullptr) {
      GRADELINE_ASSIGN_OR_RETURN(unchecked_batch_, LossBatch::Make(*unchecked_, *which_, size_));
    }
    return Run(*unchecked_batch_, true);
  }
  if (side == "sort") return Sort();
  const int64_t count = batch_->prediction().elements();
  const BatchTensor* const other = batch_->other_like_prediction();
  const auto next = [this](const BatchTensor& tensor, int64_t ahead) {
    return tensor.copies[static_cast<size_t>((turn_ + ahead) % batch_->batches())].as<float>();
  };
  float* const to = room_->as<float>();
  if (side == "copy") {
    return [=, this] { probes_.Copy(next(batch_->prediction(), 0), to, count), ++turn_; };
  }
  if (side == "triad") {
    return [=, this] {
      const float* const b = other != nullptr ? next(*other, 0) : next(batch_->prediction(), 1);
      const float* const a = next(batch_->prediction(), 0);
      probes_.Triad(a, b, to, count);
      ++turn_;
    };
  }
  if (side == "read" || side == "read_in_order") {
    return [=, this, in_order = side == "read_in_order"] {
      const float* const from = next(batch_->prediction(), 0);
      benchmark::DoNotOptimize(in_order ? probes_.ReadInOrder(from, count) : probes_.Read(from, count));
      ++turn_;
    };
  }
  if (side == "exp") return [=, this] { probes_.Exp(next(batch_->prediction(), 0), to, count), ++turn_; };
  return absl::InvalidArgumentError(
      absl::StrCat("side is ", std::string(side),
                   "; allowed: gradient, evaluate, unchecked, copy, triad, read, read_in_order, exp, sort"));
}

absl::StatusOr<LossResult> LossWork::Answer() { return engine_.Run(batch_->Call(0, true)); }

}  // namespace gradeline::bench
