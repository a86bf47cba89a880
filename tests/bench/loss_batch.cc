#include "tests/bench/loss_batch.h"

#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/core/base/status.h"
#include "server/core/loss/dims.h"

namespace gradeline::bench {
namespace {

size_t WholePages(size_t bytes) { return (std::max<size_t>(bytes, 1) + 4095) / 4096 * 4096; }

/// A number of [0, 2^64) from a place in a tensor: equal on every machine, no state.
uint64_t Mix(uint64_t seed, uint64_t i) {
  uint64_t z = (seed << 48) + i * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

float Uniform(uint64_t seed, uint64_t i) { return static_cast<float>(Mix(seed, i) >> 40) * 0x1p-24F; }

/// Mean 0, deviation 1, within 3.5: the sum of four uniform numbers.
float Bell(uint64_t seed, uint64_t i) {
  const uint64_t z = Mix(seed, i);
  const uint64_t sum = (z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48);
  return (static_cast<float>(sum) - 131070) * (1 / 37837.0F);
}

struct Sizes {
  int64_t items = 0;  ///< N
  int64_t classes = 0;
  std::vector<int64_t> tail;  ///< what * stands for
};

/// Axes of the tensor at these sizes; N is 1 while it is sought.
std::vector<int64_t> ShapeOf(const std::vector<Dim>& dims, const Sizes& sizes) {
  std::vector<int64_t> shape;
  for (const Dim& dim : dims) {
    if (dim.kind == Dim::Kind::kNumber) {
      shape.push_back(dim.number);
    } else if (dim.kind == Dim::Kind::kTail) {
      shape.insert(shape.end(), sizes.tail.begin(), sizes.tail.end());
    } else if (dim.name == "N") {
      shape.push_back(sizes.items);
    } else if (!dim.optional || sizes.classes > 0) {
      shape.push_back(std::max<int64_t>(sizes.classes, 1));
    }
  }
  return shape;
}

/// Elements of the prediction that a size asks for; items where it names them.
struct Wanted {
  int64_t elements = 0, items = 0, batches = 1;
};

absl::StatusOr<Wanted> ParseSize(absl::string_view size) {
  if (size == "L2") return Wanted{int64_t{64} << 10};
  if (size == "64MiB") return Wanted{int64_t{16} << 20};
  if (size == "1GiB") return Wanted{int64_t{16} << 20, 0, 16};
  double number = 0;
  const bool items = absl::ConsumePrefix(&size, "N=");
  if ((!items && !absl::ConsumePrefix(&size, "E=")) || !absl::SimpleAtod(size, &number) || number < 1) {
    return absl::InvalidArgumentError("a size is L2, 64MiB, 1GiB, N=<items> or E=<elements>");
  }
  return items ? Wanted{0, static_cast<int64_t>(number)} : Wanted{static_cast<int64_t>(number)};
}

/// Pixels are square images of up to 512 x 512, smaller where a batch would not hold two of them.
Sizes SizesFor(const LossCase& which, const std::vector<Dim>& prediction, const Wanted& wanted) {
  Sizes sizes{1, which.classes, {}};
  if (which.layout == "pixels") {
    int64_t side = 512;
    while (side > 8 && 2 * side * side * std::max<int64_t>(which.classes, 1) > wanted.elements) side /= 2;
    sizes.tail = {side, side};
  }
  const int64_t per_item = *ElementCount(ShapeOf(prediction, sizes));
  sizes.items = wanted.items > 0 ? wanted.items : std::max<int64_t>(1, wanted.elements / per_item);
  return sizes;
}

void FillBoxes(float* out, int64_t boxes, uint64_t seed) {
  for (int64_t i = 0; i < boxes; ++i) {
    const auto place = static_cast<uint64_t>(i) * 4;
    for (uint64_t side = 0; side < 2; ++side) {  // near the box of equal number in the other tensor
      const float from = 600 * Uniform(0, place + side) + 8 * Uniform(seed, place + side);
      out[i * 4 + static_cast<int64_t>(side)] = from;
      out[i * 4 + static_cast<int64_t>(side) + 2] =
          from + 16 + 100 * Uniform(0, place + 2 + side) + 8 * Uniform(seed, place + 2 + side);
    }
  }
}

/// Makes what lies along axis 1 of [outer, classes, inner] add up to 1.
void Normalise(float* out, const std::vector<int64_t>& shape) {
  const int64_t classes = shape[1], inner = *ElementCount(absl::MakeConstSpan(shape).subspan(2));
  for (int64_t o = 0; o < shape[0]; ++o) {
    for (int64_t i = 0; i < inner; ++i) {
      float* const first = out + o * classes * inner + i;
      float sum = 0;
      for (int64_t k = 0; k < classes; ++k) sum += first[k * inner];
      for (int64_t k = 0; k < classes; ++k) first[k * inner] /= sum;
    }
  }
}

void FillReals(const TensorSpec& spec, const std::vector<Dim>& dims, const LossCase& which, const BatchTensor& tensor) {
  float* const out = tensor.copies.front().as<float>();
  const int64_t elements = tensor.elements();
  const uint64_t seed = tensor.spec + 1;
  if (which.layout == "boxes" && dims.back().number == 4) return FillBoxes(out, elements / 4, seed);
  const bool whole = ItemDims(dims).empty();
  const bool probability = spec.encoding == "probability" || (spec.min == 0 && spec.max == 1);
  for (int64_t i = 0; i < elements; ++i) {
    const auto place = static_cast<uint64_t>(i);
    if (probability) {
      out[i] = 0.001F + 0.998F * Uniform(seed, place);
    } else if (whole) {  // counts of classes
      out[i] = std::floor(1 + 1000 * Uniform(seed, place));
    } else if (which.layout == "sides" && !spec.gradient()) {  // distances in bins
      out[i] = static_cast<float>(which.classes - 1) * 0.99F * Uniform(seed, place);
    } else if (spec.min < spec.max && std::isfinite(spec.min) && std::isfinite(spec.max)) {
      out[i] = static_cast<float>(spec.min + (spec.max - spec.min) * Uniform(seed, place));
    } else {
      out[i] = 2 * Bell(seed, place);
    }
  }
  if (probability && dims.size() > 1 && dims[1].kind == Dim::Kind::kSmall) Normalise(out, tensor.shape);
}

void FillLabels(const TensorSpec& spec, const LossCase& which, const BatchTensor& tensor) {
  const uint64_t labels = spec.label_axis.empty() ? 2 : static_cast<uint64_t>(which.classes);
  int32_t* const out = tensor.copies.front().as<int32_t>();
  const int64_t elements = tensor.elements();
  for (int64_t i = 0; i < elements; ++i) {
    out[i] = static_cast<int32_t>(Mix(tensor.spec + 1, static_cast<uint64_t>(i)) % labels);
  }
}

absl::StatusOr<ParamMap> ParamsOf(const LossInfo& info, absl::string_view text) {
  ParamMap params;
  for (const absl::string_view part : absl::StrSplit(text, ';', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> named = absl::StrSplit(part, absl::MaxSplits('=', 1));
    const auto spec = std::find_if(info.params.begin(), info.params.end(),
                                   [&](const ParamSpec& candidate) { return candidate.name == named.first; });
    if (spec == info.params.end()) {
      return absl::InvalidArgumentError(absl::StrCat("loss ", info.id, " has no parameter ", named.first));
    }
    GRADELINE_ASSIGN_OR_RETURN(params[named.first], ParseParam(*spec, named.second));
  }
  return params;
}

/// Optional tensors stay out; of several of which one must come, the first does.
bool IsWanted(const LossInfo& info, size_t t) {
  const TensorSpec& spec = info.tensors[t];
  if (spec.optional()) return false;
  return spec.one_of == 0 || std::none_of(info.tensors.begin(), info.tensors.begin() + static_cast<std::ptrdiff_t>(t),
                                          [&](const TensorSpec& before) { return before.one_of == spec.one_of; });
}

}  // namespace

Pages::Pages(size_t bytes)
    : bytes_(WholePages(bytes)),
      data_(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
  if (data_ == MAP_FAILED) throw std::bad_alloc();
  madvise(data_, bytes_, MADV_HUGEPAGE);
  std::memset(data_, 0, bytes_);
}
Pages::Pages(Pages&& other) noexcept : bytes_(other.bytes_), data_(std::exchange(other.data_, nullptr)) {}
Pages::~Pages() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

absl::StatusOr<std::unique_ptr<LossBatch>> LossBatch::Make(const LossRegistry& registry, const LossCase& which,
                                                           std::string_view size) {
  GRADELINE_ASSIGN_OR_RETURN(const auto info, registry.Find(which.loss));
  GRADELINE_ASSIGN_OR_RETURN(const ParamMap params, ParamsOf(*info, {which.params.data(), which.params.size()}));
  GRADELINE_ASSIGN_OR_RETURN(const Wanted wanted, ParseSize({size.data(), size.size()}));
  std::unique_ptr<LossBatch> batch(new LossBatch);
  GRADELINE_ASSIGN_OR_RETURN(batch->loss_, registry.ResolveAlone(which.loss, params));
  batch->batches_ = wanted.batches;
  const auto prediction =
      std::find_if(info->tensors.begin(), info->tensors.end(), [](const TensorSpec& t) { return t.gradient(); });
  if (prediction == info->tensors.end()) return absl::InvalidArgumentError("the loss has no gradient");
  GRADELINE_ASSIGN_OR_RETURN(const auto prediction_dims, ParseDims(prediction->dims));
  const Sizes sizes = SizesFor(which, prediction_dims, wanted);
  batch->groups_ = which.classes > 0 ? which.classes : sizes.items;
  for (size_t t = 0; t < info->tensors.size(); ++t) {
    const TensorSpec& spec = info->tensors[t];
    if (!IsWanted(*info, t)) continue;
    GRADELINE_ASSIGN_OR_RETURN(const auto dims, ParseDims(spec.dims));
    BatchTensor tensor{t, spec.label() ? DType::kI32 : DType::kF32, ShapeOf(dims, sizes), {}};
    tensor.copies.emplace_back(tensor.bytes());
    spec.label() ? FillLabels(spec, which, tensor) : FillReals(spec, dims, which, tensor);
    while (static_cast<int64_t>(tensor.copies.size()) < wanted.batches) {
      std::memcpy(tensor.copies.emplace_back(tensor.bytes()).as<char>(), tensor.copies.front().as<char>(),
                  tensor.bytes());
    }
    const auto at = spec.gradient() ? batch->tensors_.begin() : batch->tensors_.end();
    batch->tensors_.insert(at, std::move(tensor));
  }
  return batch;
}

LossCall LossBatch::Call(int64_t turn, bool gradient) const {
  LossCall call;
  call.loss = loss_;
  call.gradient = gradient;
  call.inputs.resize(loss_.info().tensors.size());
  for (const BatchTensor& tensor : tensors_) {
    call.inputs[tensor.spec] =
        TensorView{tensor.dtype, tensor.shape, tensor.copies[static_cast<size_t>(turn % batches_)].as<char>()};
  }
  return call;
}

const BatchTensor* LossBatch::other_like_prediction() const {
  for (size_t t = 1; t < tensors_.size(); ++t) {
    if (tensors_[t].bytes() == prediction().bytes()) return &tensors_[t];
  }
  return nullptr;
}

}  // namespace gradeline::bench
