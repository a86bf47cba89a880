// Numbers about the server for Prometheus. Labels are bounded: methods, losses, outcomes and states, never names that
// users choose. Deliberately hides the client library, so that rooms which count include nothing of it.
#ifndef GRADELINE_SERVER_OBSERVE_METRICS_H_
#define GRADELINE_SERVER_OBSERVE_METRICS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace gradeline {

/// Thread-safe.
class ServerMetrics {
 public:
  explicit ServerMetrics(const std::string& version);
  ~ServerMetrics();

  /// A loss call ended: `outcome` is "ok", "refused", "cancelled" or "failed".
  void LossEvaluated(std::string_view loss, std::string_view outcome, double seconds);
  /// A gRPC call ended: `method` "TrainingService/Train", `status` "OK", "NOT_FOUND" ...
  void CallEnded(std::string_view method, std::string_view status, double seconds);
  void AddInflightBatches(int change);
  void AddBatchBytes(int64_t bytes);
  void AddPluginLoadFailures(int count);
  /// Asked at every scrape for the number of experiments by state. Set before the first scrape.
  void CountExperimentsBy(std::function<std::map<std::string, int64_t>()> count);

  /// All metrics in Prometheus' text format 0.0.4.
  std::string Text();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_OBSERVE_METRICS_H_
