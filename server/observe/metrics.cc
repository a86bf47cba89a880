#include "server/observe/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <mutex>
#include <set>
#include <utility>

namespace gradeline {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;

const prometheus::Histogram::BucketBoundaries& Seconds() {
  static const auto& bounds = *new prometheus::Histogram::BucketBoundaries{
      1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1, 3, 10, 30, 100};
  return bounds;
}

}  // namespace

struct ServerMetrics::Impl {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& evaluations =
      BuildCounter()
          .Name("gradeline_loss_evaluations_total")
          .Help("Loss calls by loss (sum: any sum of losses) and outcome")
          .Register(registry);
  prometheus::Family<prometheus::Histogram>& evaluation_seconds =
      BuildHistogram()
          .Name("gradeline_loss_evaluation_duration_seconds")
          .Help("Time from a parsed batch to its loss and gradient")
          .Register(registry);
  prometheus::Family<prometheus::Histogram>& call_seconds = BuildHistogram()
                                                                .Name("grpc_server_call_duration_seconds")
                                                                .Help("Duration of gRPC calls by method and status")
                                                                .Register(registry);
  prometheus::Family<prometheus::Gauge>& experiments =
      BuildGauge().Name("gradeline_experiments").Help("Experiments by state").Register(registry);
  prometheus::Gauge& inflight = BuildGauge()
                                    .Name("gradeline_stream_inflight_batches")
                                    .Help("Batches read from training streams and not yet answered")
                                    .Register(registry)
                                    .Add({});
  prometheus::Counter& batch_bytes = BuildCounter()
                                         .Name("gradeline_batch_bytes_total")
                                         .Help("Bytes of batches read from training streams")
                                         .Register(registry)
                                         .Add({});
  prometheus::Counter& plugin_failures = BuildCounter()
                                             .Name("gradeline_plugin_load_failures_total")
                                             .Help("Plugins that were refused at load")
                                             .Register(registry)
                                             .Add({});
  std::mutex scrape;  // guards the two below
  std::function<std::map<std::string, int64_t>()> count_experiments;
  std::set<std::string> states;
};

ServerMetrics::ServerMetrics(const std::string& version) : impl_(std::make_unique<Impl>()) {
  BuildGauge()
      .Name("gradeline_build_info")
      .Help("Always 1; the labels tell the build")
      .Register(impl_->registry)
      .Add({{"version", version}})
      .Set(1);
}

ServerMetrics::~ServerMetrics() = default;

void ServerMetrics::LossEvaluated(std::string_view loss, std::string_view outcome, double seconds) {
  impl_->evaluations.Add({{"loss", std::string(loss)}, {"outcome", std::string(outcome)}}).Increment();
  impl_->evaluation_seconds.Add({{"loss", std::string(loss)}}, Seconds()).Observe(seconds);
}

void ServerMetrics::CallEnded(std::string_view method, std::string_view status, double seconds) {
  impl_->call_seconds.Add({{"grpc_method", std::string(method)}, {"grpc_status", std::string(status)}}, Seconds())
      .Observe(seconds);
}

void ServerMetrics::AddInflightBatches(int change) { impl_->inflight.Increment(change); }
void ServerMetrics::AddBatchBytes(int64_t bytes) { impl_->batch_bytes.Increment(static_cast<double>(bytes)); }
void ServerMetrics::AddPluginLoadFailures(int count) { impl_->plugin_failures.Increment(count); }

void ServerMetrics::CountExperimentsBy(std::function<std::map<std::string, int64_t>()> count) {
  const std::lock_guard lock(impl_->scrape);
  impl_->count_experiments = std::move(count);
}

std::string ServerMetrics::Text() {
  {
    const std::lock_guard lock(impl_->scrape);
    std::map<std::string, int64_t> counts;
    if (impl_->count_experiments) counts = impl_->count_experiments();
    for (const auto& [state, count] : counts) impl_->states.insert(state);
    for (const std::string& state : impl_->states) {
      impl_->experiments.Add({{"state", state}}).Set(static_cast<double>(counts[state]));
    }
  }
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace gradeline
