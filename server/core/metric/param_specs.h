// How metrics declare their parameters.
#ifndef GRADELINE_SERVER_CORE_METRIC_PARAM_SPECS_H_
#define GRADELINE_SERVER_CORE_METRIC_PARAM_SPECS_H_

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "server/core/loss/params.h"

namespace gradeline {

/// A number in [min, max].
inline ParamSpec NumberParam(std::string name, std::string doc, double fallback, double min, double max) {
  ParamSpec spec;
  spec.name = std::move(name);
  spec.doc = std::move(doc);
  spec.kind = GDL_NUMBER;
  spec.fallback = fallback;
  spec.min = min;
  spec.max = max;
  return spec;
}

/// A whole number from min to max.
inline ParamSpec IntegerParam(std::string name, std::string doc, double fallback, double min, double max) {
  ParamSpec spec = NumberParam(std::move(name), std::move(doc), fallback, min, max);
  spec.kind = GDL_INTEGER;
  return spec;
}

/// One of `choices`, the first unless another is asked for.
inline ParamSpec ChoiceParam(std::string name, std::string doc, std::vector<std::string> choices) {
  ParamSpec spec;
  spec.name = std::move(name);
  spec.doc = std::move(doc);
  spec.kind = GDL_CHOICE;
  spec.choices = std::move(choices);
  spec.fallback = 0;
  return spec;
}

/// The value of a parameter that has a default: a number, or the word of a choice.
inline double NumberOf(const ParamMap& params, const std::string& name) { return std::get<double>(params.at(name)); }
inline const std::string& WordOf(const ParamMap& params, const std::string& name) {
  return std::get<std::string>(params.at(name));
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_PARAM_SPECS_H_
