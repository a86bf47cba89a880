// The shipped catalog and the built-in losses against the table of what goes with what. The expectations are written by
// hand from that table, not taken from the code: D default, y allowed, - refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "plugins/losses/builtin.h"
#include "server/core/base/ids.h"
#include "server/core/loss/registry.h"
#include "server/wire/catalog_files.h"

namespace gradeline {
namespace {

using ::testing::HasSubstr;

struct Row {
  const char *task, *architecture, *head;
  char cross_entropy, binary_cross_entropy, mse;
};

constexpr Row kRows[] = {
    {"classification", "resnet", "classification", 'D', 'y', '-'},
    {"classification", "efficientnet", "classification", 'D', 'y', '-'},
    {"classification", "fbnetv3-classification", "classification", 'D', 'y', '-'},
    {"classification", "small-cnn", "classification", 'D', '-', '-'},
    {"tagging", "resnet-multilabel", "classification", '-', 'D', '-'},
    {"tagging", "efficientnet-multilabel", "classification", '-', 'D', '-'},
    {"tagging", "fbnetv3-multilabel", "classification", '-', 'D', '-'},
    {"attribute-prediction", "fbnetv3-multilabel", "classification", '-', 'D', '-'},
    {"attribute-prediction", "resnet-multilabel", "classification", '-', 'D', '-'},
    {"attribute-prediction", "efficientnet-multilabel", "classification", '-', 'D', '-'},
    {"object-detection", "faster-rcnn", "objectness", '-', 'D', '-'},
    {"object-detection", "faster-rcnn", "proposal-box", '-', '-', '-'},
    {"object-detection", "faster-rcnn", "classification", 'D', '-', '-'},
    {"object-detection", "faster-rcnn", "box", '-', '-', '-'},
    {"object-detection", "fbnetv3-od", "objectness", '-', 'D', '-'},
    {"object-detection", "fbnetv3-od", "proposal-box", '-', '-', '-'},
    {"object-detection", "fbnetv3-od", "classification", 'D', '-', '-'},
    {"object-detection", "fbnetv3-od", "box", '-', '-', '-'},
    {"object-detection", "cascade-rcnn", "objectness", '-', 'D', '-'},
    {"object-detection", "cascade-rcnn", "proposal-box", '-', '-', '-'},
    {"object-detection", "cascade-rcnn", "classification", 'D', '-', '-'},
    {"object-detection", "cascade-rcnn", "box", '-', '-', '-'},
    {"object-detection", "retinanet", "classification", '-', '-', '-'},
    {"object-detection", "retinanet", "box", '-', '-', '-'},
    {"semantic-segmentation", "u-net", "segmentation", 'D', 'y', '-'},
    {"semantic-segmentation", "u-net-plus-plus", "segmentation", 'D', 'y', '-'},
    {"semantic-segmentation", "deeplabv3-plus", "segmentation", 'D', 'y', '-'},
    {"semantic-segmentation", "deeplabv3-plus", "auxiliary", 'D', 'y', '-'},
    {"semantic-segmentation", "pan", "segmentation", 'D', 'y', '-'},
    {"semantic-segmentation", "linknet", "segmentation", 'D', 'y', '-'},
    {"semantic-segmentation", "fpn", "segmentation", 'D', 'y', '-'},
    {"semantic-segmentation", "pspnet", "segmentation", 'D', 'y', '-'},
    {"semantic-segmentation", "pspnet", "auxiliary", 'D', 'y', '-'},
    {"instance-segmentation", "mask-rcnn", "objectness", '-', 'D', '-'},
    {"instance-segmentation", "mask-rcnn", "proposal-box", '-', '-', '-'},
    {"instance-segmentation", "mask-rcnn", "classification", 'D', '-', '-'},
    {"instance-segmentation", "mask-rcnn", "box", '-', '-', '-'},
    {"instance-segmentation", "mask-rcnn", "mask", '-', 'D', '-'},
    {"instance-segmentation", "fbnetv3-is", "objectness", '-', 'D', '-'},
    {"instance-segmentation", "fbnetv3-is", "proposal-box", '-', '-', '-'},
    {"instance-segmentation", "fbnetv3-is", "classification", 'D', '-', '-'},
    {"instance-segmentation", "fbnetv3-is", "box", '-', '-', '-'},
    {"instance-segmentation", "fbnetv3-is", "mask", '-', 'D', '-'},
    {"instance-segmentation", "fbnetv3", "objectness", '-', 'D', '-'},
    {"instance-segmentation", "fbnetv3", "proposal-box", '-', '-', '-'},
    {"instance-segmentation", "fbnetv3", "classification", 'D', '-', '-'},
    {"instance-segmentation", "fbnetv3", "box", '-', '-', '-'},
    {"instance-segmentation", "fbnetv3", "mask", '-', 'D', '-'},
    {"instance-segmentation", "cascade-mask-rcnn", "objectness", '-', 'D', '-'},
    {"instance-segmentation", "cascade-mask-rcnn", "proposal-box", '-', '-', '-'},
    {"instance-segmentation", "cascade-mask-rcnn", "classification", 'D', '-', '-'},
    {"instance-segmentation", "cascade-mask-rcnn", "box", '-', '-', '-'},
    {"instance-segmentation", "cascade-mask-rcnn", "mask", '-', 'D', '-'},
    {"instance-segmentation", "hybrid-task-cascade", "objectness", '-', 'D', '-'},
    {"instance-segmentation", "hybrid-task-cascade", "proposal-box", '-', '-', '-'},
    {"instance-segmentation", "hybrid-task-cascade", "classification", 'D', '-', '-'},
    {"instance-segmentation", "hybrid-task-cascade", "box", '-', '-', '-'},
    {"instance-segmentation", "hybrid-task-cascade", "mask", '-', 'D', '-'},
    {"instance-segmentation", "hybrid-task-cascade", "semantic", 'D', '-', '-'},
    {"panoptic-segmentation", "panoptic-fpn", "objectness", '-', 'D', '-'},
    {"panoptic-segmentation", "panoptic-fpn", "proposal-box", '-', '-', '-'},
    {"panoptic-segmentation", "panoptic-fpn", "classification", 'D', '-', '-'},
    {"panoptic-segmentation", "panoptic-fpn", "box", '-', '-', '-'},
    {"panoptic-segmentation", "panoptic-fpn", "mask", '-', 'D', '-'},
    {"panoptic-segmentation", "panoptic-fpn", "semantic", 'D', '-', '-'},
    {"regression", "mlp", "value", '-', '-', 'D'},
    {"regression", "resnet-regression", "value", '-', '-', 'D'},
};

/// The table's own columns: a loss that some head of the task takes.
struct TaskRow {
  const char* task;
  bool cross_entropy, binary_cross_entropy, mse;
};
constexpr TaskRow kTasks[] = {
    {"classification", true, true, false},        {"tagging", false, true, false},
    {"attribute-prediction", false, true, false}, {"object-detection", true, true, false},
    {"semantic-segmentation", true, true, false}, {"instance-segmentation", true, true, false},
    {"panoptic-segmentation", true, true, false}, {"regression", false, false, true},
};

class MatrixTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto catalog = LoadCatalog(std::string(GRADELINE_SOURCE_DIR) + "/configs/catalog");
    ASSERT_TRUE(catalog.ok()) << catalog.status();
    LossRegistry::Builder builder;
    for (const GdlPlugin* const* plugin = BuiltinLossPlugins(); *plugin != nullptr; ++plugin) {
      auto losses = CheckPluginTables(**plugin, PluginInfo());
      ASSERT_TRUE(losses.ok()) << losses.status();
      for (const LossInfo& loss : *losses) {
        if (loss.id != "cross_entropy" && loss.id != "binary_cross_entropy" && loss.id != "mse") continue;
        ASSERT_TRUE(builder.Add({loss}).ok());
      }
    }
    registry_ = std::move(builder).Build(std::make_shared<const Catalog>(*std::move(catalog)));
  }
  static void TearDownTestSuite() { registry_.reset(); }

  static char Verdict(const LossList& list, const std::string& id) {
    for (const LossOffer& offer : list.offers) {
      if (offer.loss->id == id) {
        return offer.verdict == LossVerdict::kDefault ? 'D' : offer.verdict == LossVerdict::kValid ? 'y' : '-';
      }
    }
    return '?';
  }

  static std::shared_ptr<const LossRegistry> registry_;
};
std::shared_ptr<const LossRegistry> MatrixTest::registry_;

TEST_F(MatrixTest, EveryHeadOffersWhatTheTableSays) {
  for (const Row& row : kRows) {
    const auto list = registry_->ListFor(row.task, row.architecture, row.head);
    ASSERT_TRUE(list.ok()) << list.status();
    const std::string where = std::string(row.task) + " " + row.architecture + " " + row.head;
    EXPECT_EQ(Verdict(*list, "cross_entropy"), row.cross_entropy) << where;
    EXPECT_EQ(Verdict(*list, "binary_cross_entropy"), row.binary_cross_entropy) << where;
    EXPECT_EQ(Verdict(*list, "mse"), row.mse) << where;
    for (const LossOffer& offer : list->offers) {
      EXPECT_EQ(offer.verdict == LossVerdict::kRefused, offer.reason.find("it ") != std::string::npos)
          << where << offer.reason;
    }
  }
}

TEST_F(MatrixTest, TheRowsAreTheWholeCatalog) {
  std::set<std::string> expected, shipped;
  for (const Row& row : kRows) expected.insert(std::string(row.task) + " " + row.architecture + " " + row.head);
  for (const ArchitectureInfo& architecture : registry_->catalog().architectures()) {
    for (const std::string& task : architecture.tasks) {
      for (const HeadTemplate& head : architecture.heads) shipped.insert(task + " " + architecture.id + " " + head.id);
    }
  }
  EXPECT_EQ(shipped, expected);
}

TEST_F(MatrixTest, EveryTaskOffersWhatTheTableSays) {
  EXPECT_EQ(registry_->catalog().tasks().size(), std::size(kTasks));
  for (const TaskRow& row : kTasks) {
    const auto list = registry_->ListFor(row.task, "", "");
    ASSERT_TRUE(list.ok()) << list.status();
    EXPECT_EQ(Verdict(*list, "cross_entropy") != '-', row.cross_entropy) << row.task;
    EXPECT_EQ(Verdict(*list, "binary_cross_entropy") != '-', row.binary_cross_entropy) << row.task;
    EXPECT_EQ(Verdict(*list, "mse") != '-', row.mse) << row.task;
  }
}

/// Every set of values that the choices and bools of an architecture can have, one parameter changed at a time.
std::vector<ParamMap> ParamsOf(const ArchitectureInfo& architecture) {
  std::vector<ParamMap> all{{}};
  for (const ParamSpec& spec : architecture.params) {
    for (const std::string& word : WordsOf(spec)) {
      all.push_back({{spec.name, spec.kind == GDL_BOOL ? ParamValue(word == "true") : ParamValue(word)}});
    }
  }
  return all;
}

TEST_F(MatrixTest, ResolvingAgreesWithTheSignalForEveryParameter) {
  // What each signal takes among the three, by the losses' own words.
  const std::map<std::string, std::string> loss_of{{"multiclass", "cross_entropy"},
                                                   {"pixel-multiclass", "cross_entropy"},
                                                   {"binary", "binary_cross_entropy"},
                                                   {"multilabel", "binary_cross_entropy"},
                                                   {"pixel-binary", "binary_cross_entropy"},
                                                   {"pixel-multilabel", "binary_cross_entropy"},
                                                   {"value", "mse"}};
  int resolved = 0;
  for (const ArchitectureInfo& architecture : registry_->catalog().architectures()) {
    for (const ParamMap& params : ParamsOf(architecture)) {
      const auto heads = registry_->catalog().ResolveHeads(architecture, params);
      ASSERT_TRUE(heads.ok()) << architecture.id << heads.status();
      for (const Head& head : *heads) {
        for (const char* loss : {"cross_entropy", "binary_cross_entropy", "mse"}) {
          const auto handle = registry_->Resolve(architecture.tasks[0], head, loss, {});
          const auto fitting = loss_of.find(head.signal);
          const bool valid = fitting != loss_of.end() && fitting->second == loss;
          EXPECT_EQ(handle.ok(), valid) << architecture.id << " " << head.id << " " << loss << " " << handle.status();
          if (!handle.ok()) {
            EXPECT_EQ(handle.status().code(), absl::StatusCode::kFailedPrecondition);
            continue;
          }
          ++resolved;
          EXPECT_EQ(head.default_loss, loss) << architecture.id << " " << head.id;
          const bool pixels = head.signal.rfind("pixel", 0) == 0;
          EXPECT_EQ(
              handle->params().count("ignore_index") == 0 ? 0 : std::get<double>(handle->params().at("ignore_index")),
              loss == std::string("mse") ? 0
              : pixels                   ? 255
                                         : -100);
        }
      }
    }
  }
  EXPECT_GT(resolved, 100);
}

TEST_F(MatrixTest, BoxHeadSaysWhyThereIsNoLossYet) {
  const auto list = registry_->ListFor("object-detection", "faster-rcnn", "box");
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_THAT(list->note, HasSubstr("the default loss bounding_box_regression of head box is not loaded"));
  for (const LossOffer& offer : list->offers) {
    if (offer.loss->id != "mse") continue;
    EXPECT_EQ(offer.reason,
              "it computes the signal value, the head's signal is box; it is only for task regression, not for "
              "object-detection");
  }
}

TEST_F(MatrixTest, FBNetV3IsWhatItsSourcesSay) {
  // Of d2go's fbnetv3a_dsmask_C4 configurations and the Model Playground's pages.
  const std::map<std::string, ParamValue> box{{"backbone", std::string("fbnetv3a-dsmask-c4")},
                                              {"weights", std::string("coco")},
                                              {"norm", std::string("naive_sync_bn")},
                                              {"frozen_stages", 0.0},
                                              {"iou_background", 0.3},
                                              {"iou_object", 0.7},
                                              {"proposals_before_nms", 2000.0},
                                              {"proposals_after_nms", 2000.0},
                                              {"pooler_resolution", 6.0}};
  for (const std::string id : {"fbnetv3-od", "fbnetv3-is", "fbnetv3"}) {
    const bool masks = id != "fbnetv3-od";
    const auto architecture =
        registry_->catalog().FindArchitecture(masks ? "instance-segmentation" : "object-detection", id);
    ASSERT_TRUE(architecture.ok()) << architecture.status();
    const auto params = ResolveParams((*architecture)->params, {});
    ASSERT_TRUE(params.ok()) << params.status();
    for (const auto& [name, value] : box) EXPECT_EQ(params->at(name), value) << id << " " << name;
    const auto mask_pooler = params->find("mask_pooler_resolution");
    EXPECT_EQ(mask_pooler == params->end() ? ParamValue(0.0) : mask_pooler->second, ParamValue(masks ? 14.0 : 0.0));
    for (const char* norm : {"gn", "sync_bn", "naive_sync_bn"}) {
      EXPECT_TRUE(ResolveParams((*architecture)->params, {{"norm", std::string(norm)}}).ok()) << id << " " << norm;
    }
    EXPECT_FALSE(ResolveParams((*architecture)->params, {{"norm", std::string("frozen_bn")}}).ok()) << id;
  }
}

TEST_F(MatrixTest, EverythingHasTitlesAndHelp) {
  for (const TaskInfo& task : registry_->catalog().tasks()) {
    EXPECT_FALSE(task.title.empty() || task.doc.empty()) << task.id;
    const auto list = registry_->ListFor(task.id, "", "");
    EXPECT_TRUE(list.ok() && !list->offers.empty() && !list->offers[0].heads.empty())
        << task.id << " has no architecture";
  }
  for (const ArchitectureInfo& architecture : registry_->catalog().architectures()) {
    EXPECT_FALSE(architecture.title.empty() || architecture.doc.empty()) << architecture.id;
    for (const ParamSpec& spec : architecture.params)
      EXPECT_FALSE(spec.doc.empty()) << architecture.id << " " << spec.name;
    for (const HeadTemplate& head : architecture.heads)
      EXPECT_FALSE(head.rows.empty()) << architecture.id << " " << head.id;
  }
}

}  // namespace
}  // namespace gradeline
