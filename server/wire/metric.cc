#include "server/wire/metric.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"
#include "server/wire/catalog.h"

namespace gradeline {
v1::Metric ToProto(const Metric& metric, const std::vector<std::string>& tasks) {
  v1::Metric proto;
  proto.set_name(absl::StrCat("metrics/", metric.id));
  proto.set_title(metric.title);
  proto.set_description(metric.doc);
  proto.set_reference(metric.reference);
  proto.mutable_tasks()->Assign(tasks.begin(), tasks.end());
  proto.mutable_signals()->Assign(metric.signals.begin(), metric.signals.end());
  proto.set_maximise(metric.maximise);
  for (const ParamSpec& spec : metric.params) *proto.add_parameters() = ToProto(spec);
  for (const MetricInput& input : InputsOf(metric)) {
    v1::MetricInput* out = proto.add_inputs();
    out->set_id(input.name);
    out->set_description(input.doc);
    out->set_optional(input.optional);
  }
  return proto;
}

v1::MetricValue ToProto(const std::string& head, const std::string& name, const MetricResult& result, bool details) {
  v1::MetricValue proto;
  proto.set_head(head);
  proto.set_metric(name);
  proto.set_value(result.value);
  proto.set_count(result.count);
  proto.set_error(result.error);
  for (const NamedNumber& number : result.numbers) {
    v1::NamedNumber* out = proto.add_numbers();
    out->set_name(number.name);
    out->set_value(number.value);
  }
  for (const ClassNumber& number : result.classes) {
    v1::ClassNumber* out = proto.add_classes();
    out->set_index(number.index);
    out->set_value(number.value);
    out->set_count(number.count);
  }
  proto.set_note(result.note);
  if (!details) return proto;
  for (const Curve& curve : result.curves) {
    v1::Curve* out = proto.add_curves();
    out->set_index(curve.index);
    out->set_x_name(curve.x_name);
    out->set_y_name(curve.y_name);
    out->mutable_x()->Assign(curve.x.begin(), curve.x.end());
    out->mutable_y()->Assign(curve.y.begin(), curve.y.end());
  }
  if (result.matrix.cells.empty()) return proto;
  v1::Matrix* matrix = proto.mutable_matrix();
  matrix->set_rows(result.matrix.rows);
  matrix->set_columns(result.matrix.columns);
  matrix->mutable_cells()->Assign(result.matrix.cells.begin(), result.matrix.cells.end());
  return proto;
}

absl::StatusOr<std::vector<NamedTensor>> MetricInputsFromProto(
    const google::protobuf::RepeatedPtrField<v1::Tensor>& tensors, const std::vector<MetricInput>& allowed) {
  std::vector<std::string> names;
  for (const MetricInput& input : allowed) names.push_back(input.name);
  Violations violations;
  std::vector<NamedTensor> inputs;
  std::set<std::string> seen;
  for (int i = 0; i < tensors.size(); ++i) {
    const v1::Tensor& tensor = tensors.Get(i);
    const std::string field = absl::StrCat("inputs[", i, "].name");
    if (std::find(names.begin(), names.end(), tensor.name()) == names.end()) {
      violations.Add(field, absl::StrCat("\"", tensor.name(), "\" is no input; allowed: ", absl::StrJoin(names, ", ")));
      continue;
    }
    if (!seen.insert(tensor.name()).second) {
      violations.Add(field, absl::StrCat("\"", tensor.name(), "\" is given twice"));
      continue;
    }
    const auto dtype = static_cast<DType>(tensor.data_type());
    const absl::Span<const int64_t> shape(tensor.shape().data(), static_cast<size_t>(tensor.shape_size()));
    violations.Merge("", CheckTensor(absl::StrCat("inputs.", tensor.name()), dtype, shape, tensor.data().size()));
    inputs.push_back({tensor.name(), {dtype, shape, tensor.data().data()}});
  }
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  return inputs;
}

}  // namespace gradeline
