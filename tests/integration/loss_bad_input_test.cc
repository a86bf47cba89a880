// What people send by mistake, for every loss that can be sent it: the field, the value and what is allowed come back.
// The catalog says which losses those are.
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

using absl::StatusCode;
using Names = std::set<std::string>;
using Request = v1::EvaluateLossRequest;

constexpr int64_t kRows = 2, kClasses = 3, kBins = 4, kSide = 2;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();

Refusal Invalid(std::vector<std::string> texts) { return {StatusCode::kInvalidArgument, std::move(texts)}; }

google::protobuf::Value List(const std::vector<double>& numbers) {
  google::protobuf::Value value;
  auto* list = value.mutable_list_value();
  for (const double number : numbers) list->add_values()->set_number_value(number);
  return value;
}
google::protobuf::Value Word(const std::string& word) {
  google::protobuf::Value value;
  value.set_string_value(word);
  return value;
}
google::protobuf::Value Number(double number) {
  google::protobuf::Value value;
  value.set_number_value(number);
  return value;
}

std::string NumberText(double number) { return std::isnan(number) ? "NaN" : absl::StrCat(number); }

/// "N C? *" with its sizes.
std::vector<int64_t> Shape(const std::string& dims, int64_t classes) {
  std::vector<int64_t> shape;
  for (const std::string& axis : std::vector<std::string>(absl::StrSplit(dims, ' '))) {
    if (axis == "*") {
      shape.insert(shape.end(), {kSide, kSide});
    } else if (axis == "N") {
      shape.push_back(kRows);
    } else {
      shape.push_back(axis == "4" ? 4 : axis == "b" ? kBins : classes);
    }
  }
  return shape;
}

/// Values that any loss takes under this name.
v1::Tensor Good(const v1::LossInput& input, int64_t classes) {
  const std::vector<int64_t> shape = Shape(input.dims(), classes);
  size_t count = 1;
  for (const int64_t size : shape) count *= static_cast<size_t>(size);
  if (input.label()) return I64(input.id(), shape, std::vector<int64_t>(count, 0));
  const bool ones = input.id() == "weight" || input.id() == "class_counts";
  std::vector<float> values(count, ones ? 1.0F : 0.5F);
  if (input.dims() == "N 4") values = {0, 0, 1, 1, 0, 0, 1, 1};  // boxes, or the sides of them
  return F32(input.id(), shape, values);
}

/// The input `name` of the request with `value` as its last element, and where that is: "inputs.weight[1, 2]".
std::string Spoil(Request& request, const std::string& name, double value) {
  for (v1::Tensor& tensor : *request.mutable_inputs()) {
    if (tensor.name() != name) continue;
    const auto element = static_cast<float>(value);
    std::string& data = *tensor.mutable_data();
    data.replace(data.size() - sizeof(float), sizeof(float), reinterpret_cast<const char*>(&element), sizeof(float));
    std::vector<int64_t> index(tensor.shape().begin(), tensor.shape().end());
    for (int64_t& size : index) --size;
    return absl::StrCat("inputs.", name, "[", absl::StrJoin(index, ", "), "]");
  }
  ADD_FAILURE() << request.loss() << " has no input " << name;
  return "";
}

class LossBadInput : public ServerTest {
 protected:
  LossBadInput() {
    v1::ListLossesRequest request;
    request.set_task("classification");
    request.set_show_refused(true);
    v1::ListLossesResponse response;
    EXPECT_TRUE(Call(&v1::CatalogService::Stub::ListLosses, catalog_, request, &response).ok());
    for (const v1::LossOffer& offer : response.losses()) losses_[offer.loss().name().substr(7)] = offer.loss();
  }

  /// What the loss takes; `labels`: of a group of inputs of which one comes, the labels or the reals.
  Request Of(const std::string& id, bool labels = true, int64_t classes = kClasses) const {
    Request request;
    request.set_loss(id);
    request.set_gradient(true);
    for (const v1::LossInput& input : losses_.at(id).inputs()) {
      if (input.one_of() != 0 && input.label() != labels) continue;
      *request.add_inputs() = Good(input, classes);
    }
    return request;
  }
  static void Set(Request& request, const std::string& param, const google::protobuf::Value& value) {
    (*request.mutable_params()->mutable_fields())[param] = value;
  }
  Refusal Answer(const Request& request) {
    return Refused<v1::EvaluateLossResponse>(&v1::TrainingService::Stub::EvaluateLoss, training_, request);
  }

  std::map<std::string, v1::Loss> losses_;
};

const Refusal kTaken{StatusCode::kOk, {}};

// Else the refusals below would have other causes.
TEST_F(LossBadInput, EveryLossTakesWhatTheseTestsSpoil) {
  EXPECT_GE(losses_.size(), 30u);
  for (const auto& [id, loss] : losses_) {
    EXPECT_EQ(Answer(Of(id)), kTaken) << id;
    EXPECT_EQ(Answer(Of(id, false)), kTaken) << id;
  }
}

TEST_F(LossBadInput, WeightsOfClassesOfTheWrongLengthNegativeOrNaN) {
  Names seen;
  for (const auto& [id, loss] : losses_) {
    for (const v1::Parameter& parameter : loss.parameters()) {
      if (parameter.kind() != v1::PARAMETER_KIND_VECTOR) continue;
      seen.insert(absl::StrCat(id, " ", parameter.id()));
      const std::string field = absl::StrCat("params.", parameter.id());
      const auto answer = [&, name = parameter.id(), loss_id = id](const std::vector<double>& numbers) {
        Request request = Of(loss_id);
        Set(request, name, List(numbers));
        return Answer(request);
      };
      const std::string one_for_all = parameter.id() == "pos_weight" ? ", and one for all is allowed" : "";
      for (const auto& numbers : {std::vector<double>{1, 2}, {1, 2, 3, 4}}) {
        EXPECT_EQ(answer(numbers),
                  Invalid({absl::StrCat(field, ": has ", numbers.size(), " values; axis ", parameter.axis(),
                                        " of inputs.prediction has 3", one_for_all)}))
            << id;
      }
      EXPECT_EQ(answer({}), Invalid({absl::StrCat(field, ": is []; allowed: a list of finite numbers of at least ",
                                                  parameter.min(), ", or off")}));
      for (const double wrong : {-0.5, kNaN, kInf}) {
        EXPECT_EQ(answer({1, wrong, 1}),
                  Invalid({absl::StrCat(field, ": has ", NumberText(wrong),
                                        " at [1]; allowed: a list of finite numbers of at least ", parameter.min(),
                                        ", or off")}))
            << id;
      }
      EXPECT_EQ(answer({1, 1, 2}), kTaken) << id;
    }
  }
  EXPECT_EQ(
      seen,
      Names({"binary_cross_entropy pos_weight", "class_balanced_cross_entropy samples_per_class",
             "cross_entropy class_weights", "cross_entropy_iou_2d class_weights", "dice class_weights",
             "dice/multilabel class_weights", "dice_cross_entropy class_weights", "focal class_weights",
             "focal/binary class_weights", "focal_tversky class_weights", "focal_tversky/multilabel class_weights",
             "jaccard class_weights", "jaccard/multilabel class_weights", "ohem_cross_entropy class_weights",
             "poly1_cross_entropy class_weights", "tversky class_weights", "tversky/multilabel class_weights"}));
}

TEST_F(LossBadInput, OneClassForASoftmax) {
  Names refused;
  for (const auto& [id, loss] : losses_) {
    const Refusal got = Answer(Of(id, true, 1));
    if (got == kTaken) continue;
    refused.insert(id);
    ASSERT_EQ(got.texts.size(), 1u) << id;
    EXPECT_EQ(got.code, StatusCode::kInvalidArgument) << id;
    EXPECT_TRUE(absl::StartsWith(got.texts[0], "inputs.prediction: has 1 class, whose ")) << got.texts[0];
    EXPECT_TRUE(absl::EndsWith(got.texts[0], "; allowed: 2 or more")) << got.texts[0];
  }
  EXPECT_EQ(refused, Names({"boundary", "class_balanced_cross_entropy", "cross_entropy", "cross_entropy_iou_2d", "dice",
                            "dice_cross_entropy", "focal_tversky", "generalized_dice", "jaccard", "kl_divergence",
                            "lovasz_softmax", "ohem_cross_entropy", "poly1_cross_entropy", "seesaw", "tversky"}));

  Request focal = Of("focal", true, 1);
  Set(focal, "activation", Word("softmax"));
  EXPECT_EQ(Answer(focal), Invalid({"inputs.prediction: has 1 class, whose softmax is always 1; allowed: 2 or more"}));
  Request bins = Of("distribution_focal");
  *bins.mutable_inputs(0) = F32("prediction", {kRows, 4, 1}, std::vector<float>(kRows * 4, 0));
  EXPECT_EQ(Answer(bins),
            Invalid({"inputs.prediction: has 1 bin per side, whose probability is always 1; allowed: 2 or more"}));
}

TEST_F(LossBadInput, SoftTargetsOutsideZeroToOne) {
  Names seen;
  for (const auto& [id, loss] : losses_) {
    for (const v1::LossInput& input : loss.inputs()) {
      const bool soft = input.encoding() == "probability" || input.id() == "quality";
      if (!soft || input.label() || input.differentiable()) continue;
      seen.insert(id);
      for (const double wrong : {-0.25, 1.25, kNaN}) {
        Request request = Of(id, false);
        const std::string field = Spoil(request, input.id(), wrong);
        EXPECT_EQ(Answer(request),
                  Invalid({absl::StrCat(field, ": is ", NumberText(wrong), "; allowed are numbers in [0, 1]")}))
            << id;
      }
    }
  }
  EXPECT_EQ(seen, Names({"asymmetric", "binary_cross_entropy", "cross_entropy", "dice/binary", "dice/multilabel",
                         "focal/binary", "focal_tversky/binary", "focal_tversky/multilabel",
                         "generalized_dice/multilabel", "jaccard/binary", "jaccard/multilabel", "kl_divergence",
                         "quality_focal", "tversky/binary", "tversky/multilabel", "varifocal"}));
}

TEST_F(LossBadInput, WeightsOfItemsThatAreNaNOrNegative) {
  Names without;
  for (const auto& [id, loss] : losses_) {
    const auto is_weight = [](const v1::LossInput& input) { return input.id() == "weight"; };
    if (std::none_of(loss.inputs().begin(), loss.inputs().end(), is_weight)) {
      without.insert(id);
      continue;
    }
    for (const bool labels : {true, false}) {
      for (const double wrong : {kNaN, -0.25}) {
        Request request = Of(id, labels);
        const std::string field = Spoil(request, "weight", wrong);
        EXPECT_EQ(
            Answer(request),
            Invalid({absl::StrCat(field, ": is ", NumberText(wrong), "; allowed are finite numbers of at least 0")}))
            << id;
      }
    }
  }
  for (const char* id : {"cross_entropy", "mse", "focal", "iou", "seesaw"}) EXPECT_EQ(without.count(id), 0u) << id;
}

TEST_F(LossBadInput, BoxesWithTheirEndBeforeTheirStart) {
  struct Wrong {
    const char* format;
    std::vector<float> box;
    const char* what;
  };
  const std::vector<Wrong> all = {{"xyxy", {5, 0, 3, 2}, "is [5, 0, 3, 2]: x2 < x1; allowed: x1 <= x2"},
                                  {"xyxy", {0, 2, 3, 1}, "is [0, 2, 3, 1]: y2 < y1; allowed: y1 <= y2"},
                                  {"xywh", {0, 0, -1, 2}, "is [0, 0, -1, 2]: width < 0; allowed: 0 or more"},
                                  {"xywh", {0, 0, 1, -2}, "is [0, 0, 1, -2]: height < 0; allowed: 0 or more"},
                                  {"cxcywh", {0, 0, -1, 2}, "is [0, 0, -1, 2]: width < 0; allowed: 0 or more"},
                                  {"cxcywh", {0, 0, 1, -0.5}, "is [0, 0, 1, -0.5]: height < 0; allowed: 0 or more"}};
  for (const char* type : {"giou", "diou", "ciou", ""}) {
    const std::string id = *type == '\0' ? "iou" : "bounding_box_regression";
    for (const Wrong& wrong : all) {
      for (const int input : {0, 1}) {
        Request request = Of(id);
        if (*type != '\0') Set(request, "type", Word(type));
        Set(request, "format", Word(wrong.format));
        std::vector<float> boxes = {0, 0, 1, 1};
        boxes.insert(boxes.end(), wrong.box.begin(), wrong.box.end());
        const std::string name = input == 0 ? "prediction" : "target";
        *request.mutable_inputs(input) = F32(name, {2, 4}, boxes);
        EXPECT_EQ(Answer(request), Invalid({absl::StrCat("inputs.", name, ": item [1] ", wrong.what)})) << id << type;
      }
    }
  }
}

TEST_F(LossBadInput, ShareOfHardItemsOutsideZeroToOne) {
  for (const double wrong : {0.0, -0.5, 1.5, kNaN}) {
    Request request = Of("ohem_cross_entropy");
    Set(request, "k", Number(wrong));
    EXPECT_EQ(Answer(request),
              Invalid({absl::StrCat("params.k: is ", NumberText(wrong), "; allowed: numbers in (0, 1]")}));
  }
  Request request = Of("ohem_cross_entropy");
  Set(request, "k", Number(1));
  EXPECT_EQ(Answer(request), kTaken);
}

TEST_F(LossBadInput, ClassCountsBelowOne) {
  for (const double wrong : {0.0, -1.0, kNaN}) {
    Request balanced = Of("class_balanced_cross_entropy");
    Set(balanced, "samples_per_class", List({1000, wrong, 10}));
    EXPECT_EQ(Answer(balanced),
              Invalid({absl::StrCat("params.samples_per_class: has ", NumberText(wrong),
                                    " at [1]; allowed: a list of finite numbers of at least 1, or off")}));
    Request seesaw = Of("seesaw");
    const std::string field = Spoil(seesaw, "class_counts", wrong);
    EXPECT_EQ(Answer(seesaw),
              Invalid({absl::StrCat(field, ": is ", NumberText(wrong), "; allowed are finite numbers of at least 1")}));
  }
  Request balanced = Of("class_balanced_cross_entropy");
  Set(balanced, "samples_per_class", List({1000, 10, 2.5}));
  EXPECT_EQ(Answer(balanced),
            Invalid({"params.samples_per_class: has 2.5 at [2]; allowed: whole numbers of 1 or more"}));
}

TEST_F(LossBadInput, NormalisersOfZeroOrBelow) {
  for (const auto& [id, loss] : losses_) {
    for (const double wrong : {0.0, -2.0, kNaN, kInf}) {
      Request request = Of(id);
      request.set_reduction(v1::REDUCTION_GIVEN);
      for (int k = 1; k < loss.components_size(); ++k) request.add_normalisers(1);
      request.add_normalisers(wrong);
      EXPECT_EQ(Answer(request), Invalid({absl::StrCat("normalisers[", loss.components_size() - 1, "]: ", wrong,
                                                       "; allowed: finite and above 0")}))
          << id;
    }
  }
}

TEST_F(LossBadInput, AllAtOnce) {
  Request params = Of("ohem_cross_entropy");
  params.set_reduction(v1::REDUCTION_GIVEN);
  params.add_normalisers(0);
  Set(params, "class_weights", List({1, -1, kNaN}));
  Set(params, "k", Number(1.5));
  EXPECT_EQ(Answer(params),
            Invalid({"params.k: is 1.5; allowed: numbers in (0, 1]",
                     "params.class_weights: has -1 at [1]; allowed: a list of finite numbers of at least 0, "
                     "or off",
                     "normalisers[0]: 0; allowed: finite and above 0"}));

  Request shapes = Of("cross_entropy");
  shapes.set_reduction(v1::REDUCTION_GIVEN);
  shapes.add_normalisers(-1);
  Set(shapes, "class_weights", List({1, 2}));
  *shapes.mutable_inputs(1) = I64("target", {1, kSide, kSide}, {0, 0, 0, 0});
  EXPECT_EQ(Answer(shapes), Invalid({"normalisers[0]: -1; allowed: finite and above 0",
                                     "inputs.target: has 1 for axis N of dims N *; inputs.prediction has 2",
                                     "params.class_weights: has 2 values; axis c of inputs.prediction has 3"}));

  Request classes = Of("cross_entropy", true, 1);
  classes.set_reduction(static_cast<v1::Reduction>(8));
  classes.set_gradient_scale(kNaN);
  EXPECT_EQ(Answer(classes), Invalid({"reduction: 8 is unknown; allowed: REDUCTION_MEAN, MEAN_ALL, SUM, GIVEN, NONE (1 "
                                      "to 5)",
                                      "gradientScale: nan; allowed: finite numbers",
                                      "inputs.prediction: has 1 class, whose cross-entropy is always 0; allowed: 2 or "
                                      "more"}));

  Request sum = Of("cross_entropy", true, 1);
  sum.set_loss("cross_entropy+ohem_cross_entropy");
  sum.set_reduction(v1::REDUCTION_GIVEN);
  for (const double normaliser : {0, -1}) sum.add_normalisers(normaliser);
  Set(sum, "cross_entropy.class_weights", List({1, 2}));
  Set(sum, "ohem_cross_entropy.class_weights", List({1, 2, 3}));
  EXPECT_EQ(
      Answer(sum),
      Invalid({"normalisers[0]: 0; allowed: finite and above 0", "normalisers[1]: -1; allowed: finite and above 0",
               "params.cross_entropy.class_weights: has 2 values; axis c of inputs.prediction has 1",
               "params.ohem_cross_entropy.class_weights: has 3 values; axis c of inputs.prediction has 1"}));
}

TEST_F(LossBadInput, AnExperimentsParameters) {
  MakeSplit();
  const auto created = [&](const std::string& loss, const std::map<std::string, google::protobuf::Value>& params) {
    v1::CreateExperimentRequest request;
    *request.mutable_experiment() = ExperimentNamed("new", 1, 1);
    request.set_validate_only(true);
    v1::HeadLoss* head = request.mutable_experiment()->add_losses();
    head->set_head("classification");
    head->set_loss(loss);
    for (const auto& [name, value] : params) (*head->mutable_params()->mutable_fields())[name] = value;
    return Refused<v1::Experiment>(&v1::ExperimentService::Stub::CreateExperiment, experiment_, request);
  };
  const std::string params = "experiment.losses[0].params.";
  EXPECT_EQ(
      created("ohem_cross_entropy", {{"k", Number(0)}, {"class_weights", List({1, kNaN, 1})}}),
      Invalid({params + "k: is 0; allowed: numbers in (0, 1]",
               params + "class_weights: has NaN at [1]; allowed: a list of finite numbers of at least 0, or off"}));
  EXPECT_EQ(created("poly1_cross_entropy", {{"class_weights", List({1, 2})}}),
            Invalid({params + "class_weights: has 2 values; the head has 3 classes, allowed: one per class"}));
  EXPECT_EQ(
      created("class_balanced_cross_entropy", {{"samples_per_class", List({7, 0, 7})}}),
      Invalid({params + "samples_per_class: has 0 at [1]; allowed: a list of finite numbers of at least 1, or off"}));
  EXPECT_EQ(created("class_balanced_cross_entropy", {{"samples_per_class", List({7, 7})}}),
            Invalid({params + "samples_per_class: has 2 values; the head has 3 classes, allowed: one per class"}));
  EXPECT_EQ(created("class_balanced_cross_entropy", {{"samples_per_class", List({7, 1, 7})}}), kTaken);
}

}  // namespace
}  // namespace gradeline
