#include "server/core/experiment/codec.h"

#include <xxhash.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace gradeline {
namespace {

static_assert(std::endian::native == std::endian::little, "the bytes are written as they lie in memory");
constexpr uint8_t kVersion = 1;

template <typename T>
constexpr bool kIsNumber = std::is_arithmetic_v<T> || std::is_enum_v<T>;

// Fields(archive, noun) lists a noun's fields once, for writing and reading. A noun is its size in bytes, then its
// fields.
struct Writer {
  std::string bytes;

  template <typename T>
  void operator()(const T& value) {
    if constexpr (kIsNumber<T>) {
      bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
    } else {
      Writer noun;
      Fields(noun, const_cast<T&>(value));
      (*this)(noun.bytes);
    }
  }
  void operator()(const std::string& text) {
    (*this)(static_cast<uint64_t>(text.size()));
    bytes.append(text);
  }
  template <typename T>
  void operator()(const std::vector<T>& list) {
    (*this)(static_cast<uint64_t>(list.size()));
    for (const T& element : list) (*this)(element);
  }
  template <typename K, typename V>
  void operator()(const std::map<K, V>& map) {
    (*this)(static_cast<uint64_t>(map.size()));
    for (const auto& [key, value] : map) {
      (*this)(key);
      (*this)(value);
    }
  }
  template <typename T, size_t n>
  void operator()(const std::array<T, n>& list) {
    for (const T& element : list) (*this)(element);
  }
  template <typename T>
  void operator()(const std::optional<T>& value) {
    (*this)(value.has_value());
    if (value) (*this)(*value);
  }
  void operator()(const ParamValue& value) {
    (*this)(static_cast<uint8_t>(value.index()));
    std::visit([this](const auto& held) { (*this)(held); }, value);
  }
};

struct Reader {
  std::string_view bytes;
  bool good = true;

  template <typename T>
  void operator()(T& value) {
    if constexpr (kIsNumber<T>) {
      if (bytes.size() < sizeof(value)) {
        good = false;
        bytes = {};
        return;
      }
      // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): the size was checked above
      std::memcpy(&value, bytes.data(), sizeof(value));
      bytes.remove_prefix(sizeof(value));
    } else {
      const size_t size = Count();
      Reader noun{bytes.substr(0, size)};
      bytes.remove_prefix(size);
      Fields(noun, value);
      good = good && noun.good && noun.bytes.empty();
    }
  }
  // A count of things of at least one byte each, or 0 and not good.
  size_t Count() {
    uint64_t count = 0;
    (*this)(count);
    if (count > bytes.size()) {
      good = false;
      count = 0;
    }
    return count;
  }
  void operator()(std::string& text) {
    const size_t count = Count();
    text.assign(bytes.substr(0, count));
    bytes.remove_prefix(count);
  }
  template <typename T>
  void operator()(std::vector<T>& list) {
    list.clear();
    for (size_t left = Count(); left > 0 && good; --left) (*this)(list.emplace_back());
  }
  template <typename K, typename V>
  void operator()(std::map<K, V>& map) {
    map.clear();
    for (size_t left = Count(); left > 0 && good; --left) {
      K key{};
      (*this)(key);
      (*this)(map[key]);
    }
  }
  template <typename T, size_t n>
  void operator()(std::array<T, n>& list) {
    for (T& element : list) (*this)(element);
  }
  template <typename T>
  void operator()(std::optional<T>& value) {
    bool has = false;
    (*this)(has);
    value.reset();
    if (has && good) (*this)(value.emplace());
  }
  template <typename T>
  void Hold(ParamValue& value) {
    T held{};
    (*this)(held);
    value = std::move(held);
  }
  void operator()(ParamValue& value) {
    uint8_t index = 0;
    (*this)(index);
    switch (index) {
      case 0:
        return Hold<double>(value);
      case 1:
        return Hold<bool>(value);
      case 2:
        return Hold<std::string>(value);
      case 3:
        return Hold<std::vector<double>>(value);
      default:
        good = false;
    }
  }
};

template <typename Archive, typename... T>
void Each(Archive& archive, T&... fields) {
  if constexpr (std::is_same_v<Archive, Reader>) {
    ((archive.bytes.empty() ? void() : archive(fields)), ...);  // what older bytes end before keeps its default
  } else {
    (archive(fields), ...);
  }
}

template <typename A>
void Fields(A& a, ClassCount& v) {
  Each(a, v.items, v.annotations);
}
template <typename A>
void Fields(A& a, SubsetCount& v) {
  Each(a, v.subset, v.items);
}
template <typename A>
void Fields(A& a, Dataset& v) {
  Each(a, v.id, v.source, v.classes, v.item_count, v.create_ms, v.multi_label, v.fingerprint, v.class_counts,
       v.subset_counts);
}
template <typename A>
void Fields(A& a, DatasetShare& v) {
  Each(a, v.dataset, v.part, v.percent);
}
template <typename A>
void Fields(A& a, ClassBalance& v) {
  Each(a, v.name, v.count);
}
template <typename A>
void Fields(A& a, SplitWarning& v) {
  Each(a, v.reason, v.text);
}
template <typename A>
void Fields(A& a, Split& v) {
  // Before there were several datasets, the first field but one was the only one.
  std::string dataset = v.datasets.size() == 1 ? v.datasets[0] : "";
  Each(a, v.id, dataset, v.task, v.strategy, v.percent, v.seed, v.count, v.create_ms, v.datasets, v.classes, v.tags,
       v.subsets, v.shares, v.delete_ms, v.fingerprint, v.class_balance, v.warnings, v.class_names);
  if (v.datasets.empty() && !dataset.empty()) v.datasets = {dataset};
}
template <typename A>
void Fields(A& a, HeadLoss& v) {
  Each(a, v.head, v.loss, v.params, v.weight, v.reduction);
}
template <typename A>
void Fields(A& a, EarlyStopping& v) {
  Each(a, v.monitor, v.mode, v.patience, v.min_delta);
}
template <typename A>
void Fields(A& a, ChosenAugmentation& v) {
  Each(a, v.augmentation, v.params);
}
template <typename A>
void Fields(A& a, Training& v) {
  Each(a, v.epochs, v.batch_size, v.learning_rate, v.seed, v.world_size, v.rank_mean, v.validation_ranks, v.test_ranks,
       v.early_stopping, v.non_finite, v.solver, v.solver_params, v.scheduler, v.scheduler_params, v.augmentations,
       v.workers, v.iterations);
}
template <typename A>
void Fields(A& a, ResolvedTerm& v) {
  Each(a, v.loss, v.plugin_digest, v.loss_version, v.weight);
}
template <typename A>
void Fields(A& a, ResolvedHead& v) {
  Each(a, v.head, v.signal, v.loss, v.plugin_digest, v.loss_version, v.merge, v.params, v.weight, v.reduction, v.inputs,
       v.components, v.component_weights, v.phases, v.classes, v.terms, v.component_merge);
}
template <typename A>
void Fields(A& a, Experiment& v) {
  Each(a, v.id, v.split, v.architecture, v.task, v.architecture_params, v.losses, v.metrics, v.training, v.state,
       v.reason, v.state_ms, v.create_ms, v.attempt, v.revision, v.etag, v.heads, v.catalog_digest, v.numerics,
       v.labels, v.notes, v.delete_ms, v.asked_training, v.metric_bytes);
}
template <typename A>
void Fields(A& a, ComponentTotal& v) {
  Each(a, v.head, v.component, v.numerator, v.denominator, v.value, v.weight, v.batch_mean);
}
template <typename A>
void Fields(A& a, NamedNumber& v) {
  Each(a, v.name, v.value);
}
template <typename A>
void Fields(A& a, ClassNumber& v) {
  Each(a, v.index, v.value, v.count);
}
template <typename A>
void Fields(A& a, Curve& v) {
  Each(a, v.index, v.x_name, v.y_name, v.x, v.y);
}
template <typename A>
void Fields(A& a, Matrix& v) {
  Each(a, v.rows, v.columns, v.cells);
}
template <typename A>
void Fields(A& a, MetricValue& v) {
  MetricResult& r = v.result;
  Each(a, v.head, v.metric, r.value, r.count, r.error, r.numbers, r.classes, r.curves, r.matrix, r.note);
}
template <typename A>
void Fields(A& a, Refusal& v) {
  Each(a, v.reason, v.component, v.item);
}
template <typename A>
void Fields(A& a, RefusedBatch& v) {
  Each(a, v.rank, v.step, v.head, v.part, v.code, v.refusal);
}
template <typename A>
void Fields(A& a, PlateauState& v) {
  Each(a, v.best, v.bad_epochs, v.cooldown);
}
// The learning rate was always there once: NaN stands for one that another seal decides.
template <typename A>
void Fields(A& a, Directive& v) {
  double rate = v.learning_rate.value_or(std::numeric_limits<double>::quiet_NaN());
  Each(a, v.stop, rate, v.best_epoch, v.best_value, v.stale_epochs, v.momentum, v.plateau);
  if constexpr (std::is_same_v<A, Reader>) {
    v.learning_rate = std::isnan(rate) ? std::nullopt : std::optional<double>(rate);
  }
}
template <typename A>
void Fields(A& a, Seal& v) {
  Each(a, v.attempt, v.phase, v.epoch, v.complete, v.missing_ranks, v.loss, v.average, v.components, v.metrics,
       v.batches, v.items, v.refused, v.revision, v.seal_ms, v.directive, v.first_refused);
}
template <typename A>
void Fields(A& a, Experiments::Started& v) {
  Each(a, v.experiment, v.token);
}

template <typename T>
std::string Write(const T& value) {
  Writer writer;
  writer(kVersion);
  writer(value);
  return std::move(writer.bytes);
}

Digest ToDigest(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  Digest digest;
  std::memcpy(digest.data(), canonical.digest, digest.size());
  return digest;
}

}  // namespace

std::string Encode(const Dataset& dataset) { return Write(dataset); }
std::string Encode(const Split& split) { return Write(split); }
std::string Encode(const Experiment& experiment) { return Write(experiment); }
std::string Encode(const Seal& seal) { return Write(seal); }
std::string Encode(const Refusal& refusal) { return Write(refusal); }
std::string Encode(const Experiments::Started& started) { return Write(started); }

template <typename T>
absl::StatusOr<T> Decode(std::string_view bytes) {
  Reader reader{bytes};
  uint8_t version = 0;
  T value{};
  reader(version);
  if (version == kVersion) reader(value);
  if (!reader.good || version != kVersion || !reader.bytes.empty()) {
    return absl::InternalError(absl::StrCat("stored bytes cannot be read: ", bytes.size(), " bytes of version ",
                                            version, ", the version known is ", kVersion));
  }
  return value;
}

template absl::StatusOr<Dataset> Decode(std::string_view);
template absl::StatusOr<Split> Decode(std::string_view);
template absl::StatusOr<Experiment> Decode(std::string_view);
template absl::StatusOr<Seal> Decode(std::string_view);
template absl::StatusOr<Refusal> Decode(std::string_view);
template absl::StatusOr<Experiments::Started> Decode(std::string_view);

Digest DigestOf(std::string_view method, std::string_view bytes) {
  return ToDigest(XXH3_128bits_withSeed(bytes.data(), bytes.size(), XXH3_64bits(method.data(), method.size())));
}

Digest DigestOf(const Digest& before, std::string_view bytes) {
  uint64_t seed = 0;
  std::memcpy(&seed, before.data(), sizeof(seed));
  return ToDigest(XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed));
}

}  // namespace gradeline
