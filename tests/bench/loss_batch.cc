#include "tests/bench/loss_batch.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/core/base/status.h"
#include "server/core/loss/dims.h"
#include "tests/bench/random_inputs.h"

namespace gradeline::bench {
namespace {

size_t WholePages(size_t bytes) { return (std::max<size_t>(bytes, 1) + 4095) / 4096 * 4096; }

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

absl::StatusOr<ParamMap> ParamsOf(const LossInfo& info, absl::string_view text, int64_t classes) {
  ParamMap params;
  for (const absl::string_view part : absl::StrSplit(text, ';', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> named = absl::StrSplit(part, absl::MaxSplits('=', 1));
    const auto spec = std::find_if(info.params.begin(), info.params.end(),
                                   [&](const ParamSpec& candidate) { return candidate.name == named.first; });
    if (spec == info.params.end()) {
      return absl::InvalidArgumentError(absl::StrCat("loss ", info.id, " has no parameter ", named.first));
    }
    if (named.second == "cycle") {
      std::vector<double> numbers(static_cast<size_t>(classes));
      for (size_t k = 0; k < numbers.size(); ++k) numbers[k] = static_cast<double>(1 + 37 * k % 1000);
      params[named.first] = std::move(numbers);
      continue;
    }
    GRADELINE_ASSIGN_OR_RETURN(params[named.first], ParseParam(*spec, named.second));
  }
  return params;
}

/// Optional tensors stay out; of several of which one must come, the labels do, or the numbers if the layout is
/// "reals".
bool IsWanted(const LossInfo& info, std::string_view layout, size_t t) {
  const TensorSpec& spec = info.tensors[t];
  if (spec.optional()) return false;
  return spec.one_of == 0 || spec.label() == (layout != "reals");
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
  GRADELINE_ASSIGN_OR_RETURN(const ParamMap params,
                             ParamsOf(*info, {which.params.data(), which.params.size()}, which.classes));
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
    if (!IsWanted(*info, which.layout, t)) continue;
    GRADELINE_ASSIGN_OR_RETURN(const auto dims, ParseDims(spec.dims));
    BatchTensor tensor{t, spec.label() ? DType::kI32 : DType::kF32, ShapeOf(dims, sizes), {}};
    tensor.copies.emplace_back(tensor.bytes());
    FillRandom(spec, dims, which, tensor);
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
