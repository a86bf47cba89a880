#include "server/rpc/roles.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gradeline/v1/options.pb.h"

namespace gradeline {

absl::Status CheckRoles(const google::protobuf::ServiceDescriptor& service) {
  std::vector<std::string> without;
  for (int i = 0; i < service.method_count(); ++i) {
    const v1::Role role = service.method(i)->options().GetExtension(v1::role);
    if (!v1::Role_IsValid(role) || role == v1::ROLE_UNSPECIFIED) without.push_back(service.method(i)->full_name());
  }
  if (without.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("rpc without the option (gradeline.v1.role): ", absl::StrJoin(without, ", ")));
}

}  // namespace gradeline
