#include "server/core/engine/engine.h"

#include <gnu/libc-version.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/engine/batch_run.h"
#include "server/core/engine/lane_impl.h"
#include "server/core/engine/sum_run.h"

namespace gradeline {
namespace {

int ThreadsOf(const Engine::Options& options) {
  return options.threads > 0 ? options.threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

/// The instructions that this library was built for.
std::string_view BuildTarget() {
#if defined(__x86_64__)
  return "x86-64";
#else
  return "generic";
#endif
}

/// The vectors that kernels choose on this machine; the C library chooses its exp and log by the same: other last bits.
std::string_view MathTarget() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) return "avx512";
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? "avx2" : "plain";
#else
  return "plain";
#endif
}

}  // namespace

struct Engine::Impl {
  EngineParts parts;
};

Engine::Engine(Options options)
    : impl_(new Impl{{Executor(ThreadsOf(options)), BufferPool(options.pool_keep_bytes),
                      Admission(options.memory_budget_bytes, kSmallBytes), PlanCache()}}) {}

Engine::~Engine() = default;

int Engine::threads() const { return impl_->parts.executor.threads(); }

std::string Engine::numerics() const {
  return absl::StrCat("tiles-", kTilePlanVersion, " ", std::string(BuildTarget()), " gcc-" __VERSION__ " glibc-",
                      gnu_get_libc_version(), "-", std::string(MathTarget()));
}

BufferPool& Engine::pool() { return impl_->parts.pool; }

std::unique_ptr<Lane> Engine::OpenLane() {
  return std::unique_ptr<Lane>(new Lane(std::make_unique<Lane::Impl>(impl_->parts)));
}

absl::StatusOr<int64_t> Engine::ResultBytes(const LossCall& call) {
  if (!call.loss.terms().empty()) return SumRun::ResultBytes(impl_->parts, call);
  GRADELINE_ASSIGN_OR_RETURN(const auto plan, impl_->parts.plans.Find(call.loss, call.inputs));
  int64_t bytes = call.item_losses ? plan->item_loss_bytes() : 0;
  for (const TensorPlan& tensor : plan->tensors) {
    if (call.gradient && tensor.present && tensor.gradient) bytes += tensor.bytes();
  }
  return bytes;
}

absl::StatusOr<LossResult> Engine::Run(const LossCall& call) {
  std::mutex mutex;
  std::condition_variable ended;
  std::optional<absl::StatusOr<LossResult>> result;
  StartRun(impl_->parts, call, Executor::InsideStep(), [&](absl::StatusOr<LossResult> value) {
    std::lock_guard lock(mutex);
    result = std::move(value);
    ended.notify_one();
  });
  std::unique_lock lock(mutex);
  ended.wait(lock, [&] { return result.has_value(); });
  return *std::move(result);
}

void Engine::Admit(int64_t bytes, std::function<void()> granted) {
  impl_->parts.admission.AdmitMessage(bytes, std::move(granted));
}

absl::Status Engine::AdmitOrRefuse(int64_t bytes, std::function<void()> granted) {
  Admission& admission = impl_->parts.admission;
  if (admission.TryAdmitMessage(bytes, std::move(granted))) return absl::OkStatus();
  return WithReason(
      absl::ResourceExhaustedError(absl::StrCat("the memory budget of ", admission.budget_bytes(),
                                                " bytes is in use and as much again waits for it: try again later")),
      "MEMORY_BUDGET_FULL", {{"budget", absl::StrCat(admission.budget_bytes())}});
}

void Engine::Release(int64_t bytes) { impl_->parts.admission.ReleaseMessage(bytes); }

int64_t Engine::memory_budget_bytes() const { return impl_->parts.admission.budget_bytes(); }

int64_t Engine::admitted_bytes() const { return impl_->parts.admission.admitted_bytes(); }

}  // namespace gradeline
