// Reads a loss's golden.txt and compares the loss with it on the small host of the conformance suite. For tests only.
#ifndef GRADELINE_PLUGINS_LOSSES_GOLDEN_GOLDEN_H_
#define GRADELINE_PLUGINS_LOSSES_GOLDEN_GOLDEN_H_

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "plugins/sdk/conformance.h"
#include "plugins/sdk/reference.h"

namespace gradeline::conformance {

struct GoldenArray {
  bool label = false;
  std::vector<int64_t> shape;
  std::vector<double> values;
};

struct GoldenComponent {
  std::string name;
  double numerator = 0, denominator = 0, weight = 1;
};

struct GoldenCase {
  std::string name;
  ParamValues params;
  std::map<std::string, GoldenArray> inputs, gradients;
  std::vector<GoldenComponent> components;
  double loss = 0;
  GoldenArray items;
};

struct GoldenFile {
  std::string peer;  ///< what computed the values
  std::vector<GoldenCase> cases;
};

inline GoldenArray ReadArray(std::istream& line) {
  GoldenArray array;
  std::string shape, colon;
  line >> shape >> colon;
  std::istringstream sizes(shape);
  for (std::string size; std::getline(sizes, size, 'x');) array.shape.push_back(std::stoll(size));
  for (std::string value; line >> value;) array.values.push_back(std::stod(value));
  return array;
}

inline const GdlParamSpec* FindParam(const GdlLoss& loss, const std::string& name) {
  for (size_t p = 0; loss.params != nullptr && loss.params[p] != nullptr; ++p) {
    if (name == loss.params[p]->name) return loss.params[p];
  }
  return nullptr;
}

/// A number, true, false, or one of the parameter's choices.
inline double ReadValue(const GdlLoss& loss, const std::string& param, const std::string& text) {
  if (text == "true" || text == "false") return text == "true" ? 1 : 0;
  const GdlParamSpec* spec = FindParam(loss, param);
  for (size_t i = 0; spec != nullptr && spec->choices != nullptr && spec->choices[i] != nullptr; ++i) {
    if (text == spec->choices[i]) return static_cast<double>(i);
  }
  return std::stod(text);
}

inline GoldenFile ReadGolden(const GdlLoss& loss, const std::string& path) {
  GoldenFile golden;
  std::ifstream file(path);
  for (std::string text; std::getline(file, text);) {
    std::istringstream line(text);
    std::string word, name;
    line >> word;
    if (word == "#") continue;
    if (word == "peer") {
      std::getline(line >> std::ws, golden.peer);
    } else if (word == "case") {
      line >> golden.cases.emplace_back().name;
    } else if (word == "param") {
      line >> name;
      for (std::string value; line >> value;) {
        golden.cases.back().params[name].push_back(ReadValue(loss, name, value));
      }
    } else if (word == "input") {
      std::string kind;
      line >> name >> kind;
      golden.cases.back().inputs[name] = ReadArray(line);
      golden.cases.back().inputs[name].label = kind == "label";
    } else if (word == "component") {
      GoldenComponent& component = golden.cases.back().components.emplace_back();
      line >> component.name >> component.numerator >> component.denominator >> component.weight;
    } else if (word == "loss") {
      line >> golden.cases.back().loss;
    } else if (word == "items") {
      golden.cases.back().items = ReadArray(line);
    } else if (word == "gradient") {
      line >> name;
      golden.cases.back().gradients[name] = ReadArray(line);
    } else {
      ADD_FAILURE() << path << ": " << word << " is not a word of golden.txt";
    }
  }
  return golden;
}

/// Adds the sizes of the axes that `dims` names, from the shape of a tensor; * gets the product of the rest.
inline void AddAxes(const std::string& dims, const std::vector<int64_t>& shape, Axes& axes) {
  size_t next = 0;
  std::istringstream words(dims);
  for (std::string word; words >> word;) {
    const std::string name = word.back() == '?' ? word.substr(0, word.size() - 1) : word;
    int64_t size = 1;
    if (name == "*") {
      while (next < shape.size()) size *= shape[next++];
    } else if (next < shape.size()) {
      size = shape[next++];
    }
    axes.emplace(name, size);
  }
}

/// What a label of this tensor must be to be ignored; NaN: none is.
inline double IgnoredLabel(const GdlLoss& loss, const GdlTensorSpec& spec, const ParamValues& params) {
  const double never = std::numeric_limits<double>::quiet_NaN();
  if (spec.ignore_param == nullptr) return never;
  const auto given = params.find(spec.ignore_param);
  if (given != params.end()) return given->second.empty() ? never : given->second[0];
  const GdlParamSpec* param = FindParam(loss, spec.ignore_param);
  return param == nullptr ? never : param->fallback;
}

/// Runs a loss on arrays by name; ignored labels arrive as -1, as a host passes them on.
inline RunResult RunArrays(const GdlLoss& loss, const ParamValues& params,
                           const std::map<std::string, GoldenArray>& inputs, const RunOptions& options = {}) {
  std::vector<bool> present;
  Axes axes;
  for (size_t t = 0; loss.tensors[t] != nullptr; ++t) {
    const auto found = inputs.find(loss.tensors[t]->name);
    present.push_back(found != inputs.end() && found->second.label == (loss.tensors[t]->kind == GDL_LABEL));
    if (present[t]) AddAxes(loss.tensors[t]->dims, found->second.shape, axes);
  }
  Batch batch = BindBatch(loss, axes, present);
  for (size_t t = 0; loss.tensors[t] != nullptr; ++t) {
    if (!present[t]) continue;
    const std::vector<double>& values = inputs.at(loss.tensors[t]->name).values;
    EXPECT_EQ(values.size(), batch.tensors[t].label ? batch.tensors[t].labels.size() : batch.tensors[t].real.size());
    if (!batch.tensors[t].label) batch.tensors[t].real = values;
    const double ignored = IgnoredLabel(loss, *loss.tensors[t], params);
    for (size_t i = 0; batch.tensors[t].label && i < values.size(); ++i) {
      batch.tensors[t].labels[i] = values[i] == ignored ? -1 : static_cast<int32_t>(values[i]);
    }
  }
  const State state(loss, params);
  EXPECT_EQ(state.status(), 0) << state.refusal();
  RunResult result = RunBatch(loss, state, batch, options);
  EXPECT_EQ(result.status, 0) << result.refusal;
  EXPECT_EQ(result.fault_kind, 0u) << "fault at item " << result.fault_item;
  for (const std::string& problem : result.broken) ADD_FAILURE() << problem;
  return result;
}

/// One case in one type: 1e-12 of the largest in double, 1e-6 in float.
inline void CheckGoldenCase(const GdlLoss& loss, const GoldenCase& golden, uint32_t dtype, WorstError& error) {
  RunOptions options;
  options.dtype = dtype;
  for (const GoldenComponent& component : golden.components) {
    options.scale.push_back(component.weight / component.denominator);
  }
  const RunResult got = RunArrays(loss, golden.params, golden.inputs, options);
  const Precision precision(dtype);
  const auto expect = [&](const std::string& what, const std::vector<double>& want, const std::vector<double>& have,
                          long double& worst) {
    const long double off = RelativeError({want.begin(), want.end()}, have, precision);
    EXPECT_LE(off, precision.allowed) << golden.name << ", " << what << ", " << 8 * dtype << " bits";
    worst = std::max(worst, off);
  };
  ASSERT_EQ(got.numerator.size(), golden.components.size()) << golden.name;
  double total = 0;
  for (size_t k = 0; k < golden.components.size(); ++k) {
    const GoldenComponent& component = golden.components[k];
    EXPECT_EQ(component.name, loss.components[k]->name) << golden.name;
    expect("numerator", {component.numerator}, {got.numerator[k]}, error.value);
    expect("denominator", {component.denominator}, {got.denominator[k]}, error.value);
    total += component.weight * (got.numerator[k] / got.denominator[k]);
  }
  expect("loss", {golden.loss}, {total}, error.value);
  if (!golden.items.values.empty()) expect("items", golden.items.values, got.item_loss, error.value);
  for (size_t t = 0; loss.tensors[t] != nullptr; ++t) {
    const auto gradient = golden.gradients.find(loss.tensors[t]->name);
    if (gradient == golden.gradients.end() || (loss.tensors[t]->flags & GDL_GRADIENT) == 0) continue;
    expect("gradient", gradient->second.values, got.gradient[t], error.gradient);
  }
}

/// Every golden case of the loss, in f64 and f32. Returns how many there were.
inline size_t CheckGolden(const GdlLoss& loss) {
  const GoldenFile golden = ReadGolden(loss, std::string(GRADELINE_PLUGINS_DIR "/losses/") + loss.id + "/golden.txt");
  for (uint32_t dtype : {4u, 8u}) {
    WorstError error;
    for (const GoldenCase& one : golden.cases) CheckGoldenCase(loss, one, dtype, error);
    RecordErrors(loss, golden.peer, dtype, golden.cases.size(), error);
  }
  return golden.cases.size();
}

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_LOSSES_GOLDEN_GOLDEN_H_
