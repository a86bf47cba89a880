#include "server/core/loss/known_training.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/loss/param_check.h"
#include "server/core/loss/params.h"

namespace gradeline {
namespace {

using Words = std::vector<std::string>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kMostEpochs = 100'000;

ParamSpec Field(const char* name, uint32_t kind, double least, double most, double fallback, uint32_t flags = 0) {
  ParamSpec spec;
  spec.name = name;
  spec.kind = kind;
  spec.min = least;
  spec.max = most;
  spec.fallback = fallback;
  spec.flags = flags;
  return spec;
}

ParamSpec Optional(ParamSpec spec) {
  spec.flags |= GDL_MAY_BE_OFF;
  spec.fallback.reset();
  return spec;
}

ParamSpec Choice(const char* name, Words words) {
  ParamSpec spec = Field(name, GDL_CHOICE, -kInfinity, kInfinity, 0);
  spec.choices = std::move(words);
  return spec;
}

ParamSpec Epochs(const char* name, double least, double fallback) {
  return Field(name, GDL_INTEGER, least, kMostEpochs, fallback);
}
// A factor in (0, most].
ParamSpec Factor(const char* name, double fallback, double most = kInfinity) {
  return Field(name, GDL_NUMBER, 0, most, fallback, GDL_MIN_OPEN);
}
ParamSpec AtLeast0(const char* name, double fallback) { return Field(name, GDL_NUMBER, 0, kInfinity, fallback); }
ParamSpec Momentum(const char* name, double fallback) { return Field(name, GDL_NUMBER, 0, 1, fallback, GDL_MAX_OPEN); }
ParamSpec Monitor() { return Optional(Field("monitor", kMeasureKind, -kInfinity, kInfinity, 0)); }

const char* KindName(uint32_t kind) {
  switch (kind) {
    case GDL_NUMBER:
      return "number";
    case GDL_INTEGER:
      return "integer";
    case GDL_BOOL:
      return "bool";
    case GDL_CHOICE:
      return "choice";
    case GDL_VECTOR:
      return "vector";
    default:
      return "measure";
  }
}

class Narrowing {
 public:
  Narrowing(const ParamSpec& known, std::string path, Violations& violations)
      : known_(known), path_(std::move(path)), violations_(violations) {}

  void Check(const ParamSpec& spec) {
    if (spec.kind != known_.kind) return Add(".kind", KindName(spec.kind), KindName(known_.kind));
    const bool may_be_off = (known_.flags & GDL_MAY_BE_OFF) != 0;
    if ((spec.flags & GDL_MAY_BE_OFF) != 0 && !may_be_off) Add(".optional", "true", "a parameter with a default");
    if (spec.kind == GDL_CHOICE) return CheckWords(spec);
    for (const auto& [at, end] : {std::pair{spec.min, ".min"}, std::pair{spec.max, ".max"}}) {
      if (at >= known_.min && at <= known_.max) continue;
      Add(end, ParamText(at), absl::StrCat(ParamText(known_.min), " to ", ParamText(known_.max)));
    }
    if ((known_.flags & GDL_MIN_OPEN) != 0 && (spec.flags & GDL_MIN_OPEN) == 0 && spec.min == known_.min) {
      Add(".min", ParamText(spec.min), "greater");
    }
    if ((known_.flags & GDL_MAX_OPEN) != 0 && (spec.flags & GDL_MAX_OPEN) == 0 && spec.max == known_.max) {
      Add(".max", ParamText(spec.max), "less");
    }
  }

 private:
  void CheckWords(const ParamSpec& spec) {
    for (const std::string& word : spec.choices) {
      const auto& words = known_.choices;
      if (std::find(words.begin(), words.end(), word) == words.end()) {
        Add(".choices", absl::StrCat("\"", word, "\" among others"), absl::StrJoin(words, ", "));
      }
    }
  }
  void Add(const char* below, const std::string& value, const std::string& allowed) {
    violations_.Add(path_ + below, absl::StrCat("is ", value, "; allowed: ", allowed));
  }

  const ParamSpec& known_;
  const std::string path_;
  Violations& violations_;
};

}  // namespace

const std::vector<ParamSpec>& TrainingFields() {
  static const auto* const kFields = new std::vector<ParamSpec>{
      Epochs("epochs", 1, 10),
      Field("iterations", GDL_INTEGER, 0, 1 << 30, 0),
      Field("batch_size", GDL_INTEGER, 1, 1 << 20, 32),
      Factor("learning_rate", 0.01),
      Field("seed", GDL_INTEGER, 0, 9007199254740992.0, 0),
      Field("workers", GDL_INTEGER, 0, 1024, 0),
      Epochs("patience", 1, 5),
      AtLeast0("min_delta", 0),
      Monitor(),
  };
  return *kFields;
}

const std::vector<ChoiceInfo>& Schedules() {
  static const auto* const kSchedules = new std::vector<ChoiceInfo>{
      {.id = "cosine_annealing_lr", .params = {Epochs("t_max", 1, 10), AtLeast0("eta_min", 0)}},
      {.id = "cyclic_lr",
       .params = {Optional(Factor("base_lr", 0)), Factor("max_lr", 0.1), Epochs("step_size_up", 1, 5),
                  Optional(Epochs("step_size_down", 1, 0)), Choice("mode", {"triangular", "triangular2", "exp_range"}),
                  Factor("gamma", 1), Optional(Choice("scale_mode", {"cycle", "iterations"})),
                  Field("cycle_momentum", GDL_BOOL, -kInfinity, kInfinity, 0), Momentum("base_momentum", 0.8),
                  Momentum("max_momentum", 0.9)}},
      {.id = "exponential_lr", .params = {Factor("gamma", 0.95)}},
      {.id = "multi_step_lr",
       .params = {Optional(Field("milestones", GDL_VECTOR, 1, kMostEpochs, 0)), Factor("gamma", 0.1)}},
      {.id = "reduce_lr_on_plateau",
       .params = {Monitor(), Choice("mode", {"min", "max"}),
                  Field("factor", GDL_NUMBER, 0, 1, 0.1, GDL_MIN_OPEN | GDL_MAX_OPEN), Epochs("patience", 0, 10),
                  AtLeast0("threshold", 1e-4), Choice("threshold_mode", {"rel", "abs"}), Epochs("cooldown", 0, 0),
                  AtLeast0("min_lr", 0), AtLeast0("eps", 1e-8)}},
      {.id = "step_lr", .params = {Epochs("step_size", 1, 10), Factor("gamma", 0.1)}},
  };
  return *kSchedules;
}

void CheckNarrows(absl::Span<const ParamSpec> specs, absl::Span<const ParamSpec> known, const std::string& path,
                  const std::string& noun, Violations& violations) {
  Words names;
  for (const ParamSpec& field : known) names.push_back(field.name);
  Words lacking = names;
  for (const ParamSpec& spec : specs) {
    const std::string field = absl::StrCat(path, ".parameters.", spec.name);
    const auto found =
        std::find_if(known.begin(), known.end(), [&spec](const ParamSpec& one) { return one.name == spec.name; });
    if (found == known.end()) {
      violations.Add(field, absl::StrCat("is no parameter of ", noun, "; ", Hint(spec.name, names)));
      continue;
    }
    std::erase(lacking, spec.name);
    Narrowing(*found, field, violations).Check(spec);
  }
  if (!lacking.empty()) violations.Add(path + ".parameters", absl::StrCat("lacks ", absl::StrJoin(lacking, ", ")));
}

}  // namespace gradeline
