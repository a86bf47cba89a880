#include "server/core/loss/binding.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"
#include "server/core/loss/dims.h"

namespace gradeline {
namespace {

/// Matches shapes to dims tensor by tensor and remembers who gave each axis its size.
class Binder {
 public:
  Binder(const LossHandle& loss, absl::Span<const std::optional<InputShape>> inputs)
      : loss_(loss), specs_(loss.info().tensors), inputs_(inputs) {}

  absl::StatusOr<Binding> Bind() {
    if (inputs_.size() != specs_.size()) {
      violations_.Add("inputs",
                      absl::StrCat("has ", inputs_.size(), " entries; the loss has ", specs_.size(), " tensors"));
      return violations_.ToStatus();
    }
    binding_.small.assign(specs_.size(), -1);
    binding_.whole.assign(specs_.size(), false);
    binding_.label_size.assign(specs_.size(), 0);
    CheckPresence();
    for (size_t t = 0; t < specs_.size(); ++t) {
      if (inputs_[t]) BindTensor(t);
    }
    CheckVectors();
    if (!violations_.empty()) return violations_.ToStatus();
    for (size_t t = 0; t < specs_.size(); ++t) {
      if (inputs_[t] && specs_[t].label()) SetLabelSize(t);
    }
    return std::move(binding_);
  }

 private:
  struct Sized {
    int64_t size;
    std::string giver;  // "inputs.prediction"
  };

  static std::string Field(const TensorSpec& spec) { return absl::StrCat("inputs.", spec.name); }

  void CheckPresence() {
    std::vector<uint32_t> seen;
    for (size_t t = 0; t < specs_.size(); ++t) {
      const TensorSpec& spec = specs_[t];
      if (spec.one_of == 0) {
        if (!inputs_[t] && !spec.optional()) violations_.Add(Field(spec), absl::StrCat("is missing; dims ", spec.dims));
        continue;
      }
      if (std::count(seen.begin(), seen.end(), spec.one_of) > 0) continue;
      seen.push_back(spec.one_of);
      CheckGroup(spec);
    }
  }

  void CheckGroup(const TensorSpec& first) {
    int given = 0;
    std::vector<std::string> choices;
    for (size_t t = 0; t < specs_.size(); ++t) {
      if (specs_[t].one_of != first.one_of) continue;
      given += inputs_[t] ? 1 : 0;
      choices.push_back(absl::StrCat(specs_[t].name, specs_[t].label() ? " of labels" : " of reals"));
    }
    if (given == 1) return;
    violations_.Add(Field(first), absl::StrCat(given == 0 ? "is missing" : "is given more than once",
                                               "; exactly one of ", absl::StrJoin(choices, ", "), " must come"));
  }

  void BindTensor(size_t t) {
    const TensorSpec& spec = specs_[t];
    const InputShape& input = *inputs_[t];
    if (spec.label() && IsReal(input.dtype)) {
      violations_.Add(Field(spec), absl::StrCat("has type ", Name(input.dtype), "; allowed for labels: u8, i32, i64"));
    } else if (!spec.label() && !IsReal(input.dtype)) {
      violations_.Add(Field(spec),
                      absl::StrCat("has type ", Name(input.dtype), "; allowed for reals: f32, f64, f16, bf16"));
    }
    if (input.dtype == DType::kF64) binding_.real_bytes = 8;
    if (!ElementCount(input.shape)) {
      violations_.Add(Field(spec), absl::StrCat("has shape ", ShapeText(input.shape),
                                                "; allowed are sizes of 0 or more whose product fits in 63 bits"));
      return;
    }
    const auto dims = ParseDims(spec.dims);
    if (!dims.ok()) {
      violations_.Add(Field(spec), std::string(dims.status().message()));
    } else {
      Match(t, *dims);
    }
  }

  static std::string Name(DType dtype) { return std::string(NameOf(dtype)); }

  /// Gives every axis of tensor `t` its size, or says why its shape does not fit.
  void Match(size_t t, const std::vector<Dim>& dims) {
    const TensorSpec& spec = specs_[t];
    const std::vector<int64_t>& shape = inputs_[t]->shape;
    const auto needed = static_cast<size_t>(std::count_if(
        dims.begin(), dims.end(), [](const Dim& dim) { return dim.kind != Dim::Kind::kTail && !dim.optional; }));
    const bool tail = dims.back().kind == Dim::Kind::kTail;
    const bool optional = std::any_of(dims.begin(), dims.end(), [](const Dim& dim) { return dim.optional; });
    if (shape.size() < needed || (!tail && shape.size() > needed + (optional ? 1 : 0))) {
      violations_.Add(Field(spec), absl::StrCat("has shape ", ShapeText(shape), " of ", shape.size(),
                                                " axes; dims are ", spec.dims, ", ", tail ? "at least " : "", needed,
                                                " axes", optional && !tail ? " or one more" : ""));
      return;
    }
    int64_t outer = 1, small = 1, inner = 1;
    const size_t outer_axes = OuterAxes(dims);
    size_t axis = 0;
    std::vector<int64_t> item_shape;
    for (size_t d = 0; d < dims.size(); ++d) {
      const Dim& dim = dims[d];
      if (dim.kind == Dim::Kind::kTail) {
        const std::vector<int64_t> rest(shape.begin() + static_cast<std::ptrdiff_t>(axis), shape.end());
        MatchTail(spec, rest);
        item_shape.insert(item_shape.end(), rest.begin(), rest.end());
        inner *= *ElementCount(rest);
        continue;
      }
      const bool missing = dim.optional && axis == shape.size();
      const int64_t size = missing ? 1 : shape[axis++];
      MatchAxis(spec, dim, size);
      if (dim.item() && !missing) item_shape.push_back(size);
      (dim.item() ? (d < outer_axes ? outer : inner) : small) *= size;
    }
    binding_.small[t] = small;
    binding_.whole[t] = ItemDims(dims).empty();
    if (!binding_.whole[t]) SetItems(outer, inner, item_shape, HasSmallAxes(dims));
  }

  /// Items are the same in all tensors; where outer ends, the one with small axes says.
  void SetItems(int64_t outer, int64_t inner, const std::vector<int64_t>& item_shape, bool has_small_axes) {
    if (items_bound_ && !(has_small_axes && !split_bound_)) return;
    binding_.outer = outer;
    binding_.inner = inner;
    if (!items_bound_) binding_.item_shape = item_shape;
    items_bound_ = true;
    split_bound_ |= has_small_axes;
  }

  void MatchAxis(const TensorSpec& spec, const Dim& dim, int64_t size) {
    if (dim.kind == Dim::Kind::kNumber) {
      if (size != dim.number) {
        violations_.Add(Field(spec), absl::StrCat("has ", size, " where dims ", spec.dims, " say ", dim.number));
      }
      return;
    }
    const auto [bound, fresh] = axes_.try_emplace(dim.name, Sized{size, Field(spec)});
    if (!fresh && bound->second.size != size) {
      violations_.Add(Field(spec), absl::StrCat("has ", size, " for axis ", dim.name, " of dims ", spec.dims, "; ",
                                                bound->second.giver, " has ", bound->second.size));
    }
    if (fresh) binding_.axes[dim.name] = size;
  }

  void MatchTail(const TensorSpec& spec, const std::vector<int64_t>& rest) {
    if (!tail_giver_.empty()) {
      if (rest != tail_) {
        violations_.Add(Field(spec), absl::StrCat("has ", ShapeText(rest), " for * of dims ", spec.dims, "; ",
                                                  tail_giver_, " has ", ShapeText(tail_)));
      }
      return;
    }
    tail_ = rest;
    tail_giver_ = Field(spec);
  }

  void CheckVectors() {
    for (const ParamSpec& spec : loss_.info().params) {
      const auto value = loss_.params().find(spec.name);
      if (spec.axis.empty() || value == loss_.params().end()) continue;
      const auto* vector = std::get_if<std::vector<double>>(&value->second);
      const auto axis = binding_.axes.find(spec.axis);
      if (vector == nullptr || axis == binding_.axes.end()) continue;
      const auto length = static_cast<int64_t>(vector->size());
      if (length == axis->second || (length == 1 && (spec.flags & GDL_ONE_FOR_ALL) != 0)) continue;
      violations_.Add(absl::StrCat("params.", spec.name),
                      absl::StrCat("has ", length, length == 1 ? " value; axis " : " values; axis ", spec.axis, " of ",
                                   axes_.at(spec.axis).giver, " has ", axis->second,
                                   (spec.flags & GDL_ONE_FOR_ALL) != 0 ? ", and one for all is allowed" : ""));
    }
  }

  void SetLabelSize(size_t t) {
    const TensorSpec& spec = specs_[t];
    const auto axis = binding_.axes.find(spec.label_axis);
    int64_t size = 2;
    if (!spec.label_axis.empty()) size = axis == binding_.axes.end() ? 0 : axis->second;
    binding_.label_size[t] = size + ((spec.flags & GDL_BACKGROUND) != 0 ? 1 : 0);
  }

  const LossHandle& loss_;
  const std::vector<TensorSpec>& specs_;
  const absl::Span<const std::optional<InputShape>> inputs_;
  Violations violations_;
  Binding binding_;
  std::map<std::string, Sized> axes_;
  std::vector<int64_t> tail_;
  std::string tail_giver_;
  bool items_bound_ = false, split_bound_ = false;
};

}  // namespace

std::optional<size_t> FindInput(const LossInfo& info, std::string_view name, DType dtype) {
  std::optional<size_t> found;
  for (size_t t = 0; t < info.tensors.size(); ++t) {
    if (info.tensors[t].name != name) continue;
    if (!found || info.tensors[t].label() != IsReal(dtype)) found = t;
  }
  return found;
}

absl::StatusOr<Binding> BindShapes(const LossHandle& loss, absl::Span<const std::optional<InputShape>> inputs) {
  return Binder(loss, inputs).Bind();
}

absl::Status CheckShapes(const LossHandle& loss, absl::Span<const std::optional<InputShape>> inputs) {
  if (loss.terms().empty()) return BindShapes(loss, inputs).status();
  Violations violations;
  for (const LossTerm& term : loss.terms()) {
    violations.MergeRest("", InSum(term, BindShapes(term.loss, InputsOf(term, inputs)).status()));
  }
  return violations.ToStatus();
}

}  // namespace gradeline
