// A small host for tests of losses: binds shapes, cuts tiles of any size, runs passes on threads, folds in fixed order,
// and watches every byte around what a kernel may write. It allocates freely and is slow; the server's engine is
// another one.
#ifndef GRADELINE_PLUGINS_SDK_CONFORMANCE_HOST_H_
#define GRADELINE_PLUGINS_SDK_CONFORMANCE_HOST_H_

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "plugins/sdk/loss_abi.h"

namespace gradeline::conformance {

using Axes = std::map<std::string, int64_t>;                     ///< "N", "c", "*" (all of the tail): size
using ParamValues = std::map<std::string, std::vector<double>>;  ///< those not given keep their fallback

/// One input as a dense [outer][small][inner] array; `real` or `labels`, by the kind of its spec.
struct TensorData {
  bool present = false, label = false, whole = false;  ///< whole: no item axis, [small] only
  int64_t small = 1;
  int64_t label_size = 0;  ///< labels lie in [0, label_size)
  std::vector<double> real;
  std::vector<int32_t> labels;
};

struct Batch {
  int64_t outer = 1, inner = 1;
  std::vector<TensorData> tensors;  ///< one per spec
  int64_t items() const { return outer * inner; }
  std::vector<bool> Present() const {
    std::vector<bool> present;
    present.reserve(tensors.size());
    for (const TensorData& tensor : tensors) present.push_back(tensor.present);
    return present;
  }
};

/// Where item (o, i), element k of a tensor lies in its dense array.
inline int64_t DenseIndex(const Batch& batch, const TensorData& tensor, int64_t o, int64_t k, int64_t i) {
  if (tensor.whole) return k;
  return (o * tensor.small + k) * batch.inner + i;
}

/// What `dims` says of one tensor under given axis sizes.
struct BoundDims {
  int64_t before = 1, small = 1, after = 1, tail = 1, capitals = 1;
  bool has_small = false, has_items = false;
};

inline BoundDims BindDims(const std::string& dims, const Axes& axes) {
  BoundDims bound;
  std::istringstream words(dims);
  for (std::string word; words >> word;) {
    const std::string name = word.back() == '?' ? word.substr(0, word.size() - 1) : word;
    const bool number = name[0] >= '0' && name[0] <= '9';
    const auto found = axes.find(name);
    const int64_t size = number ? std::stoll(name) : (found == axes.end() ? 1 : found->second);
    if (number || (name[0] >= 'a' && name[0] <= 'z')) {
      bound.small *= size;
      bound.has_small = true;
    } else {
      (bound.has_small ? bound.after : bound.before) *= size;
      (name == "*" ? bound.tail : bound.capitals) *= size;
      bound.has_items = true;
    }
  }
  return bound;
}

/// A batch of zeros with the tensors at `present`.
inline Batch BindBatch(const GdlLoss& loss, const Axes& axes, const std::vector<bool>& present) {
  Batch batch;
  bool any_small = false, any_items = false;
  for (int pass = 0; pass < 2; ++pass) {  // tensors with small axes decide; only without any do the others
    for (size_t t = 0; loss.tensors[t] != nullptr; ++t) {
      const BoundDims bound = BindDims(loss.tensors[t]->dims, axes);
      if (!bound.has_items || any_items || bound.has_small != (pass == 0)) continue;
      any_small = bound.has_small;
      any_items = true;
      batch.outer = any_small ? bound.before : bound.capitals;
      batch.inner = any_small ? bound.after : bound.tail;
    }
  }
  for (size_t t = 0; loss.tensors[t] != nullptr; ++t) {
    const GdlTensorSpec& spec = *loss.tensors[t];
    const BoundDims bound = BindDims(spec.dims, axes);
    TensorData tensor;
    tensor.present = present[t];
    tensor.label = spec.kind == GDL_LABEL;
    tensor.whole = !bound.has_items;
    tensor.small = bound.small;
    if (tensor.label) {
      tensor.label_size = spec.label_axis == nullptr ? 2 : axes.at(spec.label_axis);
      if (spec.flags & GDL_BACKGROUND) ++tensor.label_size;
    }
    const size_t count = static_cast<size_t>(tensor.small * (tensor.whole ? 1 : batch.items()));
    if (tensor.present && tensor.label) tensor.labels.resize(count);
    if (tensor.present && !tensor.label) tensor.real.resize(count);
    batch.tensors.push_back(std::move(tensor));
  }
  return batch;
}

/// Owns what create returned.
class State {
 public:
  State(const GdlLoss& loss, const ParamValues& given) : loss_(loss) {
    std::vector<std::vector<double>> numbers;
    for (size_t p = 0; loss.params != nullptr && loss.params[p] != nullptr; ++p) {
      const GdlParamSpec& spec = *loss.params[p];
      const auto found = given.find(spec.name);
      if (found != given.end()) {
        numbers.push_back(found->second);
      } else {
        numbers.push_back(std::isnan(spec.fallback) ? std::vector<double>{} : std::vector<double>{spec.fallback});
      }
    }
    std::vector<GdlValue> values;
    values.reserve(numbers.size());
    for (const auto& n : numbers) values.push_back({sizeof(GdlValue), static_cast<uint32_t>(n.size()), n.data()});
    std::vector<const GdlValue*> list;
    list.reserve(values.size() + 1);
    for (const GdlValue& value : values) list.push_back(&value);
    list.push_back(nullptr);
    char field[256] = "", message[256] = "";
    GdlError error = {sizeof(GdlError), sizeof(field), field, message};
    status_ = loss.create(list.data(), &state_, &error);
    refusal_ = std::string(field) + ": " + message;
  }
  ~State() {
    if (status_ == 0 && loss_.destroy != nullptr) loss_.destroy(state_);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  GdlStatus status() const { return status_; }
  const std::string& refusal() const { return refusal_; }
  const void* get() const { return state_; }

 private:
  const GdlLoss& loss_;
  void* state_ = nullptr;
  GdlStatus status_ = 0;
  std::string refusal_;
};

struct RunOptions {
  uint32_t dtype = 8;  ///< bytes of a real
  int64_t tile_items = 1024;
  uint32_t cut_seed = 0;  ///< not 0: tiles are cut at random and memory has random gaps; odd: gradients are streamed
  int slots = 256;        ///< most slots of sums per pass
  int threads = 1;
  bool gradient = true;
  bool fixed_denominators = false;  ///< as if the request gave them: DENOMINATOR_ONLY passes are skipped
  std::vector<double> scale;        ///< per component; empty: 1 / denominator (aggregates: 1)
};

struct RunResult {
  GdlStatus status = 0;
  std::string refusal;  ///< what plan said
  uint32_t fault_kind = 0, fault_tensor = 0;
  int64_t fault_item = -1;
  std::string fault_what;  ///< the loss's own words
  std::vector<double> numerator, denominator;
  std::vector<std::vector<double>> gradient;  ///< per tensor, dense; empty where there is none
  std::vector<double> item_loss;              ///< empty unless items are independent
  std::vector<std::string> broken;            ///< writes where nothing may be written, elements left unwritten
  bool items_are_denominator = false;
};

/// Bytes of which the kernel may write the middle only.
class Guarded {
 public:
  Guarded(size_t bytes, unsigned char fill) : size_(bytes), memory_(bytes + 2 * kMargin + 64, kPattern) {
    const auto address = reinterpret_cast<uintptr_t>(memory_.data()) + kMargin;
    start_ = kMargin + (64 - address % 64) % 64;
    std::memset(data(), fill, bytes);
  }
  unsigned char* data() { return memory_.data() + start_; }
  bool Intact() const {
    for (size_t i = 0; i < memory_.size(); ++i) {
      if ((i < start_ || i >= start_ + size_) && memory_[i] != kPattern) return false;
    }
    return true;
  }

 private:
  static constexpr size_t kMargin = 256;
  static constexpr unsigned char kPattern = 0xA5;
  size_t size_, start_ = 0;
  std::vector<unsigned char> memory_;
};

struct TileBox {
  int64_t first_item = 0, outer = 0, inner = 0;
  int64_t job_begin = 0, job_end = 0;
};

/// Boxes that cover all items in order: whole outers, or runs of one.
inline std::vector<TileBox> CutTiles(const Batch& batch, const GdlPass& pass, const RunOptions& options) {
  std::vector<TileBox> tiles;
  if (pass.jobs > 0) {
    tiles.reserve(static_cast<size_t>(pass.jobs));
    for (int64_t j = 0; j < pass.jobs; ++j) tiles.push_back({0, 0, 0, j, j + 1});
    return tiles;
  }
  std::mt19937 random(options.cut_seed);
  const auto most = [&](int64_t limit) {
    if (options.cut_seed == 0) return std::max<int64_t>(1, limit);
    return std::uniform_int_distribution<int64_t>(1, std::max<int64_t>(1, limit))(random);
  };
  if (batch.items() == 0) return tiles;
  const bool whole = (pass.flags & GDL_WHOLE_OUTER) != 0 || batch.inner <= options.tile_items;
  for (int64_t o = 0; o < batch.outer;) {
    if (whole && (options.cut_seed == 0 || (pass.flags & GDL_WHOLE_OUTER) != 0 || random() % 2 == 0)) {
      const int64_t n = std::min(most(options.tile_items / batch.inner), batch.outer - o);
      tiles.push_back({o * batch.inner, n, batch.inner, 0, 0});
      o += n;
      continue;
    }
    for (int64_t i = 0; i < batch.inner;) {
      const int64_t n = std::min(most(options.tile_items), batch.inner - i);
      tiles.push_back({o * batch.inner + i, 1, n, 0, 0});
      i += n;
    }
    ++o;
  }
  return tiles;
}

/// A tensor's own items of one tile in memory of their own, with gaps if asked for.
template <typename T>
class TileTensor {
 public:
  TileTensor(const Batch& batch, const TensorData& tensor, const TileBox& box, uint32_t gap_seed)
      : batch_(batch), tensor_(tensor), box_(box), inner_(tensor.whole ? 1 : box.inner) {
    std::mt19937 random(gap_seed);
    const auto gap = [&] { return gap_seed == 0 ? 0 : static_cast<int64_t>(random() % 5); };
    view_.struct_size = sizeof(GdlView);
    view_.small = tensor.small;
    view_.small_stride = inner_ + gap();
    const int64_t outer_size = tensor.small * view_.small_stride + gap();
    view_.outer_stride = tensor.whole ? 0 : outer_size;
    const size_t elements = static_cast<size_t>(outer_size * (tensor.whole ? 1 : box.outer));
    memory_ = std::make_unique<Guarded>(elements * sizeof(T), 0xFF);
    owned_.assign(elements, false);
    view_.data = memory_->data();
    Visit([&](int64_t at, int64_t) { owned_[static_cast<size_t>(at)] = true; });
  }

  template <typename Source>
  void CopyIn(const std::vector<Source>& source) {
    T* data = reinterpret_cast<T*>(memory_->data());
    Visit([&](int64_t at, int64_t from) { data[at] = static_cast<T>(source[static_cast<size_t>(from)]); });
    Remember();
  }
  void CopyOut(std::vector<double>& target) const {
    const T* data = reinterpret_cast<const T*>(memory_->data());
    Visit([&](int64_t at, int64_t to) { target[static_cast<size_t>(to)] = static_cast<double>(data[at]); });
  }
  void Remember() { before_.assign(memory_->data(), memory_->data() + owned_.size() * sizeof(T)); }
  bool Untouched() const {
    return memory_->Intact() && (before_.empty() || std::memcmp(before_.data(), memory_->data(), before_.size()) == 0);
  }
  /// What is wrong after a kernel was to store every own element (memory was all ones: NaN) and nothing else.
  std::string StoreProblem() const {
    if (!memory_->Intact()) return "writes outside the tensor's memory";
    for (size_t at = 0; at < owned_.size(); ++at) {
      T value;
      const unsigned char* bytes = memory_->data() + at * sizeof(T);
      std::memcpy(&value, bytes, sizeof(T));
      const bool untouched = std::all_of(bytes, bytes + sizeof(T), [](unsigned char byte) { return byte == 0xFF; });
      if (!owned_[at] && !untouched) return "writes between own items";
      if (owned_[at] && std::isnan(static_cast<double>(value))) return "leaves elements unwritten, or adds to them";
    }
    return "";
  }
  const GdlView* view() const { return &view_; }

 private:
  template <typename Body>
  void Visit(Body body) const {
    const int64_t outers = tensor_.whole ? 1 : box_.outer;
    const int64_t first_o = box_.first_item / std::max<int64_t>(1, batch_.inner);
    const int64_t first_i = box_.first_item % std::max<int64_t>(1, batch_.inner);
    for (int64_t o = 0; o < outers; ++o) {
      for (int64_t k = 0; k < tensor_.small; ++k) {
        for (int64_t i = 0; i < inner_; ++i) {
          body(o * view_.outer_stride + k * view_.small_stride + i,
               DenseIndex(batch_, tensor_, first_o + o, k, first_i + i));
        }
      }
    }
  }

  const Batch& batch_;
  const TensorData& tensor_;
  TileBox box_;
  int64_t inner_;
  GdlView view_{};
  std::unique_ptr<Guarded> memory_;
  std::vector<bool> owned_;
  std::vector<unsigned char> before_;
};

/// First element of an input that may not come, as the host finds it: kind of fault and its index in the dense array,
/// or 0.
inline std::pair<uint32_t, int64_t> ScanInput(const GdlTensorSpec& spec, const TensorData& tensor, int64_t at) {
  const size_t i = static_cast<size_t>(at);
  if (tensor.label) {
    const bool bad = tensor.labels[i] < -1 || tensor.labels[i] >= tensor.label_size;
    return {bad ? GDL_FAULT_VALUE : 0, at};
  }
  if (!std::isfinite(tensor.real[i])) return {GDL_FAULT_NONFINITE, at};
  const bool bounded = (spec.flags & GDL_GRADIENT) == 0 && spec.min != spec.max;
  const bool bad = bounded && (tensor.real[i] < spec.min || tensor.real[i] > spec.max);
  return {bad ? GDL_FAULT_VALUE : 0, at};
}

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_SDK_CONFORMANCE_HOST_H_
