// A batch's round trip through Gradeline next to a bare gRPC echo of the same bytes, in turns within one run; with the
// server's start-up time and idle memory. Prints the tables of docs/benchmarks.md.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/cpp/connection.h"
#include "gradeline/v1/training.pb.h"
#include "tests/bench/echo_server.h"
#include "tests/bench/intervals.h"
#include "tests/bench/raw_stream.h"
#include "tests/cli/server_process.h"
#include "tests/cli/small_experiment.h"

namespace gradeline::bench {
namespace {

constexpr int kClasses = 3;
constexpr int kRounds = 40;

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

grpc::ByteBuffer BytesOf(const v1::TrainRequest& request) {
  const grpc::Slice slice(request.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

// A training batch of `rows` rows: 12 bytes of f32 logits and a label of 4 bytes each.
v1::TrainRequest BatchOf(int64_t rows) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(-3, 3);
  std::vector<float> logits(static_cast<size_t>(rows * kClasses));
  for (float& logit : logits) logit = uniform(random);
  std::vector<int32_t> labels(static_cast<size_t>(rows));
  for (int32_t& label : labels) label = static_cast<int32_t>(random() % kClasses);
  v1::TrainRequest request;
  v1::Batch& batch = *request.mutable_batch();
  batch.mutable_key()->set_phase(v1::PHASE_TRAIN);
  batch.mutable_key()->set_head("classification");
  v1::Tensor& prediction = *batch.add_inputs();
  prediction.set_name("prediction");
  prediction.set_data_type(v1::DATA_TYPE_F32);
  prediction.add_shape(rows);
  prediction.add_shape(kClasses);
  prediction.set_data(logits.data(), logits.size() * sizeof(float));
  v1::Tensor& target = *batch.add_inputs();
  target.set_name("target");
  target.set_data_type(v1::DATA_TYPE_I32);
  target.add_shape(rows);
  target.set_data(labels.data(), labels.size() * sizeof(int32_t));
  batch.set_gradient(true);
  return request;
}

// Reads until the message that answers a batch.
void ReadAnswer(RawStream* stream, v1::TrainResponse::MessageCase wanted) {
  for (;;) {
    const grpc::ByteBuffer message = stream->Read();
    grpc::Slice first;
    if (!message.TrySingleSlice(&first).ok() && !message.DumpToSingleSlice(&first).ok()) std::abort();
    const int field = first.size() == 0 ? 0 : first.begin()[0] >> 3;
    if (field == wanted) return;
    if (field == v1::TrainResponse::kRefused || field == v1::TrainResponse::kStop) {
      std::fprintf(stderr, "the server refused a batch\n");
      std::abort();
    }
  }
}

// One server's side of the comparison.
struct Side {
  RawStream* stream;
  pid_t pid;
  bool echo;
  double cpu = 0;
  std::vector<double> seconds{};  // the median of each round
};

void RunRound(Side* side, v1::TrainRequest* request, int64_t* seq, int trips) {
  const double cpu = CpuSeconds(side->pid);
  std::vector<double> seconds;
  for (int trip = 0; trip < trips; ++trip) {
    request->mutable_batch()->set_seq(++*seq);
    request->mutable_batch()->mutable_key()->set_step(*seq);
    const grpc::ByteBuffer bytes = BytesOf(*request);
    const double start = Now();
    side->stream->Write(bytes);
    if (side->echo) {
      side->stream->Read();
    } else {
      ReadAnswer(side->stream, v1::TrainResponse::kResult);
    }
    seconds.push_back(Now() - start);
  }
  side->cpu += CpuSeconds(side->pid) - cpu;
  side->seconds.push_back(Median(std::move(seconds)));
}

void Compare(const char* name, int64_t rows, int trips, Side echo, Side gradeline, int64_t* seq) {
  v1::TrainRequest request = BatchOf(rows);
  int64_t echo_seq = 0;
  RunRound(&echo, &request, &echo_seq, trips);  // both warm up, uncounted
  RunRound(&gradeline, &request, seq, trips);
  echo.seconds.clear();
  gradeline.seconds.clear();
  echo.cpu = gradeline.cpu = 0;
  std::vector<double> ratios;
  for (int round = 0; round < kRounds; ++round) {
    const bool echo_first = round % 2 == 0;
    if (echo_first) RunRound(&echo, &request, &echo_seq, trips);
    RunRound(&gradeline, &request, seq, trips);
    if (!echo_first) RunRound(&echo, &request, &echo_seq, trips);
    ratios.push_back(gradeline.seconds.back() / echo.seconds.back());
  }
  const auto micros = [&](const char* who, const Side& side) {
    const Interval interval = MedianInterval(side.seconds);
    std::printf("| %s | %s | %.0f [%.0f, %.0f] µs | %.0f µs |\n", name, who, interval.median * 1e6, interval.low * 1e6,
                interval.high * 1e6, side.cpu / (kRounds * trips) * 1e6);
  };
  micros("echo", echo);
  micros("Gradeline", gradeline);
  const Interval ratio = MedianInterval(ratios);
  std::printf("| %s | **ratio** | **%.2f** [%.2f, %.2f] | %.2f |\n", name, ratio.median, ratio.low, ratio.high,
              gradeline.cpu / echo.cpu);
  std::fflush(stdout);
}

void Run() {
  const EchoServer echo;
  const double echo_idle = ResidentMib(echo.pid());
  std::vector<double> starts;
  double idle = 0;
  for (int i = 0; i < 11; ++i) {
    const double start = Now();
    const testing::ServerProcess server;
    starts.push_back(Now() - start);
    idle = ResidentMib(server.pid());
  }
  const testing::ServerProcess server;
  const auto connection = client::Connect(server.address());
  if (!connection.ok()) std::abort();
  v1::TrainRequest hello;
  hello.mutable_hello()->set_experiment("experiments/bench");
  hello.mutable_hello()->set_attempt_token(testing::StartSmallExperiment(**connection, "bench", 1, 1, 4));
  hello.mutable_hello()->set_world_size(1);
  hello.mutable_hello()->set_instance("0123456789abcdef");
  RawStream gradeline_stream(server.address()), echo_stream(echo.address());
  gradeline_stream.Write(BytesOf(hello));
  ReadAnswer(&gradeline_stream, v1::TrainResponse::kWelcome);
  std::printf("| batch | server | round trip: median [95 %%] | server CPU per batch |\n|---|---|---|---|\n");
  int64_t seq = 0;
  const Side echo_side{&echo_stream, echo.pid(), true}, gradeline_side{&gradeline_stream, server.pid(), false};
  Compare("64 B", 4, 200, echo_side, gradeline_side, &seq);
  Compare("4 MiB", 262144, 5, echo_side, gradeline_side, &seq);
  const Interval start = MedianInterval(starts);
  std::printf(
      "\nStart-up to the first line that it listens: %.0f [%.0f, %.0f] ms. Idle memory: %.1f MiB (echo %.1f MiB).\n",
      start.median * 1e3, start.low * 1e3, start.high * 1e3, idle, echo_idle);
}

}  // namespace
}  // namespace gradeline::bench

int main() { gradeline::bench::Run(); }
