#include "server/wire/config_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kCatalog = std::string(GRADELINE_SOURCE_DIR) + "/configs/catalog";

absl::StatusOr<ServerConfig> WithText(const std::string& yaml, std::vector<std::string> settings = {}) {
  const std::string path = ::testing::TempDir() + "server.yaml";
  std::ofstream(path) << yaml;
  settings.push_back("catalog.path=" + kCatalog);
  return LoadServerConfig(path, settings);
}
std::vector<FieldViolation> Problems(const std::string& yaml, std::vector<std::string> settings = {}) {
  std::vector<FieldViolation> list = FieldViolationsOf(WithText(yaml, std::move(settings)).status());
  for (FieldViolation& violation : list) {
    if (violation.field.rfind(::testing::TempDir(), 0) == 0) violation.field.erase(0, ::testing::TempDir().size());
  }
  return list;
}

TEST(LoadServerConfigTest, ShippedFileListsEveryDefault) {
  const auto shipped = LoadServerConfig(std::string(GRADELINE_SOURCE_DIR) + "/configs/gradelined.yaml", {});
  ASSERT_TRUE(shipped.ok()) << shipped.status();
  const ServerConfig defaults;
  EXPECT_EQ(shipped->grpc.listen, defaults.grpc.listen);
  EXPECT_EQ(shipped->grpc.max_message_bytes, defaults.grpc.max_message_bytes);
  EXPECT_EQ(shipped->grpc.stall_limit_ms, defaults.grpc.stall_limit_ms);
  EXPECT_EQ(shipped->store.takeover_ms, defaults.store.takeover_ms);
  EXPECT_EQ(shipped->http.listen, defaults.http.listen);
  EXPECT_EQ(shipped->store.path, defaults.store.path);
  EXPECT_EQ(shipped->store.postgres, defaults.store.postgres);
  EXPECT_EQ(shipped->engine.threads, defaults.engine.threads);
  EXPECT_EQ(shipped->engine.memory_budget_bytes, defaults.engine.memory_budget_bytes);
  EXPECT_EQ(shipped->leases.suspect_ms, defaults.leases.suspect_ms);
  EXPECT_EQ(shipped->leases.gone_ms, defaults.leases.gone_ms);
  EXPECT_EQ(shipped->leases.progress_ms, defaults.leases.progress_ms);
  EXPECT_EQ(shipped->plugins.directories, defaults.plugins.directories);
  EXPECT_EQ(shipped->plugins.probe_deadline_ms, defaults.plugins.probe_deadline_ms);
  EXPECT_EQ(shipped->plugins.strict, defaults.plugins.strict);
  EXPECT_EQ(shipped->log.level, defaults.log.level);
  EXPECT_EQ(shipped->log.format, defaults.log.format);
}

TEST(LoadServerConfigTest, NoFileFindsTheCatalogOfTheTree) {
  const auto config = LoadServerConfig("", {});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(std::filesystem::equivalent(config->catalog.path, kCatalog));
}

TEST(LoadServerConfigTest, SettingsGoOverTheFile) {
  const auto config =
      WithText("grpc: {listen: 'unix:/tmp/x'}\nengine: {threads: 3}\nlog: {level: warn, format: json}\n",
               {"engine.threads=5", "http.listen=[::1]:0"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->grpc.listen, "unix:/tmp/x");
  EXPECT_EQ(config->engine.threads, 5);
  EXPECT_EQ(config->http.listen, "[::1]:0");
  EXPECT_EQ(config->log.level, "warn");
  EXPECT_EQ(config->log.format, "json");
}

TEST(LoadServerConfigTest, TheStoreIsAFileOrPostgres) {
  const auto postgres = WithText("", {"store.postgres=dbname=x password=secret"});
  ASSERT_TRUE(postgres.ok()) << postgres.status();
  EXPECT_EQ(postgres->store.postgres, "dbname=x password=secret");
  EXPECT_EQ(postgres->store.path, "");
  EXPECT_THAT(Problems("store: {path: x, postgres: dbname=x}\n"),
              ElementsAre(FieldViolation{"server.yaml:1: store.path",
                                         "is given beside store.postgres; allowed is one of them"}));
}

TEST(LoadServerConfigTest, APasswordIsNotShown) {
  for (const std::string& setting :
       std::vector<std::string>{"store.postgress=dbname=x password=secret", "store.postgres=host=a password=secret\xff",
                                "store.postgres.x=secret"}) {
    const auto status = WithText("store: {path: x}\n", {setting}).status();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(status.ToString(), ::testing::Not(HasSubstr("secret"))) << status;
    EXPECT_THAT(status.ToString(), HasSubstr("--set store.postgres")) << status;
  }
}

TEST(LoadServerConfigTest, EveryLogLevel) {
  for (const char* level : {"debug", "info", "warn", "error"}) {
    EXPECT_EQ(WithText("", {std::string("log.level=") + level})->log.level, level);
  }
}

TEST(LoadServerConfigTest, MissingFile) {
  EXPECT_EQ(LoadServerConfig("/nowhere.yaml", {}).status().code(), absl::StatusCode::kNotFound);
}

TEST(LoadServerConfigTest, ProblemsOfFormComeAllAtOnce) {
  EXPECT_THAT(
      Problems("grpc:\n  port: 1\nlog: {level: loud}\n", {"nothing=1"}),
      ElementsAre(FieldViolation{"server.yaml:2: grpc.port",
                                 "is no key; known: listen, max_message_bytes, stall_limit_ms, advertise"},
                  FieldViolation{"server.yaml:3: log.level", "is \"loud\"; allowed is debug, info, warn, error"},
                  ::testing::Field(&FieldViolation::field, "--set nothing=1: nothing")));
}

TEST(LoadServerConfigTest, ProblemsOfFormDoNotHideThoseOfValues) {
  EXPECT_THAT(
      Problems("grpc:\n  max_message_bytes: 1\n  port: 1\n", {"engine.threads=x", "engine.memory_budget_bytes=0"}),
      ElementsAre(
          ::testing::Field(&FieldViolation::field, "server.yaml:3: grpc.port"),
          ::testing::Field(&FieldViolation::field, "--set engine.threads=x: engine.threads"),
          ::testing::Field(&FieldViolation::field, "server.yaml:2: grpc.max_message_bytes"),
          ::testing::Field(&FieldViolation::field, "--set engine.memory_budget_bytes=0: engine.memory_budget_bytes")));
}

TEST(LoadServerConfigTest, ProblemsOfValuesSayWhereTheyCameFrom) {
  EXPECT_THAT(
      Problems("grpc:\n  listen: 0.0.0.0:50051\n  max_message_bytes: 1\nstore: {path: ''}\nplugins:\n  directories:\n  "
               "  - /nowhere\n",
               {"engine.threads=-1", "plugins.probe_deadline_ms=1"}),
      ElementsAre(
          FieldViolation{
              "server.yaml:2: grpc.listen",
              "is \"0.0.0.0:50051\", which other machines could reach, and there is no authentication yet; allowed "
              "is 127.0.0.1:port, [::1]:port or localhost:port, port 0 to 65535 or unix:path"},
          FieldViolation{"server.yaml:3: grpc.max_message_bytes", "is 1; allowed are 65536 to 2147483647"},
          FieldViolation{"server.yaml:4: store.path",
                         "is empty; allowed is the path of a file, or store.postgres instead"},
          FieldViolation{"--set engine.threads=-1: engine.threads", "is -1; allowed are 0 to 1024"},
          FieldViolation{"--set plugins.probe_deadline_ms=1: plugins.probe_deadline_ms",
                         "is 1; allowed are 100 to 600000"},
          FieldViolation{"server.yaml:7: plugins.directories[0]", "is \"/nowhere\", which is no folder"}));
  for (const char* target : {"trainer-1", "dns:///trainer-1", "trainer-1:0", "trainer-1:65536", "unix:"}) {
    EXPECT_THAT(Problems("", {absl::StrCat("grpc.advertise=", target)}),
                ElementsAre(::testing::Field(&FieldViolation::description, HasSubstr("a target of gRPC with a port"))));
  }
  for (const char* target : {"trainer-1:50051", "dns:///trainer-1:50051", "unix:/tmp/x"}) {
    EXPECT_THAT(Problems("", {absl::StrCat("grpc.advertise=", target)}), ::testing::IsEmpty());
  }
  EXPECT_THAT(Problems("", {"engine.memory_budget_bytes=1000"}),
              ElementsAre(::testing::Field(&FieldViolation::description, HasSubstr("allowed are 268435456 to"))));
}

TEST(ParseLoopbackTest, OnlyLoopback) {
  for (const char* good : {"127.0.0.1:0", "127.255.0.9:65535", "localhost:1", "[::1]:8080"}) {
    EXPECT_TRUE(ParseLoopback(good).ok()) << good;
  }
  EXPECT_EQ(ParseLoopback("[::1]:8080")->host, "::1");
  EXPECT_EQ(ParseLoopback("127.0.0.1:7")->port, 7);
  for (const char* bad :
       {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", "0.0.0.0:1", "[::]:1",
        "192.168.0.1:1", "example.org:1", "127.0.0.1.example.org:1", "127.0.0:1", "127.0.0.256:1", "::1:80",
        "127...1:1", ":80", "[]:1", "127.0.0.1:99999999999999999999", "127.0.0.1:+1"}) {
    EXPECT_EQ(ParseLoopback(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace gradeline
