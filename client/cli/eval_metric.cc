// eval metric: a metric of .npy files or of COCO's result files, without an experiment.
#include <map>
#include <memory>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/coco_tensors.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/fill.h"
#include "client/cli/metric_text.h"
#include "client/cli/npy.h"
#include "client/cli/output.h"

namespace gradeline::cli {
namespace {

struct MetricArguments {
  std::string metric, signal;
  std::vector<std::string> params, inputs;
  std::optional<int64_t> ignore_index;
};

bool IsCoco(const std::string& path) { return absl::EndsWith(path, ".json") || absl::EndsWith(path, ".json.gz"); }

// Tensors of .npy files, each by its name; of COCO files, `target` and `prediction`, several.
absl::Status AddInputs(const std::map<std::string, std::string>& files, v1::EvaluateMetricRequest* request,
                       std::vector<std::string>* classes) {
  CocoFiles coco;
  for (const auto& [name, path] : files) {
    if (IsCoco(path)) {
      if (name != "target" && name != "prediction") {
        return absl::InvalidArgumentError(absl::StrCat(
            "--input ", name, " is a COCO file; allowed are prediction=RESULTS.json and target=FILE.json"));
      }
      (name == "target" ? coco.target : coco.prediction) = path;
      continue;
    }
    absl::StatusOr<v1::Tensor> tensor = ReadNpyFile(path);
    if (!tensor.ok())
      return absl::InvalidArgumentError(absl::StrCat("--input ", name, ": ", tensor.status().message()));
    tensor->set_name(name);
    *request->add_inputs() = *std::move(tensor);
  }
  if (coco.target.empty() && coco.prediction.empty()) return absl::OkStatus();
  absl::StatusOr<CocoTensors> read = ReadCocoTensors(coco, request->signal() == "instances");
  if (!read.ok()) return read.status();
  for (v1::Tensor& tensor : read->tensors) *request->add_inputs() = std::move(tensor);
  *classes = std::move(read->classes);
  if (request->signal() == "instances") return absl::OkStatus();
  auto& params = *request->mutable_params()->mutable_fields();
  if (params.contains("box_format") || absl::StrContains(request->metric(), "box_format")) {
    return UsageError("box_format is not taken with COCO files: their boxes are x, y, width, height");
  }
  params["box_format"].set_string_value("xywh");
  return absl::OkStatus();
}

absl::Status Eval(Context& context, const MetricArguments& arguments) {
  v1::EvaluateMetricRequest request;
  request.set_metric(arguments.metric);
  request.set_signal(arguments.signal);
  if (arguments.ignore_index) request.set_ignore_index(*arguments.ignore_index);
  const auto params = Assignments("--param", "KEY=VALUE", arguments.params);
  if (!params.ok()) return params.status();
  for (const auto& [key, value] : *params) (*request.mutable_params()->mutable_fields())[key] = ParseValue(value);
  const auto inputs = Assignments("--input", "NAME=FILE", arguments.inputs);
  if (!inputs.ok()) return inputs.status();
  std::vector<std::string> classes;
  if (absl::Status status = AddInputs(*inputs, &request, &classes); !status.ok()) return status;
  v1::EvaluateMetricResponse response;
  if (absl::Status status =
          context.Call(&client::Connection::training, &v1::TrainingService::Stub::EvaluateMetric, request, &response);
      !status.ok()) {
    return status;
  }
  if (context.form == OutputForm::kTable) {
    PrintMetric(response.value(), classes, context.out);
  } else if (context.form == OutputForm::kName) {
    context.out << response.value().metric() << '\n';
  } else {
    PrintOne(response.value(), {}, context.form, false, context.out);
  }
  return absl::OkStatus();
}

}  // namespace

void AddEvalMetric(CLI::App& app, Context& context) {
  CLI::App* metric = VerbOf(app, "eval", "Compute a loss or a metric from files")
                         ->add_subcommand("metric", "A metric of files, without an experiment");
  const auto arguments = std::make_shared<MetricArguments>();
  metric->add_option("ID", arguments->metric, "the metric, ID or ID(KEY=VALUE,KEY=VALUE)")->required();
  AddRepeated(*metric, "--input", arguments->inputs,
              "NAME=FILE.npy for each input; of COCO files prediction=RESULTS.json and target=ANNOTATIONS.json, plain "
              "or .json.gz")
      ->required();
  AddRepeated(*metric, "--param", arguments->params, "KEY=VALUE: numbers and words");
  metric->add_option("--signal", arguments->signal,
                     absl::StrCat("what the inputs are: ", absl::StrJoin(kMetricSignals, ", "),
                                  "; absent: what fits them; COCO files are detections unless it says instances"));
  metric->add_option("--ignore-index", arguments->ignore_index, "the label that does not count; absent: -100");
  metric->footer(
      "Example: gradeline eval metric mean_iou --input prediction=p.npy --input target=t.npy --ignore-index 255\n"
      "         gradeline eval metric coco_average_precision --input prediction=results.json \\\n"
      "           --input target=instances_val.json");
  metric->callback(
      [&context, arguments] { context.action = [&context, arguments] { return Eval(context, *arguments); }; });
}

}  // namespace gradeline::cli
