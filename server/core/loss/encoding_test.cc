#include "server/core/loss/encoding.h"

#include <gtest/gtest.h>

#include "server/core/loss/test_loss.h"

namespace gradeline {
namespace {

TensorSpec Boxes(const std::string& encoding) {
  TensorSpec spec;
  spec.encoding = encoding;
  return spec;
}

ParamSpec Choice(const std::string& name, std::vector<std::string> choices, const std::string& when) {
  ParamSpec spec;
  spec.name = name;
  spec.kind = GDL_CHOICE;
  spec.choices = std::move(choices);
  spec.when = when;
  spec.fallback = 0;
  return spec;
}

const std::vector<ParamSpec> kSpecs{Choice("type", {"l1", "giou", "ciou"}, ""),
                                    Choice("format", {"xyxy", "xywh"}, "type=giou|ciou")};

std::string Of(const std::string& encoding, const ParamMap& given) {
  return EncodingOf(Boxes(encoding), kSpecs, *ResolveParams(kSpecs, given));
}

TEST(EncodingTest, FollowsTheParameterWhereItHasAMeaning) {
  const std::string text = "box:{format|delta}";
  EXPECT_EQ(Of(text, {}), "box:delta");
  EXPECT_EQ(Of(text, {{"format", std::string("xywh")}}), "box:delta");
  EXPECT_EQ(Of(text, {{"type", std::string("giou")}}), "box:xyxy");
  EXPECT_EQ(Of(text, {{"type", std::string("ciou")}, {"format", std::string("xywh")}}), "box:xywh");
  EXPECT_EQ(Of("box:{type} and more", {}), "box:l1 and more");
  EXPECT_EQ(Of("logits", {}), "logits");
}

TEST(EncodingTest, SaysWhatIsWrong) {
  EXPECT_TRUE(CheckEncoding(Boxes("logits"), {}).ok());
  EXPECT_TRUE(CheckEncoding(Boxes("box:{format|delta}"), kSpecs).ok());
  EXPECT_TRUE(CheckEncoding(Boxes("box:{type}"), kSpecs).ok());
  EXPECT_EQ(CheckEncoding(Boxes("box:{form}"), kSpecs).message(),
            "is \"box:{form}\"; allowed in braces is a CHOICE of this loss, not \"form\"");
  EXPECT_EQ(CheckEncoding(Boxes("box:{format}"), kSpecs).message(),
            "is \"box:{format}\"; \"{format|otherwise}\" is needed: the parameter may have no meaning");
  for (const char* bad : {"box:{type", "box:type}", "{type}{type}", "}type{"}) {
    EXPECT_EQ(CheckEncoding(Boxes(bad), kSpecs).message(),
              "is \"" + std::string(bad) + "\"; allowed is one pair of braces");
  }
}

// What a worker is told of the losses that are loaded, through the registry.
TEST(EncodingTest, OfBuiltInBoxLosses) {
  LossRegistry::Builder builder;
  AddBuiltins(builder);
  const auto registry = std::move(builder).Build(nullptr);
  const auto told = [&](const char* loss, const ParamMap& params) {
    const auto handle = registry->ResolveAlone(loss, params);
    EXPECT_TRUE(handle.ok()) << handle.status();
    return EncodingOf(handle->info().tensors[0], handle->info().params, handle->params());
  };
  EXPECT_EQ(told("bounding_box_regression", {}), "box:delta");
  EXPECT_EQ(told("bounding_box_regression", {{"type", std::string("giou")}}), "box:xyxy");
  EXPECT_EQ(told("bounding_box_regression", {{"type", std::string("diou")}, {"format", std::string("cxcywh")}}),
            "box:cxcywh");
  EXPECT_EQ(told("iou", {}), "box:xyxy");
  EXPECT_EQ(told("iou", {{"format", std::string("xywh")}}), "box:xywh");
}

}  // namespace
}  // namespace gradeline
