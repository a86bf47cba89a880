// For this room's tests: losses by id, tensors with memory of their own, and results as plain numbers.
#ifndef GRADELINE_SERVER_CORE_ENGINE_TEST_BATCH_H_
#define GRADELINE_SERVER_CORE_ENGINE_TEST_BATCH_H_

#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "plugins/losses/builtin.h"
#include "server/core/engine/engine.h"
#include "server/core/loss/registry.h"
#include "server/core/tensor/convert.h"

namespace gradeline {

/// A tensor that owns its memory. Numbers are rounded to `dtype`.
struct TestTensor {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;

  TestTensor(DType type, std::vector<int64_t> sizes, const std::vector<double>& values)
      : dtype(type), shape(std::move(sizes)), bytes(values.size() * SizeOf(type)) {
    for (size_t i = 0; i < values.size(); ++i) Set(i, values[i]);
  }
  TensorView view() const { return {dtype, shape, bytes.data()}; }
  size_t elements() const { return bytes.size() / SizeOf(dtype); }

  void Set(size_t i, double value) {
    const auto store = [&](auto stored) { std::memcpy(bytes.data() + i * sizeof(stored), &stored, sizeof(stored)); };
    switch (dtype) {
      case DType::kF32:
        return store(static_cast<float>(value));
      case DType::kF64:
        return store(value);
      case DType::kF16:
        return store(NarrowToF16(value));
      case DType::kBF16:
        return store(NarrowToBF16(value));
      case DType::kU8:
        return store(static_cast<uint8_t>(value));
      case DType::kI32:
        return store(static_cast<int32_t>(value));
      case DType::kI64:
        return store(static_cast<int64_t>(value));
    }
  }
};

inline double NumberAt(DType dtype, const std::byte* bytes, size_t i) {
  const auto load = [&](auto value) {
    std::memcpy(&value, bytes + i * sizeof(value), sizeof(value));
    return value;
  };
  if (dtype == DType::kF32) return load(float{});
  if (dtype == DType::kF64) return load(double{});
  return dtype == DType::kF16 ? WidenF16(load(uint16_t{})) : WidenBF16(load(uint16_t{}));
}

inline std::vector<double> Numbers(const GradientResult& gradient) {
  std::vector<double> numbers(gradient.data.size() / SizeOf(gradient.dtype));
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = NumberAt(gradient.dtype, gradient.data.data(), i);
  return numbers;
}

inline std::vector<double> ItemLosses(const LossResult& result) {
  if (!result.item_losses) return {};
  std::vector<double> losses(result.item_losses->size() / sizeof(double));
  if (!losses.empty()) std::memcpy(losses.data(), result.item_losses->data(), result.item_losses->size());
  return losses;
}

/// Everything of a result that must not depend on threads, bit by bit.
inline std::string Bits(const LossResult& result) {
  std::string bits;
  const auto add = [&](const void* data, size_t size) { bits.append(static_cast<const char*>(data), size); };
  add(&result.loss, sizeof(double));
  add(&result.valid_count, sizeof(int64_t));
  for (const ComponentResult& component : result.components) add(&component, sizeof(component));
  for (const GradientResult& gradient : result.gradients) add(gradient.data.data(), gradient.data.size());
  if (result.item_losses) add(result.item_losses->data(), result.item_losses->size());
  return bits;
}

inline std::vector<double> Randoms(size_t count, uint32_t seed, double low = -3, double high = 3) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  std::vector<double> values(count);
  for (double& value : values) value = uniform(random);
  return values;
}

inline std::vector<double> RandomLabels(size_t count, uint32_t seed, int classes) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> uniform(0, classes - 1);
  std::vector<double> values(count);
  for (double& value : values) value = uniform(random);
  return values;
}

/// A registry of the built-in losses, and of `extra` tables.
inline std::shared_ptr<const LossRegistry> RegistryWith(const std::vector<const GdlPlugin*>& extra = {}) {
  std::vector<const GdlPlugin*> plugins(extra);
  for (const GdlPlugin* const* plugin = BuiltinLossPlugins(); *plugin != nullptr; ++plugin) plugins.push_back(*plugin);
  LossRegistry::Builder builder;
  for (const GdlPlugin* plugin : plugins) {
    auto losses = CheckPluginTables(*plugin, PluginInfo{});
    EXPECT_TRUE(losses.ok()) << losses.status();
    EXPECT_TRUE(builder.Add(*std::move(losses)).ok());
  }
  return std::move(builder).Build(std::make_shared<Catalog>(*Catalog::Make({}, {}, "")));
}

inline LossHandle Handle(const LossRegistry& registry, const std::string& id, const ParamMap& params = {}) {
  auto handle = registry.ResolveAlone(id, params);
  EXPECT_TRUE(handle.ok()) << handle.status();
  return *std::move(handle);
}

/// A call with inputs by name; of two specs of one name the one that fits the type.
inline LossCall MakeCall(const LossHandle& loss, const std::map<std::string, const TestTensor*>& inputs) {
  LossCall call;
  call.loss = loss;
  for (const TensorSpec& spec : loss.info().tensors) {
    const auto found = inputs.find(spec.name);
    const bool given = found != inputs.end() && spec.label() != IsReal(found->second->dtype);
    call.inputs.push_back(given ? std::optional(found->second->view()) : std::nullopt);
  }
  return call;
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_ENGINE_TEST_BATCH_H_
