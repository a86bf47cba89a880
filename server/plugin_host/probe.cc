#include "server/plugin_host/probe.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/core/base/status.h"
#include "server/core/engine/engine.h"
#include "server/plugin_host/plugin_file.h"
#include "server/plugin_host/probe_batch.h"

namespace gradeline {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Tries one loss; keeps the engine, the handle and how to say what comes next.
class LossProbe {
 public:
  LossProbe(const LossInfo& info, const std::function<void(const std::string&)>& stage)
      : info_(info), stage_(stage), engine_(Options()) {}

  absl::Status Run() {
    Stage("create with defaults");
    LossRegistry::Builder builder;
    GRADELINE_RETURN_IF_ERROR(builder.Add({info_}));
    const auto registry = std::move(builder).Build(nullptr);
    auto handle = registry->ResolveAlone(info_.id, {});
    if (!handle.ok()) return Refuse(absl::StrCat("refuses its own defaults: ", handle.status().message()));
    handle_ = *std::move(handle);

    absl::Status refusal = absl::OkStatus();
    int tried = 0;
    for (const ProbeForm& form : Forms()) {
      const ProbeBatch batch = MakeProbeBatch(info_, form);
      Stage(absl::StrCat("compute on ", batch.name));
      const auto first = Compute(batch, true);
      if (first.status().code() == absl::StatusCode::kInvalidArgument) {
        refusal = first.status();  // a shape that this loss is not for; another may do
        continue;
      }
      GRADELINE_RETURN_IF_ERROR(Named(batch, first.status()));
      GRADELINE_RETURN_IF_ERROR(Named(batch, Try(batch, *first)));
      ++tried;
    }
    if (tried == 0) return Refuse(absl::StrCat("takes no batch of the probe: ", refusal.message()));
    return TryEmpty();
  }

 private:
  static Engine::Options Options() {
    Engine::Options options;
    options.threads = 1;
    options.memory_budget_bytes = int64_t{256} << 20;
    return options;
  }

  void Stage(const std::string& what) { stage_(absl::StrCat("loss ", info_.id, ": ", what)); }
  absl::Status Refuse(const std::string& why) const {
    return absl::FailedPreconditionError(absl::StrCat("loss ", info_.id, " ", why));
  }
  absl::Status Named(const ProbeBatch& batch, const absl::Status& status) const {
    if (status.ok()) return status;
    return absl::FailedPreconditionError(absl::StrCat("loss ", info_.id, " on ", batch.name, ": ", status.message()));
  }

  std::vector<ProbeForm> Forms() const {
    std::vector<ProbeForm> forms;
    for (size_t choice = 0; choice < ChoicesOf(info_); ++choice) {
      for (const bool tail : {false, true}) {
        for (const bool optional : {false, true}) {
          if ((tail && !HasTail(info_)) || (optional && !HasOptional(info_))) continue;
          for (const int64_t items : {int64_t{3}, int64_t{1}}) forms.push_back({items, tail, optional, choice});
        }
      }
    }
    return forms;
  }

  /// Memory that a gradient will be written to is filled with NaN first: what is not stored, or added to, shows.
  absl::StatusOr<LossResult> Compute(const ProbeBatch& batch, bool gradient, DType dtype = DType::kF64) {
    for (size_t bytes = 64; bytes <= 4096; bytes *= 2) {
      const PooledBuffer buffer = engine_.pool().Take(bytes);
      std::memset(buffer.data(), 0xff, buffer.size());
    }
    return RunProbeBatch(engine_, handle_, batch, gradient, dtype);
  }

  static const double* Reals(const GradientResult& gradient) {
    return reinterpret_cast<const double*>(gradient.data.data());
  }
  static int64_t CountOf(const GradientResult& gradient) { return ElementCount(gradient.shape).value_or(0); }

  absl::Status Try(const ProbeBatch& batch, const LossResult& first) {
    if (!std::isfinite(first.loss)) return absl::InternalError(absl::StrCat("the loss is ", first.loss));
    for (const GradientResult& gradient : first.gradients) {
      for (int64_t i = 0; i < CountOf(gradient); ++i) {
        if (std::isfinite(Reals(gradient)[i])) continue;
        return absl::InternalError(absl::StrCat("the gradient of ", info_.tensors[gradient.tensor].name, " at element ",
                                                i, " is ", Reals(gradient)[i], " or was not stored"));
      }
    }
    GRADELINE_RETURN_IF_ERROR(TryAgain(batch, first));
    GRADELINE_RETURN_IF_ERROR(TryDifferences(batch, first));
    GRADELINE_RETURN_IF_ERROR(TryFloat(batch, first));
    return TryNonFinite(batch);
  }

  absl::Status TryAgain(const ProbeBatch& batch, const LossResult& first) {
    const auto again = Compute(batch, true);
    if (!again.ok()) return again.status();
    bool same = std::bit_cast<uint64_t>(again->loss) == std::bit_cast<uint64_t>(first.loss) &&
                again->gradients.size() == first.gradients.size();
    for (size_t g = 0; same && g < first.gradients.size(); ++g) {
      same = std::memcmp(Reals(again->gradients[g]), Reals(first.gradients[g]),
                         static_cast<size_t>(CountOf(first.gradients[g])) * sizeof(double)) == 0;
    }
    const auto plain = Compute(batch, false);
    if (!plain.ok()) return plain.status();
    if (!same) return absl::InternalError("the same batch gives other bits the second time");
    const double difference = std::abs(plain->loss - first.loss);
    if (difference <= 1e-12 * std::max(1.0, std::abs(first.loss))) return absl::OkStatus();
    return absl::InternalError(
        absl::StrCat("the loss is ", plain->loss, " without a gradient and ", first.loss, " with one"));
  }

  /// Central differences. The step leaves about 1e-9 of error on a loss of size one with smooth derivatives.
  absl::Status TryDifferences(const ProbeBatch& batch, const LossResult& first) {
    constexpr double kStep = 1e-5, kTolerance = 1e-5;
    Stage(absl::StrCat("finite differences on ", batch.name));
    for (const GradientResult& gradient : first.gradients) {
      double largest = 1;
      for (int64_t i = 0; i < CountOf(gradient); ++i) largest = std::max(largest, std::abs(Reals(gradient)[i]));
      for (int64_t i = 0; i < CountOf(gradient); ++i) {
        ProbeBatch moved = batch;
        double& number = moved.tensors[gradient.tensor]->reals[static_cast<size_t>(i)];
        const double at = number;
        number = at + kStep;
        const auto above = Compute(moved, false);
        number = at - kStep;
        const auto below = Compute(moved, false);
        if (!above.ok() || !below.ok()) return above.ok() ? below.status() : above.status();
        const double expected = (above->loss - below->loss) / (2 * kStep);
        if (std::abs(expected - Reals(gradient)[i]) <= kTolerance * largest) continue;
        return absl::InternalError(absl::StrCat("the gradient of ", info_.tensors[gradient.tensor].name, " at element ",
                                                i, " is ", Reals(gradient)[i], "; finite differences say ", expected));
      }
    }
    return absl::OkStatus();
  }

  absl::Status TryFloat(const ProbeBatch& batch, const LossResult& first) {
    Stage(absl::StrCat("f32 on ", batch.name));
    const auto narrow = Compute(batch, true, DType::kF32);
    if (!narrow.ok()) return narrow.status();
    if (!(std::abs(narrow->loss - first.loss) <= 1e-4 * std::max(1.0, std::abs(first.loss)))) {
      return absl::InternalError(absl::StrCat("the loss is ", narrow->loss, " in f32 and ", first.loss, " in f64"));
    }
    for (size_t g = 0; g < first.gradients.size(); ++g) {
      const auto* values = reinterpret_cast<const float*>(narrow->gradients[g].data.data());
      for (int64_t i = 0; i < CountOf(first.gradients[g]); ++i) {
        const double wide = Reals(first.gradients[g])[i];
        if (std::abs(values[i] - wide) <= 1e-3 * std::max(1.0, std::abs(wide))) continue;
        return absl::InternalError(absl::StrCat("a gradient is ", values[i], " in f32 and ", wide, " in f64"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status TryNonFinite(const ProbeBatch& batch) {
    Stage(absl::StrCat("NaN and infinity on ", batch.name));
    for (size_t t = 0; t < batch.tensors.size(); ++t) {
      if (!batch.tensors[t] || batch.tensors[t]->reals.empty()) continue;
      for (const double bad : {kNan, kInfinity, -kInfinity}) {
        ProbeBatch spoilt = batch;
        spoilt.tensors[t]->reals.back() = bad;
        const absl::Status status = Compute(spoilt, true).status();
        if (status.code() == absl::StatusCode::kInvalidArgument) continue;
        return absl::InternalError(absl::StrCat("lets ", bad, " in ", info_.tensors[t].name,
                                                " pass: ", status.ok() ? "no error" : std::string(status.message())));
      }
    }
    return absl::OkStatus();
  }

  absl::Status TryEmpty() {
    const ProbeBatch batch = MakeProbeBatch(info_, {.items = 0, .tail = HasTail(info_)});
    Stage(absl::StrCat("compute on ", batch.name));
    const auto empty = Compute(batch, true);
    GRADELINE_RETURN_IF_ERROR(Named(batch, empty.status()));
    if (empty->loss == 0) return absl::OkStatus();
    return Refuse(absl::StrCat("is ", empty->loss, " for an empty batch; it must be 0"));
  }

  const LossInfo& info_;
  const std::function<void(const std::string&)>& stage_;
  Engine engine_;
  LossHandle handle_;
};

/// Writes whole lines, past whatever a plugin may have done to the standard streams.
class Reporter {
 public:
  Reporter() {
    const char* number = std::getenv(kProbeReportVariable);
    if (number == nullptr || !absl::SimpleAtoi(number, &fd_)) fd_ = STDOUT_FILENO;
  }
  void Line(const std::string& word, const std::string& text) const {
    const std::string line =
        absl::StrCat(word, text.empty() ? "" : " ", absl::StrReplaceAll(text, {{"\n", " "}}), "\n");
    for (size_t at = 0; at < line.size();) {
      const ssize_t wrote = write(fd_, line.data() + at, line.size() - at);
      if (wrote <= 0) return;
      at += static_cast<size_t>(wrote);
    }
  }

 private:
  int fd_ = STDOUT_FILENO;
};

absl::Status ProbeFile(const std::string& file, const std::function<void(const std::string&)>& stage) {
  stage("opening the file, which runs its constructors");
  GRADELINE_ASSIGN_OR_RETURN(const GdlPlugin* table, OpenPlugin(file));
  stage("reading its tables");
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<LossInfo> losses, CheckPluginTables(*table, PluginInfo()));
  for (const LossInfo& loss : losses) GRADELINE_RETURN_IF_ERROR(ProbeLoss(loss, stage));
  return absl::OkStatus();
}

}  // namespace

absl::Status ProbeLoss(const LossInfo& loss, const std::function<void(const std::string&)>& stage) {
  return LossProbe(loss, stage).Run();
}

int ProbePluginMain(const std::string& file) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // a probe that hangs does not outlive a server that was killed
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  const Reporter reporter;
  const absl::Status status = ProbeFile(file, [&](const std::string& stage) { reporter.Line("stage", stage); });
  reporter.Line(status.ok() ? "passed" : "refused", std::string(status.message()));
  // Destructors of the plugin would run on a normal exit; they never do in the server, which keeps it open to its end.
  _exit(status.ok() ? 0 : 1);
}

}  // namespace gradeline
