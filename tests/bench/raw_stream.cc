#include "tests/bench/raw_stream.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <cstdlib>
#include <iostream>

namespace gradeline::bench {

RawStream::RawStream(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  stub_ = std::make_unique<grpc::GenericStub>(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
  call_ = stub_->PrepareCall(&context_, "/gradeline.v1.TrainingService/Train", &queue_);
  call_->StartCall(this);
  Await();
}

RawStream::~RawStream() {
  context_.TryCancel();
  grpc::Status ignored;
  call_->Finish(&ignored, this);
  void* tag = nullptr;
  bool ok = false;
  queue_.Next(&tag, &ok);
}

void RawStream::Write(const grpc::ByteBuffer& message) {
  call_->Write(message, this);
  Await();
}

grpc::ByteBuffer RawStream::Read() {
  grpc::ByteBuffer message;
  call_->Read(&message, this);
  Await();
  return message;
}

void RawStream::Await() {
  void* tag = nullptr;
  bool ok = false;
  if (queue_.Next(&tag, &ok) && ok) return;
  std::cerr << "the stream ended\n";
  std::abort();
}

}  // namespace gradeline::bench
