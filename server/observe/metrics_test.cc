#include "server/observe/metrics.h"

#include <gmock/gmock.h>

namespace gradeline {
namespace {

using testing::HasSubstr;

TEST(Metrics, TextHasEveryFamily) {
  ServerMetrics metrics("1.2.3");
  metrics.LossEvaluated("mse", "ok", 0.002);
  metrics.CallEnded("CatalogService/ListTasks", "OK", 0.001);
  metrics.AddInflightBatches(3);
  metrics.AddInflightBatches(-1);
  metrics.AddBatchBytes(4096);
  metrics.AddPluginLoadFailures(2);
  metrics.CountExperimentsBy([] { return std::map<std::string, int64_t>{{"RUNNING", 2}}; });
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("gradeline_build_info{version=\"1.2.3\"} 1"));
  EXPECT_THAT(text, HasSubstr("gradeline_loss_evaluations_total{loss=\"mse\",outcome=\"ok\"} 1"));
  EXPECT_THAT(text, HasSubstr("gradeline_loss_evaluation_duration_seconds_count{loss=\"mse\"} 1"));
  EXPECT_THAT(text, HasSubstr("gradeline_stream_inflight_batches 2"));
  EXPECT_THAT(text, HasSubstr("gradeline_batch_bytes_total 4096"));
  EXPECT_THAT(text, HasSubstr("gradeline_plugin_load_failures_total 2"));
  EXPECT_THAT(text, HasSubstr("gradeline_experiments{state=\"RUNNING\"} 2"));
  EXPECT_THAT(text, HasSubstr("grpc_method=\"CatalogService/ListTasks\""));
}

TEST(Metrics, AStateThatEmptiesGoesToZero) {
  ServerMetrics metrics("1");
  std::map<std::string, int64_t> counts{{"QUEUED", 1}};
  metrics.CountExperimentsBy([&counts] { return counts; });
  metrics.Text();
  counts.clear();
  EXPECT_THAT(metrics.Text(), HasSubstr("gradeline_experiments{state=\"QUEUED\"} 0"));
}

}  // namespace
}  // namespace gradeline
