// eval loss: loss and gradient of one batch from .npy files, without an experiment.
#include <map>
#include <memory>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/fill.h"
#include "client/cli/narrow.h"
#include "client/cli/npy.h"
#include "client/cli/output.h"

namespace gradeline::cli {
namespace {

struct EvalArguments {
  std::string loss, reduction, items_file;
  std::vector<std::string> params, inputs, casts, gradients, normalisers;
  std::optional<double> gradient_scale;
};

absl::Status AddInputs(const EvalArguments& arguments, v1::EvaluateLossRequest* request) {
  const auto inputs = Assignments("--input", "NAME=FILE.npy", arguments.inputs);
  if (!inputs.ok()) return inputs.status();
  auto casts = Assignments("--cast", "NAME=f16|bf16", arguments.casts);
  if (!casts.ok()) return casts.status();
  for (const auto& [name, path] : *inputs) {
    absl::StatusOr<v1::Tensor> tensor = ReadNpyFile(path);
    if (!tensor.ok())
      return absl::InvalidArgumentError(absl::StrCat("--input ", name, ": ", tensor.status().message()));
    tensor->set_name(name);
    if (const auto cast = casts->find(name); cast != casts->end()) {
      if (cast->second != "f16" && cast->second != "bf16") {
        return absl::InvalidArgumentError(
            absl::StrCat("--cast ", name, " is \"", cast->second, "\", allowed are f16 and bf16"));
      }
      const v1::DataType type = cast->second == "f16" ? v1::DATA_TYPE_F16 : v1::DATA_TYPE_BF16;
      if (absl::Status status = CastTensor(type, &*tensor); !status.ok()) {
        return absl::InvalidArgumentError(absl::StrCat("--cast ", name, " ", status.message()));
      }
      casts->erase(cast);
    }
    *request->add_inputs() = *std::move(tensor);
  }
  if (!casts->empty()) {
    return UsageError(absl::StrCat("--cast ", casts->begin()->first, ": there is no --input of that name"));
  }
  return absl::OkStatus();
}

absl::Status BuildRequest(const EvalArguments& arguments, v1::EvaluateLossRequest* request) {
  request->set_loss(arguments.loss);
  const auto params = Assignments("--param", "KEY=VALUE", arguments.params);
  if (!params.ok()) return params.status();
  for (const auto& [key, value] : *params) {
    if (absl::Status status = SetLossParameter(key, value, request); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--param ", status.message()));
    }
  }
  if (!arguments.reduction.empty()) {
    if (params->count("reduction") > 0) return UsageError("--reduction and --param reduction are the same: give one");
    if (absl::Status status = SetByPath("reduction", arguments.reduction, request); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--", status.message()));
    }
  }
  for (const std::string& list : arguments.normalisers) {
    for (const auto text : absl::StrSplit(list, ',')) {
      double normaliser = 0;
      if (!absl::SimpleAtod(text, &normaliser)) {
        return absl::InvalidArgumentError(absl::StrCat("--normaliser is \"", text, "\", must be a number"));
      }
      request->add_normalisers(normaliser);
    }
  }
  if (arguments.gradient_scale) request->set_gradient_scale(*arguments.gradient_scale);
  request->set_gradient(!arguments.gradients.empty());
  request->set_item_losses(!arguments.items_file.empty());
  return AddInputs(arguments, request);
}

absl::Status WriteGradients(const std::map<std::string, std::string>& files, const v1::EvaluateLossResponse& response) {
  for (const auto& [name, path] : files) {
    const v1::Tensor* found = nullptr;
    for (const v1::Tensor& gradient : response.gradients()) {
      if (gradient.name() == name) found = &gradient;
    }
    if (found == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--gradient ", name, ": the loss has no gradient of that input; it has those of ",
          absl::StrJoin(response.gradients(), ", ",
                        [](std::string* out, const v1::Tensor& tensor) { absl::StrAppend(out, tensor.name()); })));
    }
    if (absl::Status status = WriteNpyFile(path, *found); !status.ok()) return status;
  }
  return absl::OkStatus();
}

void Print(Context& context, const v1::LossValue& value, const std::string& loss) {
  if (context.form == OutputForm::kName) {
    context.out << loss << '\n';
    return;
  }
  if (context.form != OutputForm::kTable) {
    PrintOne(value, {}, context.form, false, context.out);
    return;
  }
  context.out << "loss         " << ShortNumber(value.loss()) << (value.empty() ? "  (nothing was valid)" : "")
              << "\naverage      " << ShortNumber(value.average()) << "\nvalid items  " << value.valid_count()
              << "\n\n";
  std::vector<std::vector<std::string>> rows;
  const std::map<std::string, v1::ComponentValue> sorted(value.components().begin(), value.components().end());
  for (const auto& [id, component] : sorted) {
    rows.push_back({id, ShortNumber(component.loss()), ShortNumber(component.weight()),
                    ShortNumber(component.numerator()), ShortNumber(component.denominator())});
  }
  PrintTable({"COMPONENT", "LOSS", "WEIGHT", "NUMERATOR", "DENOMINATOR"}, rows, context.out);
}

absl::Status Eval(Context& context, const EvalArguments& arguments) {
  v1::EvaluateLossRequest request;
  if (absl::Status status = BuildRequest(arguments, &request); !status.ok()) return status;
  const auto gradient_files = Assignments("--gradient", "NAME=FILE.npy", arguments.gradients);
  if (!gradient_files.ok()) return gradient_files.status();
  v1::EvaluateLossResponse response;
  if (absl::Status status =
          context.Call(&client::Connection::training, &v1::TrainingService::Stub::EvaluateLoss, request, &response);
      !status.ok()) {
    return status;
  }
  if (absl::Status status = WriteGradients(*gradient_files, response); !status.ok()) return status;
  if (!arguments.items_file.empty()) {
    if (absl::Status status = WriteNpyFile(arguments.items_file, response.item_losses()); !status.ok()) return status;
  }
  Print(context, response.value(), arguments.loss);
  return absl::OkStatus();
}

}  // namespace

void AddEval(CLI::App& app, Context& context) {
  CLI::App* loss = VerbOf(app, "eval", "Compute a loss or a metric from files")
                       ->add_subcommand("loss", "Loss and gradient of one batch, without an experiment");
  const auto arguments = std::make_shared<EvalArguments>();
  loss->add_option("ID", arguments->loss, "the loss, or a weighted sum: cross_entropy+dice")->required();
  AddRepeated(*loss, "--input", arguments->inputs, "NAME=FILE.npy: prediction, target, weight")->required();
  AddRepeated(*loss, "--param", arguments->params,
              "KEY=VALUE: numbers, words, lists like class_weights=1,2,0.5; also reduction; of a term of a sum "
              "dice.smooth=1, its factor dice.weight=0.5");
  AddRepeated(*loss, "--cast", arguments->casts, "NAME=f16|bf16: narrow an input before it is sent");
  AddRepeated(*loss, "--gradient", arguments->gradients, "NAME=FILE.npy: write the gradient of an input (bf16 as f4)");
  loss->add_option("--items", arguments->items_file, "write the losses of the items, before any reduction");
  loss->add_option("--reduction", arguments->reduction, "mean, mean_all, sum, given or none; absent: mean");
  AddRepeated(*loss, "--normaliser", arguments->normalisers, "with --reduction given: divide by it, one per component");
  loss->add_option("--gradient-scale", arguments->gradient_scale, "factor of the gradient; absent: 1");
  loss->footer(
      "Example: gradeline eval loss cross_entropy --param label_smoothing=0.1 --input prediction=p.npy \\\n"
      "  --input target=t.npy --gradient prediction=g.npy -o json");
  loss->callback(
      [&context, arguments] { context.action = [&context, arguments] { return Eval(context, *arguments); }; });
}

}  // namespace gradeline::cli
