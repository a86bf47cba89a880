#include "server/rpc/roles.h"

#include <gtest/gtest.h>

#include "google/protobuf/descriptor.pb.h"
#include "gradeline/v1/catalog.pb.h"
#include "gradeline/v1/options.pb.h"

namespace gradeline {
namespace {

TEST(Roles, OwnServicesHaveThem) {
  const auto* file = v1::ListTasksRequest::descriptor()->file();
  EXPECT_TRUE(CheckRoles(*file->service(0)).ok());
}

TEST(Roles, AMethodWithoutIsNamed) {
  google::protobuf::FileDescriptorProto file;
  file.set_name("x.proto");
  file.add_message_type()->set_name("M");
  auto* service = file.add_service();
  service->set_name("S");
  for (const char* name : {"Good", "Bare"}) {
    auto* method = service->add_method();
    method->set_name(name);
    method->set_input_type(".M");
    method->set_output_type(".M");
  }
  service->mutable_method(0)->mutable_options()->SetExtension(v1::role, v1::ROLE_VIEWER);
  google::protobuf::DescriptorPool pool;
  const auto* built = pool.BuildFile(file);
  ASSERT_NE(built, nullptr);
  const absl::Status status = CheckRoles(*built->service(0));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "rpc without the option (gradeline.v1.role): S.Bare");
}

}  // namespace
}  // namespace gradeline
