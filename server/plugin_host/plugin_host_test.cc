#include "server/plugin_host/plugin_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "server/plugin_host/plugin_file.h"
#include "server/plugin_host/probe.h"
#include "server/plugin_host/probe_process.h"

namespace gradeline {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
namespace fs = std::filesystem;

// Built with a sanitizer, a probe would turn its signals into an exit of its own.
const int kLeaveSignals = setenv("ASAN_OPTIONS", "handle_segv=0:handle_abort=0:detect_leaks=0", 1) +
                          setenv("TSAN_OPTIONS", "handle_segv=0:handle_abort=0", 1) +
                          setenv("UBSAN_OPTIONS", "handle_segv=0:handle_abort=0", 1);

const std::string kBinary = GRADELINE_BINARY_DIR;
const std::string kZoo = kBinary + "/tests/abi/plugins/";
const std::string kProbe = kBinary + "/bin/plugin_probe";

/// A fresh folder with copies of plugin files.
class PluginHostTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "plugins-" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    options_.directories = {folder_};
    options_.probe_command = {kProbe};
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Put(const std::string& from, const std::string& name) {
    fs::copy_file(from, folder_ + "/" + name + ".so", fs::copy_options::overwrite_existing);
  }
  std::shared_ptr<const LossRegistry> Load() {
    auto builder = LoadPlugins(options_);
    EXPECT_TRUE(builder.ok()) << builder.status();
    return builder.ok() ? std::move(*builder).Build(nullptr) : nullptr;
  }
  static std::vector<std::string> IdsOf(const LossRegistry& registry) {
    std::vector<std::string> ids;
    for (const auto& loss : registry.losses()) ids.push_back(loss->id);
    return ids;
  }

  std::string folder_;
  PluginOptions options_;
};

TEST_F(PluginHostTest, BuiltInsAlone) {
  ASSERT_EQ(kLeaveSignals, 0);
  options_.directories.clear();
  const auto registry = Load();
  EXPECT_THAT(IdsOf(*registry), IsSupersetOf({"binary_cross_entropy", "cross_entropy", "mse"}));
  for (const auto& plugin : registry->plugins()) EXPECT_EQ(plugin->source, "built-in");
}

TEST_F(PluginHostTest, LoadsTheExampleAndItComputes) {
  Put(kBinary + "/plugins/example/log_cosh.so", "log_cosh");
  std::ofstream(folder_ + "/readme.txt") << "not a plugin by its name";
  const auto registry = Load();
  EXPECT_THAT(IdsOf(*registry), IsSupersetOf({"binary_cross_entropy", "cross_entropy", "log_cosh", "mse"}));
  const auto info = registry->Find("log_cosh");
  EXPECT_EQ((*info)->plugin->source, folder_ + "/log_cosh.so");
  EXPECT_EQ((*info)->plugin->digest, *DigestOfFile(folder_ + "/log_cosh.so"));
  EXPECT_EQ((*info)->plugin->refusal, "");
  EXPECT_TRUE(registry->ResolveAlone("log_cosh", {}).ok());
  EXPECT_TRUE(ProbeLoss(**info, [](const std::string&) {}).ok());
}

TEST_F(PluginHostTest, TheBadDoNotKeepOutTheGood) {
  Put(kZoo + "constructor_crashes.so", "a_bad");
  Put(kBinary + "/plugins/example/log_cosh.so", "b_good");
  Put(kZoo + "frozen_minor0.so", "c_good");
  Put(kZoo + "from_the_future.so", "d_good");
  const auto registry = Load();
  EXPECT_TRUE(registry->Find("log_cosh").ok());
  EXPECT_TRUE(registry->Find("frozen_minor0").ok());
  EXPECT_TRUE(registry->Find("from_the_future").ok());
  int refused = 0;
  for (const auto& plugin : registry->plugins()) refused += plugin->refusal.empty() ? 0 : 1;
  EXPECT_EQ(refused, 1);
}

TEST_F(PluginHostTest, AnIdTwiceNamesBothSources) {
  Put(kBinary + "/plugins/example/log_cosh.so", "first");
  Put(kBinary + "/plugins/example/log_cosh.so", "second");
  Put(kZoo + "takes_builtin_id.so", "third");
  const auto registry = Load();
  std::vector<std::string> refusals;
  for (const auto& plugin : registry->plugins()) {
    if (!plugin->refusal.empty()) refusals.push_back(plugin->refusal);
  }
  EXPECT_THAT(refusals,
              ElementsAre(AllOf(HasSubstr("loss log_cosh"), HasSubstr(folder_ + "/second.so"),
                                HasSubstr(folder_ + "/first.so")),
                          AllOf(HasSubstr("loss mse"), HasSubstr(folder_ + "/third.so"), HasSubstr("(built-in)"))));
}

TEST_F(PluginHostTest, StrictMakesARefusalAnError) {
  Put(kZoo + "no_symbol.so", "no_symbol");
  Put(kZoo + "bad_id.so", "bad_id");
  options_.strict = true;
  const auto status = LoadPlugins(options_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("no_symbol.so: exports no symbol"), HasSubstr("bad_id.so: losses[0].id")));
}

TEST_F(PluginHostTest, MissingFolderIsAnError) {
  options_.directories = {folder_ + "/nowhere"};
  EXPECT_EQ(LoadPlugins(options_).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(PluginHostTest, ProbeThatCannotStart) {
  Put(kBinary + "/plugins/example/log_cosh.so", "log_cosh");
  options_.probe_command = {"/nowhere/probe"};
  const auto registry = Load();
  EXPECT_THAT(registry->plugins().back()->refusal, HasSubstr("cannot start the probe /nowhere/probe"));
}

TEST_F(PluginHostTest, ProbeThatSaysNothing) {
  Put(kBinary + "/plugins/example/log_cosh.so", "log_cosh");
  options_.probe_command = {"/bin/true"};
  EXPECT_THAT(Load()->plugins().back()->refusal, HasSubstr("ended the process with code 0, at: starting the probe"));
}

TEST_F(PluginHostTest, CacheRemembersWhatPassedAndOnlyThat) {
  options_.cache_file = ::testing::TempDir() + "passed-plugins";
  fs::remove(options_.cache_file);
  Put(kBinary + "/plugins/example/log_cosh.so", "log_cosh");
  Put(kZoo + "gradient_wrong.so", "wrong");
  EXPECT_TRUE(Load()->Find("log_cosh").ok());
  options_.probe_command = {"/bin/false"};  // whatever is probed now is refused
  const auto cached = Load();
  EXPECT_TRUE(cached->Find("log_cosh").ok());
  EXPECT_FALSE(cached->Find("gradient_wrong").ok());
  std::ofstream(folder_ + "/log_cosh.so", std::ios::app) << "x";
  EXPECT_FALSE(Load()->Find("log_cosh").ok());
  options_.cache_file = "/nowhere/passed";
  options_.probe_command = {kProbe};
  EXPECT_TRUE(Load()->Find("log_cosh").ok());
}

// ---- The zoo: each refused for what it does, and this process lives on. ----

struct Lie {
  std::string name;
  std::vector<std::string> reasons;
};
class ZooTest : public ::testing::TestWithParam<Lie> {};

TEST_P(ZooTest, IsRefusedWithTheReason) {
  const absl::Status status = RunProbe({kProbe}, kZoo + GetParam().name + ".so", 20'000);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  for (const std::string& reason : GetParam().reasons) EXPECT_THAT(std::string(status.message()), HasSubstr(reason));
}

const std::vector<Lie> kLies{
    {"no_symbol", {"exports no symbol gradeline_loss_plugin_v0"}},
    {"other_major", {"exports gradeline_loss_plugin_v1, a plugin of ABI major 1; this host has major 0"}},
    {"needs_newer_host", {"minor 1000", "minor 1"}},
    {"plugin_size_zero", {"plugin.struct_size: is 0"}},
    {"loss_size_zero", {"losses[0].struct_size: is 0"}},
    {"tensor_size_zero", {"losses[0].tensors[0].struct_size: is 0"}},
    {"null_name", {"plugin.name: is NULL"}},
    {"null_losses", {"losses: is NULL"}},
    {"null_tensors", {"losses[0].tensors: is NULL"}},
    {"null_components", {"losses[0].components: is NULL"}},
    {"null_signals", {"losses[0].signals: is NULL"}},
    {"null_create", {"losses[0].create: is NULL"}},
    {"null_compute", {"losses[0].compute: is NULL"}},
    {"null_fold", {"losses[0].fold: is NULL"}},
    {"no_losses", {"losses: is empty"}},
    {"many_losses", {"losses: does not end with NULL within"}},
    {"many_tensors", {"losses[0].tensors: has 65 entries"}},
    {"bad_id", {"losses[0].id: is \"Bad Id!\""}},
    {"bad_dims", {"losses[0].tensors[0].dims: \"N c) ?\""}},
    {"bad_kind", {"losses[0].tensors[0].kind: is 77"}},
    {"bad_param", {"losses[0].params[0].min", "losses[0].params[0].fallback"}},
    {"unknown_signal", {"telepathy", "known are multiclass"}},
    {"same_id_twice", {"losses[1].id: is \"same_id_twice\", a second time"}},
    {"constructor_crashes", {"died of signal 11", "at: opening the file"}},
    {"constructor_aborts", {"died of signal 6", "at: opening the file"}},
    {"constructor_exits", {"ended the process with code", "at: opening the file"}},
    {"create_crashes", {"died of signal 11", "at: loss create_crashes: create with defaults"}},
    {"create_aborts", {"died of signal 6", "at: loss create_aborts: create"}},
    {"create_exits", {"ended the process with code", "at: loss create_exits: create"}},
    {"create_refuses", {"loss create_refuses refuses its own defaults: params: never pleased"}},
    {"plan_without_gradient", {"plan_without_gradient"}},
    {"plan_wants_everything", {"plan_wants_everything"}},
    {"compute_crashes", {"died of signal 11", "at: loss compute_crashes: compute on prediction [3]"}},
    {"gradient_wrong", {"the gradient of prediction at element 0", "finite differences say"}},
    {"gradient_adds", {"the gradient of prediction at element 0"}},
    {"gradient_partial", {"the gradient of prediction at element 2"}},
    {"lets_nan_pass", {"lets nan in prediction pass"}},
    {"not_a_library", {"cannot be opened as a library"}},
};
INSTANTIATE_TEST_SUITE_P(Lies, ZooTest, ::testing::ValuesIn(kLies), [](const auto& test) { return test.param.name; });

class HangTest : public ::testing::TestWithParam<const char*> {};

int OpenFiles() {
  return static_cast<int>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

TEST_P(HangTest, IsEndedAtTheDeadline) {
  const int open_files = OpenFiles();
  const auto start = std::chrono::steady_clock::now();
  const absl::Status status = RunProbe({kProbe}, kZoo + GetParam() + ".so", 1000);
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_THAT(std::string(status.message()), HasSubstr("was not ready after 1000 ms, at: "));
  EXPECT_GE(took, std::chrono::milliseconds(1000));
  EXPECT_LT(took, std::chrono::seconds(10));
  EXPECT_EQ(OpenFiles(), open_files);
}
INSTANTIATE_TEST_SUITE_P(Hangs, HangTest, ::testing::Values("constructor_hangs", "create_hangs"));

TEST(ZooCompletenessTest, EveryOneIsNamedHere) {
  std::set<std::string> named{"frozen_minor0", "from_the_future", "takes_builtin_id", "constructor_hangs",
                              "create_hangs"};
  for (const Lie& lie : kLies) named.insert(lie.name);
  std::set<std::string> built;
  for (const auto& entry : fs::directory_iterator(kZoo)) {
    if (entry.path().extension() == ".so") built.insert(entry.path().stem().string());
  }
  EXPECT_EQ(built, named);
}

TEST(ProbeTest, BuiltInsPassAsFiles) {
  for (const char* id : {"cross_entropy", "binary_cross_entropy", "mse"}) {
    const absl::Status status = RunProbe({kProbe}, kBinary + "/plugins/" + id + ".so", 20'000);
    EXPECT_TRUE(status.ok()) << id << status;
  }
}

}  // namespace
}  // namespace gradeline
