// A catalog of the shipped files with one of them changed is taken, or refused with the place of every problem.
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "plugins/losses/builtin.h"
#include "server/core/base/status.h"
#include "server/core/loss/registry.h"
#include "server/wire/catalog_files.h"
#include "server/wire/yaml_reader.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/problems.h"

namespace gradeline {
namespace {

namespace fs = std::filesystem;

// Enough that every rule between files has both sides here; the whole catalog takes many times as long.
const char* const kFiles[] = {"architectures/faster-rcnn.yaml",
                              "architectures/mask-rcnn.yaml",
                              "architectures/u-net.yaml",
                              "architectures/pspnet.yaml",
                              "tasks/object-detection.yaml",
                              "tasks/instance-segmentation.yaml",
                              "tasks/panoptic-segmentation.yaml",
                              "tasks/semantic-segmentation.yaml",
                              "solvers/sgd.yaml",
                              "schedulers/cyclic_lr.yaml",
                              "schedulers/step_lr.yaml",
                              "augmentations/copy_paste.yaml",
                              "training.yaml"};

// A folder with those files. The first byte of an input says which one the rest stands in for.
class Folder {
 public:
  Folder() : root_(::testing::TempDir() + "catalog_fuzz") {
    fs::remove_all(root_);
    for (const char* name : kFiles) {
      fs::create_directories(fs::path(root_ + "/" + name).parent_path());
      const std::string path = std::string(GRADELINE_SOURCE_DIR) + "/configs/catalog/" + name;
      EXPECT_TRUE(ReadTextFile(path, texts_.emplace_back()).ok()) << path;
      Write(name, texts_.back());
    }
  }
  ~Folder() { fs::remove_all(root_); }

  const std::string& root() const { return root_; }
  std::vector<std::string> Inputs() const {
    std::vector<std::string> inputs;
    for (size_t i = 0; i < texts_.size(); ++i) inputs.push_back(static_cast<char>('A' + i) + texts_[i]);
    return inputs;
  }
  void Put(const std::string& input) {
    Write(kFiles[changed_], texts_[changed_]);
    changed_ = static_cast<unsigned char>(input[0] - 'A') % std::size(kFiles);
    Write(kFiles[changed_], input.substr(1));
  }
  /// Whether the field names a line of the changed file, or of another that it makes wrong.
  bool HasPlace(const std::string& field, const std::string& input) const {
    for (size_t i = 0; i < texts_.size(); ++i) {
      if (NamesPlace(field, kFiles[i], i == changed_ ? input.substr(1) : texts_[i])) return true;
    }
    return false;
  }

 private:
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(root_ + "/" + name, std::ios::binary) << text;
  }

  const std::string root_;
  std::vector<std::string> texts_;
  size_t changed_ = 0;
};

LossRegistry::Builder Losses() {
  LossRegistry::Builder builder;
  for (const GdlPlugin* const* plugin = BuiltinLossPlugins(); *plugin != nullptr; ++plugin) {
    EXPECT_TRUE(builder.Add(*CheckPluginTables(**plugin, PluginInfo())).ok());
  }
  return builder;
}

TEST(YamlFuzz, Catalog) {
  Folder folder;
  const LossRegistry::Builder losses = Losses();
  const auto check = [&](const Catalog& catalog) { return losses.CheckCatalog(catalog); };
  const absl::Status unchanged = LoadCatalog(folder.root(), check).status();
  ASSERT_TRUE(unchanged.ok()) << unchanged;
  const FuzzCorpus corpus{
      folder.Inputs(),
      Words(
          "mask-rcnn faster-rcnn u-net number integer bool choice vector measure mode=binary a=b|c box type=giou given "
          "label_padding monitor epochs {} [] { } [ ] \n *a \" ' # ~ 0 -1 1e308 -1e308 1e400 2147483647 65 \xc3\xa9 . "
          ".. / \"\" \"\\x00\"",
          {"id: ",
           "extends: ",
           "parameters:\n",
           "heads:\n",
           "kind: ",
           "choices: ",
           "default: ",
           "optional: true",
           "min: ",
           "max: ",
           "min_exclusive: true",
           "when: ",
           "needs: ",
           "needs: [\"a > b\"]",
           "a != 1",
           "signal: ",
           "by: mode",
           "losses: ",
           "only: [",
           "except: [",
           "params: {",
           "fixed: {",
           "weight_for: {",
           "repeat: ",
           "count: ",
           "weights: [",
           "classes: ",
           "background: ",
           "normaliser: ",
           "phases: [test]",
           "tasks: [",
           "metrics: [",
           "learning_rate: ",
           ", ",
           ": ",
           "- ",
           "\n  ",
           "\n    ",
           "&a "}),
      100};
  Fuzz(corpus, 5, [&](const std::string& input) {
    if (input.empty()) return false;
    folder.Put(input);
    const absl::Status status = LoadCatalog(folder.root(), check).status();
    if (status.ok()) return true;
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    const std::vector<FieldViolation> problems = FieldViolationsOf(status);
    EXPECT_FALSE(problems.empty()) << status;
    for (const auto& [field, description] : problems) {
      EXPECT_TRUE(folder.HasPlace(field, input)) << field << ": " << description;
    }
    return false;
  });
}

}  // namespace
}  // namespace gradeline
