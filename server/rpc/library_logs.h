// Takes what gRPC and protobuf would print on standard error into the server's log.
#ifndef GRADELINE_SERVER_RPC_LIBRARY_LOGS_H_
#define GRADELINE_SERVER_RPC_LIBRARY_LOGS_H_

namespace gradeline {

/// Their lines become debug lines: a caller can cause any number of them, and what matters is told by errors of ours.
/// For the whole process.
void TakeLibraryLogs();

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_LIBRARY_LOGS_H_
