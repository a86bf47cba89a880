// A client's training stream of serialised messages, so that echo and Gradeline are asked by the same code.
#ifndef GRADELINE_TESTS_BENCH_RAW_STREAM_H_
#define GRADELINE_TESTS_BENCH_RAW_STREAM_H_

#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <memory>
#include <string>

namespace gradeline::bench {

/// Not thread-safe. Aborts when the stream ends early.
class RawStream {
 public:
  explicit RawStream(const std::string& address);
  ~RawStream();
  RawStream(const RawStream&) = delete;

  void Write(const grpc::ByteBuffer& message);
  grpc::ByteBuffer Read();

 private:
  void Await();

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericStub> stub_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

}  // namespace gradeline::bench

#endif  // GRADELINE_TESTS_BENCH_RAW_STREAM_H_
