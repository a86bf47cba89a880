// Plugins as files: what they export, that old and new ones run, that built-ins and their .so twins agree to the bit,
// and that the conformance suite catches those that are wrong. How the server loads and refuses files is tested in its
// own room.
#include <dlfcn.h>
#include <gmock/gmock.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "plugins/losses/builtin.h"
#include "plugins/sdk/conformance.h"

namespace gradeline::conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string kZoo = GRADELINE_BINARY_DIR "/tests/abi/plugins/";
const std::string kBuiltIns = GRADELINE_BINARY_DIR "/plugins/";

std::vector<std::string> ExportedSymbols(const std::string& path) {
  std::vector<std::string> symbols;
  FILE* output = popen(("nm -D --defined-only --format=posix " + path).c_str(), "r");
  char line[4096];
  while (output != nullptr && fgets(line, sizeof(line), output) != nullptr) {
    const std::string text(line);
    symbols.push_back(text.substr(0, text.find(' ')));
  }
  EXPECT_EQ(pclose(output), 0) << path;
  return symbols;
}

const GdlPlugin* Open(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // kept open: tables point into it
  EXPECT_NE(library, nullptr) << dlerror();
  return library == nullptr ? nullptr : static_cast<const GdlPlugin*>(dlsym(library, "gradeline_loss_plugin_v0"));
}

TEST(PluginFile, ExportsExactlyOneSymbol) {
  std::vector<std::string> paths = {GRADELINE_BINARY_DIR "/plugins/example/log_cosh.so"};
  for (size_t i = 0; BuiltinLossPlugins()[i] != nullptr; ++i) {
    paths.push_back(kBuiltIns + BuiltinLossPlugins()[i]->losses[0]->id + ".so");
  }
  for (const auto& entry : std::filesystem::directory_iterator(kZoo)) {
    const std::string stem = entry.path().stem();
    if (stem != "no_symbol" && stem != "other_major" && stem != "not_a_library") paths.push_back(entry.path());
  }
  EXPECT_GT(paths.size(), 40u);
  for (const std::string& path : paths) {
    EXPECT_THAT(ExportedSymbols(path), ElementsAre("gradeline_loss_plugin_v0")) << path;
  }
}

Problems AllProblems(const GdlLoss& loss) {
  Problems all;
  const std::vector<Case> cases = {{"grid", {{"N", 4}, {"*", 9}}, {}}};
  for (const Check& check : Checks()) {
    for (const std::string& problem : RunCheck(loss, check, cases)) all.push_back(problem);
  }
  return all;
}

TEST(PluginFile, MinorZeroStillRuns) {
  const GdlPlugin* plugin = Open(kZoo + "frozen_minor0.so");
  ASSERT_NE(plugin, nullptr);
  EXPECT_EQ(plugin->abi_minor, 0u);
  EXPECT_THAT(AllProblems(*plugin->losses[0]), IsEmpty());
}

TEST(PluginFile, LongerTablesOfTheFutureRun) {
  const GdlPlugin* plugin = Open(kZoo + "from_the_future.so");
  ASSERT_NE(plugin, nullptr);
  EXPECT_GT(plugin->struct_size, sizeof(GdlPlugin));
  EXPECT_THAT(AllProblems(*plugin->losses[0]), IsEmpty());
}

TEST(PluginFile, TheSuiteCatchesWhatIsWrong) {
  for (const char* name : {"gradient_wrong", "gradient_adds", "gradient_partial", "lets_nan_pass", "create_refuses"}) {
    const GdlPlugin* plugin = Open(kZoo + name + ".so");
    ASSERT_NE(plugin, nullptr) << name;
    EXPECT_FALSE(AllProblems(*plugin->losses[0]).empty()) << name;
  }
}

TEST(PluginFile, BuiltInsAndTheirFilesAgreeToTheBit) {
  size_t losses = 0;
  for (; BuiltinLossPlugins()[losses] != nullptr; ++losses) {
    const GdlLoss& linked = *BuiltinLossPlugins()[losses]->losses[0];
    const GdlPlugin* file = Open(kBuiltIns + linked.id + ".so");
    ASSERT_NE(file, nullptr) << linked.id;
    const GdlLoss& loaded = *file->losses[0];
    EXPECT_STREQ(linked.id, loaded.id);
    EXPECT_EQ(linked.version, loaded.version);
    const Axes axes = {{"N", 5}, {"C", 3}, {"c", 4}, {"*", 7}};
    for (const std::vector<bool>& present : Presences(linked)) {
      const Batch batch = RandomBatch(linked, axes, present, 4, 11);
      const State here(linked, {}), there(loaded, {});
      Problems problems;
      Compare(RunBatch(linked, here, batch, {}), RunBatch(loaded, there, batch, {}), 0, problems);
      EXPECT_THAT(problems, IsEmpty()) << linked.id;
    }
  }
  EXPECT_GE(losses, 3u);
}

}  // namespace
}  // namespace gradeline::conformance
