// ImportDataset: gathers a header and items, then registers the dataset in one piece. Memory is bounded: an import that
// grows too large is refused while it is read.
#ifndef GRADELINE_SERVER_RPC_IMPORT_STREAM_H_
#define GRADELINE_SERVER_RPC_IMPORT_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include <optional>
#include <string>
#include <vector>

#include "gradeline/v1/dataset.pb.h"
#include "server/core/base/status.h"
#include "server/core/experiment/experiments.h"
#include "server/rpc/calls.h"

namespace gradeline {

/// Deletes itself when gRPC is done with the call.
class ImportStream final : public grpc::ServerReadReactor<v1::ImportDatasetRequest> {
 public:
  static ImportStream* Open(Experiments* experiments, Calls* calls, v1::Dataset* response);

  void OnReadDone(bool ok) override;
  void OnDone() override { delete this; }

 private:
  ImportStream(Experiments* experiments, Calls* calls, v1::Dataset* response);
  /// A status ends the call at once; violations are gathered to the end of the import.
  absl::Status Take(const v1::ImportDatasetRequest& message);
  void TakeHeader(const v1::ImportDatasetRequest::Header& header);
  absl::Status TakeItems(const v1::ImportDatasetRequest::Items& items);
  absl::StatusOr<v1::Dataset> Import();

  Experiments* const experiments_;
  Calls* const calls_;
  const CallTimer timer_;
  v1::Dataset* const response_;
  v1::ImportDatasetRequest message_;
  std::optional<Dataset> dataset_;
  bool header_seen_ = false, end_seen_ = false, finished_ = false;
  std::string request_id_;
  std::vector<Item> items_;
  int64_t bytes_ = 0, next_index_ = 0;
  Violations violations_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_IMPORT_STREAM_H_
