#include "server/wire/tensor.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

std::vector<std::string> InputNames(const LossInfo& loss) {
  std::vector<std::string> names;
  for (const TensorSpec& spec : loss.tensors) {
    if (std::find(names.begin(), names.end(), spec.name) == names.end()) names.push_back(spec.name);
  }
  return names;
}

// The spec a tensor is for. Where hard and soft inputs share a name, integers go to the label and reals to the other; a
// name that stands alone takes any type, and binding says what is wrong with it.
std::optional<size_t> SpecOf(const LossInfo& loss, const std::string& name, DType dtype) {
  std::optional<size_t> found;
  for (size_t i = 0; i < loss.tensors.size(); ++i) {
    if (loss.tensors[i].name != name) continue;
    if (!found || loss.tensors[i].label() != IsReal(dtype)) found = i;
  }
  return found;
}

}  // namespace

absl::StatusOr<std::vector<std::optional<TensorView>>> InputsFromProto(
    const google::protobuf::RepeatedPtrField<v1::Tensor>& tensors, const LossInfo& loss) {
  Violations violations;
  std::vector<std::optional<TensorView>> views(loss.tensors.size());
  std::vector<std::string> seen;
  for (int i = 0; i < tensors.size(); ++i) {
    const v1::Tensor& tensor = tensors[i];
    const std::vector<std::string> names = InputNames(loss);
    if (std::find(names.begin(), names.end(), tensor.name()) == names.end()) {
      violations.Add(
          absl::StrCat("inputs[", i, "].name"),
          absl::StrCat("\"", tensor.name(), "\" is no input of ", loss.id, "; allowed: ", absl::StrJoin(names, ", ")));
      continue;
    }
    if (std::find(seen.begin(), seen.end(), tensor.name()) != seen.end()) {
      violations.Add(absl::StrCat("inputs[", i, "].name"), absl::StrCat("\"", tensor.name(), "\" comes twice"));
      continue;
    }
    seen.push_back(tensor.name());
    const std::string field = absl::StrCat("inputs.", tensor.name());
    if (tensor.data_type() < v1::DATA_TYPE_F32 || tensor.data_type() > v1::DATA_TYPE_I64) {
      violations.Add(absl::StrCat(field, ".dataType"),
                     absl::StrCat(static_cast<int>(tensor.data_type()), " is no data type; allowed: ",
                                  "DATA_TYPE_F32, F64, F16, BF16, U8, I32, I64 (1 to 7)"));
      continue;
    }
    const auto dtype = static_cast<DType>(tensor.data_type());
    const absl::Span<const int64_t> shape(tensor.shape().data(), static_cast<size_t>(tensor.shape_size()));
    if (const absl::Status status = CheckTensor(field, dtype, shape, tensor.data().size()); !status.ok()) {
      violations.Merge("", status);
      continue;
    }
    views[*SpecOf(loss, tensor.name(), dtype)] = TensorView{dtype, shape, tensor.data().data()};
  }
  if (!violations.empty()) return violations.ToStatus();
  return views;
}

}  // namespace gradeline
