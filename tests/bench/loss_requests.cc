#include "tests/bench/loss_requests.h"

#include <algorithm>
#include <fstream>
#include <istream>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/core/base/status.h"
#include "tests/bench/measure.h"

namespace gradeline::bench {
namespace {

std::string_view NameOf(Limit limit) {
  switch (limit) {
    case Limit::kCopy:
      return "copy";
    case Limit::kTriad:
      return "triad";
    case Limit::kSort:
      return "sort";
    case Limit::kNone:
      break;
  }
  return "";
}

absl::Status Store(const std::string& path, const void* data, size_t bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(static_cast<const char*>(data), static_cast<std::streamsize>(bytes));
  return file ? absl::OkStatus() : absl::InternalError(absl::StrCat("cannot write ", path));
}

absl::StatusOr<std::string> Open(LossWork& work, const std::string& name, const std::string& size,
                                 const std::string& folder) {
  const auto cases = LossCases();
  for (const LossCase& which : cases) {
    const std::vector<std::string_view> sizes = SizesOf(which);
    const auto known = std::find(sizes.begin(), sizes.end(), size);  // outlives the request
    if (bench::NameOf(which) != name || known == sizes.end()) continue;
    GRADELINE_RETURN_IF_ERROR(work.Open(which, *known));
    GRADELINE_ASSIGN_OR_RETURN(const LossResult answer, work.Answer());
    std::vector<std::string> tensors;
    for (const BatchTensor& tensor : work.batch().tensors()) {
      const std::string path = absl::StrCat(folder, "/", tensors.size());
      GRADELINE_RETURN_IF_ERROR(Store(path, tensor.copies.front().as<char>(), tensor.bytes()));
      tensors.push_back(absl::StrFormat(R"({"name":"%s","dtype":"%s","shape":[%s],"file":"%s"})",
                                        work.batch().loss().info().tensors[tensor.spec].name,
                                        std::string(gradeline::NameOf(tensor.dtype)), absl::StrJoin(tensor.shape, ","),
                                        path));
    }
    const std::string path = absl::StrCat(folder, "/gradient");
    const PooledBuffer& gradient = answer.gradients.front().data;
    GRADELINE_RETURN_IF_ERROR(Store(path, gradient.data(), gradient.size()));
    return absl::StrFormat(R"({"loss":%.17g,"batches":%d,"gradient":"%s","tensors":[%s]})", answer.loss,
                           work.batch().batches(), path, absl::StrJoin(tensors, ","));
  }
  return absl::NotFoundError(absl::StrCat("there is no case ", name, " of size ", size));
}

absl::StatusOr<std::string> Time(LossWork& work, const std::string& side, const std::string& calls,
                                 const std::string& repetitions) {
  int64_t call_count = 0;
  int repetition_count = 0;
  if (!absl::SimpleAtoi(calls, &call_count) || !absl::SimpleAtoi(repetitions, &repetition_count) || call_count < 1 ||
      repetition_count < 1) {
    return absl::InvalidArgumentError("calls and repetitions must be 1 or more");
  }
  GRADELINE_ASSIGN_OR_RETURN(const auto body, work.Side(side));
  const Measurement measured = Measure(body, call_count, repetition_count);
  return absl::StrFormat(R"({"seconds":%.9g,"cpu_seconds":%.9g,"minor_faults":%.9g})", measured.seconds,
                         measured.cpu_seconds, measured.minor_faults);
}

absl::StatusOr<std::string> Answer(LossWork& work, const std::vector<std::string>& words) {
  if (words.size() == 4 && words[0] == "open") return Open(work, words[1], words[2], words[3]);
  if (words.size() == 4 && words[0] == "time") return Time(work, words[1], words[2], words[3]);
  if (words.size() == 1 && words[0] == "close") {
    work.Close();
    return "{}";
  }
  return absl::InvalidArgumentError("not a request");
}

}  // namespace

int ListCases(std::ostream& out) {
  const auto losses = BuiltinLosses(true);
  for (const LossCase& which : LossCases()) {
    const auto loss = losses->Find(which.loss);
    const bool host_checks = loss.ok() && ((*loss)->flags & GDL_CHECKS_FINITE) == 0;
    out << absl::StrFormat(
        R"({"name":"%s","loss":"%s","params":"%s","layout":"%s","classes":%d,"sizes":"%s","limit":"%s","limit_goal":%g,"peer_goal":%g,"built":%s,"host_checks":%s})"
        "\n",
        bench::NameOf(which), std::string(which.loss), std::string(which.params), std::string(which.layout),
        which.classes, std::string(which.sizes), std::string(NameOf(which.limit)), which.limit_goal, which.peer_goal,
        loss.ok() ? "true" : "false", host_checks ? "true" : "false");
  }
  return 0;
}

int Serve(LossWork& work, std::istream& in, std::ostream& out) {
  for (std::string line; std::getline(in, line);) {
    const auto answer = Answer(work, absl::StrSplit(line, '\t'));
    out << (answer.ok() ? *answer : absl::StrFormat(R"({"error":"%s"})", absl::CEscape(answer.status().ToString())))
        << std::endl;
  }
  return 0;
}

}  // namespace gradeline::bench
