// Writing a loss in C++: specs as constexpr data, parameters by name, typed views of a tile, and the exported table.
// A loss is a class with static constexpr members kId, kDoc, kVersion, kFlags, kMerge, kSignals, kTensors, kComponents,
// optionally kTasks and kParams, a constructor from Params, and Plan, Compute<Real> and Fold (all const).
// Knows only loss_abi.h and the standard library; nothing here runs before main or allocates in a kernel.
#ifndef GRADELINE_PLUGINS_SDK_LOSS_H_
#define GRADELINE_PLUGINS_SDK_LOSS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugins/sdk/loss_abi.h"

namespace gradeline::sdk {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kOff = std::numeric_limits<double>::quiet_NaN();

/// Thrown by a loss's constructor (field: a parameter) or Plan (field: a tensor) to refuse; becomes a status.
struct Refusal {
  std::string field, message;
  GdlStatus status = 3;  ///< INVALID_ARGUMENT
};

// ---- Specs. All strings must be literals. ----

/// The differentiable input, in the call's real type.
constexpr GdlTensorSpec Prediction(const char* dims, const char* encoding, const char* doc) {
  return {sizeof(GdlTensorSpec), GDL_REAL, GDL_GRADIENT, 0, "prediction", doc, dims, nullptr, nullptr, encoding, 0, 0};
}

/// Integer targets that number `label_axis` (nullptr: 0 or 1). `one_of`: group shared with a RealTarget, or 0.
constexpr GdlTensorSpec LabelTarget(const char* dims, const char* label_axis, const char* ignore_param, const char* doc,
                                    uint32_t one_of = 0) {
  return {sizeof(GdlTensorSpec), GDL_LABEL, 0, one_of, "target", doc, dims, label_axis, ignore_param, nullptr, 0, 0};
}

/// Real targets within [min, max]; min == max: any finite value.
constexpr GdlTensorSpec RealTarget(const char* dims, const char* encoding, double min, double max, const char* doc,
                                   uint32_t one_of = 0) {
  return {sizeof(GdlTensorSpec), GDL_REAL, 0, one_of, "target", doc, dims, nullptr, nullptr, encoding, min, max};
}

/// The optional weight of each item, in [0, inf).
constexpr GdlTensorSpec Weight(const char* dims) {
  return {sizeof(GdlTensorSpec),
          GDL_REAL,
          GDL_OPTIONAL,
          0,
          "weight",
          "weight of each item; multiplies numerator and denominator",
          dims,
          nullptr,
          nullptr,
          nullptr,
          0,
          kInfinity};
}

/// A real parameter in [min, max]; GDL_MIN_OPEN and GDL_MAX_OPEN exclude the bounds.
constexpr GdlParamSpec Number(const char* name, double fallback, double min, double max, const char* doc,
                              uint32_t flags = 0) {
  return {sizeof(GdlParamSpec),
          GDL_NUMBER,
          flags,
          0,
          name,
          doc,
          nullptr,
          nullptr,
          nullptr,
          nullptr,
          nullptr,
          fallback,
          min,
          max};
}

constexpr GdlParamSpec Integer(const char* name, double fallback, double min, double max, const char* doc,
                               uint32_t flags = 0) {
  return {sizeof(GdlParamSpec),
          GDL_INTEGER,
          flags,
          0,
          name,
          doc,
          nullptr,
          nullptr,
          nullptr,
          nullptr,
          nullptr,
          fallback,
          min,
          max};
}

constexpr GdlParamSpec Bool(const char* name, bool fallback, const char* doc) {
  return {sizeof(GdlParamSpec), GDL_BOOL, 0, 0, name, doc, nullptr, nullptr, nullptr, nullptr, nullptr,
          fallback ? 1.0 : 0.0, 0,        1};
}

/// `choices`: NULL-ended; `fallback`: index of one.
constexpr GdlParamSpec Choice(const char* name, const char* const* choices, int fallback, const char* doc) {
  return {sizeof(GdlParamSpec),          GDL_CHOICE, 0, 0, name, doc, nullptr, nullptr, nullptr, choices, nullptr,
          static_cast<double>(fallback), 0,          0};
}

/// Numbers in [min, max], off unless given, as many as `axis` is long (GDL_ONE_FOR_ALL: or one).
constexpr GdlParamSpec Vector(const char* name, const char* axis, double min, double max, const char* doc,
                              uint32_t flags = 0) {
  return {sizeof(GdlParamSpec),
          GDL_VECTOR,
          flags | GDL_MAY_BE_OFF,
          0,
          name,
          doc,
          nullptr,
          nullptr,
          axis,
          nullptr,
          nullptr,
          kOff,
          min,
          max};
}

/// The parameter, with a meaning only where `rule` holds: "type=ciou", "type=giou|ciou".
constexpr GdlParamSpec When(const char* rule, GdlParamSpec spec) {
  spec.when = rule;
  return spec;
}

constexpr GdlComponentSpec Additive(const char* name, const char* doc) {
  return {sizeof(GdlComponentSpec), GDL_ADDITIVE, name, doc, nullptr};
}

constexpr GdlComponentSpec Aggregate(const char* name, const char* doc) {
  return {sizeof(GdlComponentSpec), GDL_AGGREGATE, name, doc, nullptr};
}

// ---- What a constructor and Plan are given ----

/// Parameter values by name; the host has checked kinds, ranges and (when shapes come) lengths.
class Params {
 public:
  Params(std::span<const GdlParamSpec> specs, const GdlValue* const* values) : specs_(specs), values_(values) {}

  bool IsOff(std::string_view name) const { return Value(name).count == 0; }
  double Number(std::string_view name) const { return Value(name).v[0]; }
  bool Bool(std::string_view name) const { return Number(name) != 0; }
  int Choice(std::string_view name) const { return static_cast<int>(Number(name)); }
  /// Empty when off.
  std::vector<double> Vector(std::string_view name) const {
    const GdlValue& value = Value(name);
    return {value.v, value.v + value.count};
  }

 private:
  const GdlValue& Value(std::string_view name) const {
    for (size_t i = 0; i < specs_.size(); ++i) {
      if (name == specs_[i].name) return *values_[i];
    }
    throw Refusal{std::string(name), "is not a parameter of this loss", 13};
  }

  std::span<const GdlParamSpec> specs_;
  const GdlValue* const* values_;
};

/// Fills a GdlPlan pass by pass.
class Plan {
 public:
  explicit Plan(GdlPlan& plan) : plan_(plan) {}
  GdlPass& AddPass(uint32_t flags, uint64_t inputs, int64_t sums) {
    GdlPass& pass = *plan_.pass[plan_.pass_count++];
    pass.flags = flags;
    pass.inputs = inputs;
    pass.sums = sums;
    return pass;
  }
  GdlPlan& raw() { return plan_; }

 private:
  GdlPlan& plan_;
};

// ---- What a kernel is given ----

/// Own items of one tensor: item (o, i) of the tile, element k within it. Runs along i are contiguous.
template <typename T>
struct View {
  T* data = nullptr;
  int64_t outer_stride = 0, small_stride = 0, small = 0;
  explicit operator bool() const { return data != nullptr; }
  T* Run(int64_t o, int64_t k = 0) const { return data + o * outer_stride + k * small_stride; }
};

template <typename Real>
class Tile {
 public:
  explicit Tile(const GdlTile& raw) : raw_(raw) {}

  /// Empty if the tensor is absent or not asked for by this pass.
  View<const Real> Input(size_t tensor) const { return Cast<const Real>(raw_.inputs[tensor]); }
  View<const int32_t> Labels(size_t tensor) const { return Cast<const int32_t>(raw_.inputs[tensor]); }
  /// Empty if no gradient is wanted; else every element of own items must be stored.
  View<Real> Gradient(size_t tensor) const { return Cast<Real>(raw_.gradients ? raw_.gradients[tensor] : nullptr); }

  int64_t outer() const { return raw_.outer; }
  int64_t inner() const { return raw_.inner; }
  /// Number of the tile's first outer in the batch.
  int64_t first_outer() const { return raw_.first_item / raw_.shape->inner; }
  const GdlTile& raw() const { return raw_; }

 private:
  template <typename T>
  static View<T> Cast(const GdlView* view) {
    if (view == nullptr || view->data == nullptr) return {};
    return {static_cast<T*>(view->data), view->outer_stride, view->small_stride, view->small};
  }

  const GdlTile& raw_;
};

// ---- The exported table ----

/// Addresses of the elements of a static array or std::array, NULL-ended.
template <typename T, size_t n>
constexpr std::array<const T*, n + 1> Addresses(const T (&specs)[n]) {
  std::array<const T*, n + 1> list{};
  for (size_t i = 0; i < n; ++i) list[i] = &specs[i];
  return list;
}

template <typename T, size_t n>
constexpr std::array<const T*, n + 1> Addresses(const std::array<T, n>& specs) {
  std::array<const T*, n + 1> list{};
  for (size_t i = 0; i < n; ++i) list[i] = &specs[i];
  return list;
}

template <size_t n>
constexpr std::array<const char*, n + 1> Ended(const char* const (&words)[n]) {
  std::array<const char*, n + 1> list{};
  for (size_t i = 0; i < n; ++i) list[i] = words[i];
  return list;
}

void Report(GdlError* error, const Refusal& refusal);

/// The GdlLoss of a loss class, const data, and the functions that it points to.
template <typename Loss>
class Entry {
 public:
  static constexpr bool kHasParams = requires { Loss::kParams; };
  static constexpr bool kHasTasks = requires { Loss::kTasks; };

  static constexpr std::span<const GdlParamSpec> Specs() {
    if constexpr (kHasParams) return Loss::kParams;
    return {};
  }

 private:
  template <typename Body>
  static GdlStatus Guarded(GdlError* error, Body body) noexcept {
    try {
      body();
      return 0;
    } catch (const Refusal& refusal) {
      Report(error, refusal);
      return refusal.status;
    } catch (const std::bad_alloc&) {
      return 8;  // RESOURCE_EXHAUSTED
    } catch (...) {
      return 13;  // INTERNAL
    }
  }
  static GdlStatus Create(const GdlValue* const* params, void** state, GdlError* error) {
    return Guarded(error, [&] { *state = new Loss(Params(Specs(), params)); });
  }
  static void Destroy(void* state) { delete static_cast<Loss*>(state); }
  static GdlStatus MakePlan(const void* state, const GdlShape* shape, GdlPlan* plan, GdlError* error) {
    return Guarded(error, [&] {
      Plan passes(*plan);
      static_cast<const Loss*>(state)->Plan(*shape, passes);
    });
  }
  static void Compute(const GdlTile* tile) noexcept {
    const Loss& loss = *static_cast<const Loss*>(tile->state);
    if (tile->shape->dtype == sizeof(double)) {
      loss.Compute(Tile<double>(*tile));
    } else {
      loss.Compute(Tile<float>(*tile));
    }
  }
  static void Fold(const GdlFold* fold) noexcept { static_cast<const Loss*>(fold->state)->Fold(*fold); }

  static constexpr auto kSignals = Ended(Loss::kSignals);
  static constexpr auto kTensors = Addresses(Loss::kTensors);
  static constexpr auto kComponents = Addresses(Loss::kComponents);
  static_assert(kTensors.size() <= 65, "a pass names its inputs in 64 bits");
  static constexpr auto kParams = [] {
    if constexpr (kHasParams) {
      return Addresses(Loss::kParams);
    } else {
      return std::array<const GdlParamSpec*, 1>{};
    }
  }();
  static constexpr auto kTasks = [] {
    if constexpr (kHasTasks) {
      return Ended(Loss::kTasks);
    } else {
      return std::array<const char*, 1>{};
    }
  }();

 public:
  static constexpr GdlLoss kTable = {
      sizeof(GdlLoss), Loss::kVersion,   Loss::kFlags,       Loss::kMerge,
      Loss::kId,       Loss::kDoc,       kSignals.data(),    kHasTasks ? kTasks.data() : nullptr,
      kTensors.data(), kParams.data(),   kComponents.data(), &Entry::Create,
      &Entry::Destroy, &Entry::MakePlan, &Entry::Compute,    &Entry::Fold};
};

template <typename... Losses>
inline constexpr std::array<const GdlLoss*, sizeof...(Losses) + 1> kLossList = {&Entry<Losses>::kTable..., nullptr};

inline void Report(GdlError* error, const Refusal& refusal) {
  if (error == nullptr || error->capacity == 0) return;
  error->field[refusal.field.copy(error->field, error->capacity - 1)] = '\0';
  error->message[refusal.message.copy(error->message, error->capacity - 1)] = '\0';
}

}  // namespace gradeline::sdk

/// Defines the one exported symbol. GDL_LOSS_PLUGIN("name", "vendor", "1.0.0", "Apache-2.0", LossA, LossB)
#define GDL_LOSS_PLUGIN(name, vendor, version, license, ...)                                       \
  extern "C" {                                                                                     \
  constinit const GdlPlugin GDL_PLUGIN_SYMBOL = {sizeof(GdlPlugin),                                \
                                                 GDL_ABI_MINOR,                                    \
                                                 name,                                             \
                                                 vendor,                                           \
                                                 version,                                          \
                                                 license,                                          \
                                                 ::gradeline::sdk::kLossList<__VA_ARGS__>.data()}; \
  }

#endif  // GRADELINE_PLUGINS_SDK_LOSS_H_
