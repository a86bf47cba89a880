// A client's side in the integration tests: stubs, the resources that most tests need, and a rank's stream.
#ifndef GRADELINE_TESTS_INTEGRATION_SERVER_FIXTURE_H_
#define GRADELINE_TESTS_INTEGRATION_SERVER_FIXTURE_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gradeline/v1/admin.grpc.pb.h"
#include "gradeline/v1/catalog.grpc.pb.h"
#include "gradeline/v1/dataset.grpc.pb.h"
#include "gradeline/v1/experiment.grpc.pb.h"
#include "gradeline/v1/split.grpc.pb.h"
#include "gradeline/v1/training.grpc.pb.h"
#include "server/core/base/status.h"
#include "tests/integration/server_process.h"

namespace gradeline {

/// The absl::Status that the server sent in the trailer, with reason and violations. A failed call without one fails
/// the test.
absl::Status StatusOf(const grpc::Status& status);

/// What an error says: code, and "field: description" of each violation, or the message if there are none.
struct Refusal {
  absl::StatusCode code;
  std::vector<std::string> texts;
  bool operator==(const Refusal&) const = default;
};
Refusal RefusalOf(const absl::Status& status);
void PrintTo(const Refusal& refusal, std::ostream* out);

v1::Tensor F32(const std::string& name, std::vector<int64_t> shape, std::vector<float> values);
v1::Tensor I64(const std::string& name, std::vector<int64_t> shape, std::vector<int64_t> values);

/// Deadline of every call: long enough for a loaded machine, and an end for a test that hangs.
std::chrono::system_clock::time_point SoonEnough();

/// A rank's stream, by hand.
class RankStream {
 public:
  RankStream(v1::TrainingService::Stub* stub, const v1::StartExperimentResponse& started, int rank, int world_size,
             std::string instance = "");
  ~RankStream();

  bool Send(const v1::TrainRequest& request) { return stream_->Write(request); }
  /// The next message; without a case when the stream has ended.
  v1::TrainResponse Next();
  /// The next message that is of `kind`; Committed ones before it are skipped.
  v1::TrainResponse NextOf(v1::TrainResponse::MessageCase kind);
  /// Waits until everything up to `seq` is committed; the answers on the way.
  std::vector<v1::TrainResponse> NextCommitted(int64_t seq);
  /// Says that no more comes; the stream's end.
  absl::Status Finish();
  void Cancel() { context_.TryCancel(); }
  const v1::Welcome& welcome() const { return welcome_; }

  static v1::TrainRequest Hello(const v1::StartExperimentResponse& started, int rank, int world_size,
                                const std::string& instance);
  /// A batch of two rows for the head "classification" of three classes.
  static v1::TrainRequest Batch(int64_t seq, v1::Phase phase, int64_t epoch, int64_t step);
  static v1::TrainRequest EndPhase(int64_t seq, v1::Phase phase, int64_t epoch, int64_t records);
  static v1::TrainRequest Bye(int64_t seq);
  static v1::TrainRequest Replay(const v1::Record& record);

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::TrainRequest, v1::TrainResponse>> stream_;
  v1::Welcome welcome_;
  bool finished_ = false;
};

/// A server, a connection and everything on it.
class ServerTest : public testing::Test {
 protected:
  explicit ServerTest(std::vector<std::string> settings = {});

  /// Calls a unary method: Call(&Stub::GetSplit, stub, request, &response).
  template <typename Stub, typename Request, typename Response>
  static absl::Status Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                           const std::unique_ptr<Stub>& stub, const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(SoonEnough());
    return StatusOf((stub.get()->*method)(&context, request, response));
  }
  template <typename Response, typename Stub, typename Request>
  static Refusal Refused(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                         const std::unique_ptr<Stub>& stub, const Request& request) {
    Response response;
    return RefusalOf(Call(method, stub, request, &response));
  }

  /// Dataset "d" of 100 items in 3 classes, split "s" 70/10/20 for classification. Once.
  void MakeSplit();
  v1::Experiment ExperimentNamed(const std::string& id, int world_size, int epochs) const;
  /// Creates and starts an experiment over the split, with accuracy and further metrics.
  v1::StartExperimentResponse Started(const std::string& id, int world_size = 1, int epochs = 2,
                                      const std::vector<std::string>& metrics = {});
  v1::Experiment Get(const std::string& id);
  std::vector<v1::Epoch> Epochs(const std::string& id);
  absl::Status Import(const std::vector<v1::ImportDatasetRequest>& messages, v1::Dataset* dataset);

  ServerProcess server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::CatalogService::Stub> catalog_;
  std::unique_ptr<v1::DatasetService::Stub> dataset_;
  std::unique_ptr<v1::SplitService::Stub> split_;
  std::unique_ptr<v1::ExperimentService::Stub> experiment_;
  std::unique_ptr<v1::TrainingService::Stub> training_;
  std::unique_ptr<v1::AdminService::Stub> admin_;
};

std::shared_ptr<grpc::Channel> Connect(const std::string& address);

}  // namespace gradeline

#endif  // GRADELINE_TESTS_INTEGRATION_SERVER_FIXTURE_H_
